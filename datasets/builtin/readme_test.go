package builtin

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the figures of README.md")

const (
	figuresBegin = "<!-- figures: go test ./datasets/builtin -update -->\n"
	figuresEnd   = "<!-- end of figures -->"
)

// A data card whose figures are not those of the data is worse than none.
func TestCardStatesTheFigures(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(raw), figuresBegin)
	have, tail, ended := strings.Cut(rest, figuresEnd)
	if !ok || !ended {
		t.Fatalf("README.md has no figures between %q and %q", figuresBegin, figuresEnd)
	}
	if want := fmt.Sprintf("%.0f %% of its cue phrases", 100*defaults.newPhrase); !strings.Contains(head, want) {
		t.Errorf("README.md does not say %q", want)
	}
	want := figures(mustBaseline(t))
	if *update && have != want {
		if err := os.WriteFile("README.md", []byte(head+figuresBegin+want+figuresEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("README.md states other figures; rewrite them with -update (-data +README):\n%s", diff)
	}
}

// figures are the card's tables.
func figures(f floor) string {
	c := corpus()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("")
	line("%d classes: %d intents and `%s`. SHA-256 `%s`.", len(c.Labels), len(c.Labels)-1, OutOfScope, c.Hash())
	line("")
	line("| | train | val | test |")
	line("|---|---|---|---|")
	row := func(what string, value func([]Item) string) {
		line("| %s | %s | %s | %s |", what, value(c.Train), value(c.Val), value(c.Test))
	}
	percent := func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }
	row("utterances", func(items []Item) string { return fmt.Sprint(len(items)) })
	row("of each intent (twice as many out of scope)", func(items []Item) string { return fmt.Sprint(len(items) / (len(c.Labels) + 1)) })
	for _, k := range []struct {
		kind Kind
		what string
	}{{Plain, "plain requests"}, {Contrast, "contrasts: two intents, one wanted"}, {Short, "short follow-ups"}} {
		row(k.what, func(items []Item) string { return percent(countShares(items).kind[k.kind]) })
	}
	for _, l := range []struct {
		language Language
		what     string
	}{{English, "English"}, {Chinese, "Chinese"}, {Mixed, "code-switching"}} {
		row(l.what, func(items []Item) string { return percent(countShares(items).language[l.language]) })
	}
	for _, l := range []struct {
		language Language
		what     string
	}{{English, "English"}, {Chinese, "Chinese"}, {Mixed, "code-switching"}} {
		row("misspelled, of "+l.what, func(items []Item) string { return percent(countShares(items).slip[l.language]) })
	}
	line("")
	line("%.0f %% of the test's distinct words do not occur in train (words as the grammar separates them, before spelling slips).", 100*c.UnseenShare())
	line("")
	line("| bag-of-words floor on test | n | |")
	line("|---|---|---|")
	line("| macro-F1 | %d | %.2f |", len(c.Test), f.confusion.MacroF1())
	for _, k := range []Kind{Plain, Short, Contrast} {
		got, n := f.recall(func(it Item) bool { return it.Kind == k })
		line("| accuracy, %s | %d | %.2f |", k, n, got)
	}
	line("")
	return b.String()
}
