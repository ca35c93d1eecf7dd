package builtin

import (
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/seed-c6f48606/harness/datasets/score"
)

// corpus is generated once; tests only read it.
var corpus = sync.OnceValue(Generate)

// part is a split with its name, for failures.
type part struct {
	name  string
	items []Item
}

func parts(c *Corpus) []part {
	return []part{{"train", c.Train}, {"val", c.Val}, {"test", c.Test}}
}

// A smaller task would not tell a good variant from a bad one.
func TestCorpusIsLargeEnough(t *testing.T) {
	c := corpus()
	intents, oos := 0, 0
	for _, l := range c.Labels {
		if l == OutOfScope {
			oos++
		} else {
			intents++
		}
	}
	if intents < 40 || oos != 1 {
		t.Errorf("%d intents and %d out-of-scope classes, want at least 40 and 1", intents, oos)
	}
	if n := len(c.Train) + len(c.Val) + len(c.Test); n < 6000 {
		t.Errorf("%d utterances, want at least 6000", n)
	}
	for _, p := range parts(c) {
		count := make([]int, len(c.Labels))
		for _, it := range p.items {
			count[it.Label]++
		}
		for l, n := range count {
			want := len(p.items) / (len(c.Labels) + 1)
			if c.Labels[l] == OutOfScope {
				want *= 2
			}
			if n != want {
				t.Errorf("%s has %d items of %s, want %d: macro-F1 would weigh noise", p.name, n, c.Labels[l], want)
			}
		}
	}
}

// Another hash makes every published figure of the shipped models one of other data.
func TestCorpusIsPinned(t *testing.T) {
	if got := Generate().Hash(); got != SHA256 {
		t.Errorf("hash %s, want %s; the shipped models were trained on the latter", got, SHA256)
	}
}

// A sweep generates the corpus in several processes and goroutines and compares
// their figures item by item.
func TestEveryCallGivesTheSameItemsInItsOwnMemory(t *testing.T) {
	all := make([]*Corpus, 4)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = Generate() })
	}
	wg.Wait()
	for _, c := range all[1:] {
		if !reflect.DeepEqual(all[0], c) {
			t.Fatal("two calls differ")
		}
	}
	all[0].Labels[0], all[0].Test[0].Text = "changed", "changed"
	if c := Generate(); c.Labels[0] == "changed" || c.Test[0].Text == "changed" {
		t.Error("a caller's change reaches the next call")
	}
}

// Each of what the hash covers must change it, or damage would go unseen.
func TestHashCoversSplitLabelAndText(t *testing.T) {
	small := func() *Corpus {
		return &Corpus{Labels: []string{"a", "b"}, Train: []Item{{Text: "x"}}, Test: []Item{{Text: "y", Label: 1}}}
	}
	want := small().Hash()
	for name, change := range map[string]func(c *Corpus){
		"text":  func(c *Corpus) { c.Test[0].Text = "z" },
		"label": func(c *Corpus) { c.Test[0].Label = 0 },
		"name":  func(c *Corpus) { c.Labels[1] = "c" },
		"split": func(c *Corpus) { c.Val, c.Test = c.Test, nil },
	} {
		c := small()
		change(c)
		if c.Hash() == want {
			t.Errorf("changing the %s leaves the hash as it was", name)
		}
	}
}

// A text that was trained on measures memory, not the task.
func TestNoTextOccursTwice(t *testing.T) {
	bare := regexp.MustCompile(`[^\p{L}\p{N}]`)
	seen := map[string]string{}
	for _, p := range parts(corpus()) {
		for _, it := range p.items {
			k := bare.ReplaceAllString(strings.ToLower(it.Text), "")
			if k == "" {
				t.Errorf("%s: %q has no letter", p.name, it.Text)
			}
			if where, ok := seen[k]; ok {
				t.Errorf("%q of %s is also in %s", it.Text, p.name, where)
			}
			seen[k] = p.name
		}
	}
}

// The test must ask for more than the words of train.
func TestTestHasUnseenWords(t *testing.T) {
	if got := corpus().UnseenShare(); got < 0.20 {
		t.Errorf("%.1f %% of the test's distinct words are unseen, want at least 20 %%", 100*got)
	}
	c := &Corpus{
		Train: []Item{{words: []string{"a", "b"}}, {words: []string{"b"}}},
		Test:  []Item{{words: []string{"a", "c"}}, {words: []string{"c", "d", "b"}}},
	}
	if got := c.UnseenShare(); got != 0.5 { // c and d of a, b, c, d
		t.Errorf("share of the example is %g, want 0.5", got)
	}
}

// What README.md states of kinds, languages and slips, each with its bounds.
func TestSharesOfKindsLanguagesAndSlips(t *testing.T) {
	for _, p := range parts(corpus()) {
		s := countShares(p.items)
		for _, c := range []struct {
			what   string
			got    float64
			lo, hi float64
		}{
			{"contrasts", s.kind[Contrast], 0.25, 0.40},
			{"short follow-ups", s.kind[Short], 0.05, 0.12},
			{"English", s.language[English], 0.40, 0.52},
			{"Chinese", s.language[Chinese], 0.33, 0.45},
			{"mixed", s.language[Mixed], 0.10, 0.18},
			{"misspelled English", s.slip[English], 0.08, 0.18},
			{"misspelled Chinese", s.slip[Chinese], 0.05, 0.12},
			{"misspelled mixed", s.slip[Mixed], 0.10, 0.25},
		} {
			if c.got < c.lo || c.got > c.hi {
				t.Errorf("%s: share of %s is %.3f, want %.2f to %.2f", p.name, c.what, c.got, c.lo, c.hi)
			}
		}
	}
}

// shares are shares of a split's items; slips are shares of a language's.
type shares struct {
	kind     map[Kind]float64
	language map[Language]float64
	slip     map[Language]float64
}

func countShares(items []Item) shares {
	s := shares{map[Kind]float64{}, map[Language]float64{}, map[Language]float64{}}
	for _, it := range items {
		s.kind[it.Kind]++
		s.language[it.Language]++
		if misspelled(it) {
			s.slip[it.Language]++
		}
	}
	for l := range s.slip {
		s.slip[l] /= s.language[l]
	}
	for k := range s.kind {
		s.kind[k] /= float64(len(items))
	}
	for l := range s.language {
		s.language[l] /= float64(len(items))
	}
	return s
}

var orderNumber = regexp.MustCompile(`[a-z][0-9]{5}`)

// misspelled says whether an item's text has other letters than its words.
func misspelled(it Item) bool {
	text := strings.ToLower(it.Text)
	for _, c := range contractions {
		text = strings.ReplaceAll(text, c.short, c.long)
	}
	return key(orderNumber.ReplaceAllString(text, "")) != key(strings.Join(it.words, ""))
}

// Language and kind of an item are what its text shows, or figures split by them
// would be about something else.
func TestItemsAreWhatTheySay(t *testing.T) {
	han, latin := regexp.MustCompile(`\p{Han}`), regexp.MustCompile(`[a-z]`)
	for _, p := range parts(corpus()) {
		for _, it := range p.items {
			hasHan, hasLatin := han.MatchString(it.Text), latin.MatchString(it.Text)
			want := map[Language]bool{English: !hasHan && hasLatin, Chinese: hasHan && !hasLatin, Mixed: hasHan && hasLatin}
			if !want[it.Language] {
				t.Errorf("%s: %q is called %s", p.name, it.Text, it.Language)
			}
			if n := len(score.Features(it.Text)); n == 0 {
				t.Errorf("%s: %q gives no feature", p.name, it.Text)
			}
			if len(it.words) > 16 && it.Kind == Short {
				t.Errorf("%s: %q has %d words and is called short", p.name, it.Text, len(it.words))
			}
		}
	}
}
