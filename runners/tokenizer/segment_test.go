package tokenizer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Pieces that ran over these borders would learn accidents of the training
// text instead of its words.
func TestSegments(t *testing.T) {
	for text, want := range map[string]string{
		"say it":       "▁say|▁it",
		"what's 'now'": "▁what|'s|▁'|now|'",
		"a  12.5%":     "▁a|▁|▁|1|2|.|5|%",
		"转账100元 ok，好":  "▁转账|1|0|0|元|▁ok|，|好",
		"naïve_x\tñ":   "▁naïve|_|x|\t|ñ",
		"(a)":          "▁(|a|)",
	} {
		var got []string
		segments(space+strings.ReplaceAll(text, " ", space), func(s string) { got = append(got, s) })
		if d := cmp.Diff(want, strings.Join(got, "|")); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}
