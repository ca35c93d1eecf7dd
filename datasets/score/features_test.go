package score

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The floor is comparable with the reference only on the same features.
func TestFeatures(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{" ?! ", nil},
		{"Cancel", []string{"cancel"}},
		{"Cancel my ORDER!", []string{"cancel", "cancel my", "my", "my order", "order"}},
		{"a a", []string{"a", "a a", "a"}},
		{"don't 'quote' it’s", []string{"don't", "don't quote", "quote", "quote it's", "it's"}},
		{"order A-12", []string{"order", "order a", "a", "a 12", "12"}},
		{"查询余额", []string{"查", "查 询", "查 询 余", "询", "询 余", "询 余 额", "余", "余 额", "额"}},
		{"取消order吧", []string{"取", "取 消", "消", "消 order", "order", "order 吧", "吧"}},
		{"Évian ÜBER", []string{"évian", "évian über", "über"}},
	} {
		if diff := cmp.Diff(c.want, Features(c.text), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"", "Cancel my order", "取消order吧", "'''", "e\u0301\u0301", "\xff\xfe", "ǅ İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, han := Tokens(text)
		if len(tokens) != len(han) {
			t.Fatalf("%d tokens and %d marks", len(tokens), len(han))
		}
		for i, w := range tokens {
			if w == "" || strings.ContainsFunc(w, unicode.IsSpace) || !utf8.ValidString(w) {
				t.Fatalf("token %q of %q", w, text)
			}
			if r, n := utf8.DecodeRuneInString(w); han[i] != unicode.Is(unicode.Han, r) || han[i] && n != len(w) {
				t.Fatalf("token %q of %q is marked %v", w, text, han[i])
			}
		}
		if n := len(Features(text)); n < len(tokens) || n > 3*len(tokens) {
			t.Fatalf("%d features of %d tokens", n, len(tokens))
		}
	})
}
