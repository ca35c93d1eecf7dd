package score

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TF-IDF by hand: tf(a) = 1+ln 2, idf of a, "a a" and "a b" = ln(3/2)+1, of b = 1,
// the whole of length 1.
func TestTermWeightsAreThoseComputedByHand(t *testing.T) {
	b := &Baseline{}
	b.countTerms([]string{"a a b", "b"})
	got := map[string]float32{}
	for _, term := range b.vector("A a b, unknown") {
		for f, i := range b.index {
			if i == term.feature {
				got[f] = term.value
			}
		}
	}
	want := map[string]float32{"a": 0.7304437, "b": 0.3069530, "a a": 0.4314116, "a b": 0.4314116}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Errorf("(-by hand +got):\n%s", diff)
	}
	if got := b.vector("nothing known"); len(got) != 0 {
		t.Errorf("a text of unknown words gives %v", got)
	}
}

// toy is a task of three cues and noise.
func toy() (texts []string, labels []int) {
	for _, noise := range []string{"please", "now", "in town", "today", "for me", "again", "soon", "at home"} {
		texts = append(texts, "cancel it "+noise, "where is it "+noise, "查询余额"+noise)
		labels = append(labels, 0, 1, 2)
	}
	return texts, labels
}

func TestBaselineLearnsCues(t *testing.T) {
	texts, labels := toy()
	b, err := TrainBaseline(texts, labels, 4, BaselineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := b.Predict([]string{"CANCEL the whole thing", "and where?", "余额", "", "xyzzy"})
	if want := []int{0, 1, 2}; !slices.Equal(got[:3], want) {
		t.Errorf("predicted %v, want %v", got[:3], want)
	}
	for i, p := range got {
		if p < 0 || p > 2 { // class 3 has no item
			t.Errorf("text %d is given class %d, which train does not have", i, p)
		}
	}
	for i, w := range b.weight {
		if math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) {
			t.Fatalf("weight %d is %g", i, w)
		}
	}
}

// Two reports of one set must print one floor.
func TestBaselineIsDeterministic(t *testing.T) {
	texts, labels := toy()
	weights := func(o BaselineOptions) []float32 {
		t.Helper()
		b, err := TrainBaseline(texts, labels, 3, o)
		if err != nil {
			t.Fatal(err)
		}
		return b.weight
	}
	first := weights(BaselineOptions{})
	if !slices.Equal(first, weights(BaselineOptions{})) {
		t.Error("two trainings differ")
	}
	if !slices.Equal(first, weights(BaselineOptions{Epochs: 15, Rate: 0.25, Seed: 1})) {
		t.Error("the zero options are not those of the reference floors")
	}
	for name, o := range map[string]BaselineOptions{"seed": {Seed: 2}, "epochs": {Epochs: 3}, "rate": {Rate: 0.5}} {
		if slices.Equal(first, weights(o)) {
			t.Errorf("the option %s changes nothing", name)
		}
	}
}

func TestBaselineRefusesWhatItCannotLearn(t *testing.T) {
	for name, c := range map[string]struct {
		texts   []string
		labels  []int
		classes int
	}{
		"nothing":        {nil, nil, 2},
		"lengths":        {[]string{"a", "b"}, []int{0}, 2},
		"one class":      {[]string{"a"}, []int{0}, 1},
		"label too high": {[]string{"a"}, []int{2}, 2},
		"label negative": {[]string{"a"}, []int{-1}, 2},
	} {
		if _, err := TrainBaseline(c.texts, c.labels, c.classes, BaselineOptions{}); err == nil {
			t.Errorf("%s: trained without an error", name)
		}
	}
}
