package builtin

import (
	"strings"
	"sync"
	"testing"

	"github.com/seed-c6f48606/harness/datasets/score"
)

const (
	cueItems = 5  // train items of the class that have a cue
	cueLift  = 10 // times as frequent in the class as outside
)

// cues holds for every class the features of train (words and pairs of words,
// Chinese characters up to three) that are at least cueLift times as frequent in
// its items as in all others.
var cues = sync.OnceValue(func() []map[string]bool {
	c := corpus()
	in := make([]map[string]int, len(c.Labels))
	out := make([]map[string]bool, len(c.Labels))
	for l := range in {
		in[l], out[l] = map[string]int{}, map[string]bool{}
	}
	size, all := make([]int, len(c.Labels)), map[string]int{}
	for _, it := range c.Train {
		size[it.Label]++
		for f := range features(it) {
			in[it.Label][f]++
			all[f]++
		}
	}
	for l := range in {
		for f, n := range in[l] {
			own := float64(n) / float64(size[l])
			other := float64(all[f]-n) / float64(len(c.Train)-size[l])
			out[l][f] = n >= cueItems && own >= cueLift*other
		}
	}
	return out
})

func features(it Item) map[string]bool {
	set := map[string]bool{}
	for _, f := range score.Features(strings.Join(it.words, " ")) {
		set[f] = true
	}
	return set
}

func hasCue(features map[string]bool, class int) bool {
	for f := range features {
		if cues()[class][f] {
			return true
		}
	}
	return false
}

// Unseen words and frames must not make a test item unanswerable: nearly every
// one has a feature that train shows to belong to its class, and few have one of
// any other given class.
func TestEveryClassKeepsALearnableCue(t *testing.T) {
	c := corpus()
	own, size := make([]int, len(c.Labels)), make([]int, len(c.Labels))
	foreign, pairs := 0, 0
	for _, it := range c.Test {
		size[it.Label]++
		seen := features(it)
		for l := range c.Labels {
			has := hasCue(seen, l)
			switch {
			case l != it.Label:
				pairs++
				if has && it.Kind != Contrast { // a contrast names a second class
					foreign++
				}
			case has:
				own[l]++
			}
		}
	}
	total := 0
	for l, n := range own {
		total += n
		least := 0.85
		if c.Labels[l] == OutOfScope {
			least = 0.6 // it is whatever no other class is: what tells it is the lack of a cue
		}
		if share := float64(n) / float64(size[l]); share < least {
			t.Errorf("%.0f %% of the test items of %s have a cue of train, want at least %.0f %%", 100*share, c.Labels[l], 100*least)
		}
	}
	if share := float64(total) / float64(len(c.Test)); share < 0.97 {
		t.Errorf("%.1f %% of the test items have a cue of their class, want at least 97 %%", 100*share)
	}
	if share := float64(foreign) / float64(pairs); share > 0.12 {
		t.Errorf("an item has a cue of a given other class in %.1f %% of cases, want at most 12 %%: the cues tell nothing", 100*share)
	}
}

// floor is the bag-of-words baseline on the test split.
type floor struct {
	predicted []int
	confusion *score.Confusion
}

var baseline = sync.OnceValues(func() (floor, error) {
	c := corpus()
	texts, labels := split(c.Train)
	b, err := score.TrainBaseline(texts, labels, len(c.Labels), score.BaselineOptions{})
	if err != nil {
		return floor{}, err
	}
	texts, labels = split(c.Test)
	f := floor{predicted: b.Predict(texts)}
	f.confusion, err = score.Count(labels, f.predicted, len(c.Labels))
	return f, err
})

func split(items []Item) (texts []string, labels []int) {
	for _, it := range items {
		texts, labels = append(texts, it.Text), append(labels, it.Label)
	}
	return texts, labels
}

func mustBaseline(t *testing.T) floor {
	t.Helper()
	if testing.Short() {
		t.Skip("trains the baseline for seconds")
	}
	f, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// recall is the baseline's on the test items that keep admits.
func (f floor) recall(keep func(Item) bool) (share float64, n int) {
	right := 0
	for i, it := range corpus().Test {
		if keep(it) {
			n++
			if f.predicted[i] == it.Label {
				right++
			}
		}
	}
	return float64(right) / float64(n), n
}

// Where counting words solves the task, no figure of a language model means anything.
func TestCountingWordsIsNotEnough(t *testing.T) {
	f := mustBaseline(t)
	if got := f.confusion.MacroF1(); got >= 0.90 || got < 0.70 {
		t.Errorf("macro-F1 of the bag of words is %.4f, want 0.70 to 0.90", got)
	}
	if got, n := f.recall(func(it Item) bool { return it.Kind == Contrast }); got > 0.60 {
		t.Errorf("the bag of words gets %.3f of %d contrasts, want at most 0.60: order and negation decide them", got, n)
	}
}

// And where it fails on plain requests too, the labels would be noise.
func TestPlainRequestsAreLearnable(t *testing.T) {
	f := mustBaseline(t)
	if got, n := f.recall(func(it Item) bool { return it.Kind != Contrast }); got < 0.88 {
		t.Errorf("the bag of words gets %.3f of %d plain and short items, want at least 0.88", got, n)
	}
	for l, name := range corpus().Labels {
		got, n := f.recall(func(it Item) bool { return it.Label == l && it.Kind != Contrast })
		if got < 0.6 {
			t.Errorf("the bag of words gets %.2f of %d plain and short items of %s, want at least 0.60", got, n, name)
		}
	}
}
