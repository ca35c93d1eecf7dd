package score

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// figures are everything a report prints of a confusion.
type figures struct {
	Accuracy, Micro, Macro, Weighted float64
	F1, Precision, Recall            []float64
	Support                          []int
}

func figuresOf(c *Confusion) figures {
	f := figures{Accuracy: c.Accuracy(), Micro: c.MicroF1(), Macro: c.MacroF1(), Weighted: c.WeightedF1()}
	for k := range c.classes {
		f.F1, f.Precision = append(f.F1, c.ClassF1(k)), append(f.Precision, c.Precision(k))
		f.Recall, f.Support = append(f.Recall, c.Recall(k)), append(f.Support, c.Support(k))
	}
	return f
}

var about = cmp.Options{cmpopts.EquateApprox(0, 1e-12), cmpopts.EquateNaNs()}

// Values by hand; with zero division counted as 0 they are those of
// scikit-learn's f1_score over the whole label set.
func TestFiguresAreThoseComputedByHand(t *testing.T) {
	for _, c := range []struct {
		name              string
		actual, predicted []int
		classes           int
		want              figures
	}{
		{
			"three classes",
			[]int{0, 0, 0, 1, 1, 2},
			[]int{0, 0, 1, 1, 2, 1},
			3,
			figures{
				0.5, 0.5, (0.8 + 0.4 + 0) / 3, (3*0.8 + 2*0.4) / 6,
				[]float64{0.8, 0.4, 0},
				[]float64{1, 1. / 3, 0},
				[]float64{2. / 3, 0.5, 0},
				[]int{3, 2, 1},
			},
		},
		{
			"a class that neither occurs nor is predicted counts as 0",
			[]int{0, 0, 0, 1, 1, 2},
			[]int{0, 0, 1, 1, 2, 1},
			4,
			figures{
				0.5, 0.5, 0.3, (3*0.8 + 2*0.4) / 6,
				[]float64{0.8, 0.4, 0, 0},
				[]float64{1, 1. / 3, 0, 0},
				[]float64{2. / 3, 0.5, 0, 0},
				[]int{3, 2, 1, 0},
			},
		},
		{
			"a class that is predicted and does not occur",
			[]int{0, 0},
			[]int{0, 1},
			2,
			figures{0.5, 0.5, 1. / 3, 2. / 3, []float64{2. / 3, 0}, []float64{1, 0}, []float64{0.5, 0}, []int{2, 0}},
		},
		{
			"a class that is never predicted",
			[]int{0, 1},
			[]int{0, 0},
			2,
			figures{0.5, 0.5, 1. / 3, 1. / 3, []float64{2. / 3, 0}, []float64{0.5, 0}, []float64{1, 0}, []int{1, 1}},
		},
		{
			"all right",
			[]int{1, 0, 1},
			[]int{1, 0, 1},
			2,
			figures{1, 1, 1, 1, []float64{1, 1}, []float64{1, 1}, []float64{1, 1}, []int{1, 2}},
		},
		{
			"nothing counted", nil, nil, 2,
			figures{math.NaN(), math.NaN(), math.NaN(), math.NaN(), []float64{0, 0}, []float64{0, 0}, []float64{0, 0}, []int{0, 0}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Count(c.actual, c.predicted, c.classes)
			if err != nil {
				t.Fatal(err)
			}
			if m.N() != len(c.actual) {
				t.Errorf("n = %d of %d items", m.N(), len(c.actual))
			}
			if diff := cmp.Diff(c.want, figuresOf(m), about); diff != "" {
				t.Errorf("(-by hand +counted):\n%s", diff)
			}
		})
	}
}

// Rows are truths and columns predictions; exchanged, a report blames the wrong class.
func TestConfusionsNameTruthAndPrediction(t *testing.T) {
	m, err := Count([]int{0, 0, 0, 1, 2, 2, 2}, []int{1, 1, 0, 0, 1, 0, 0}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if m.At(0, 1) != 2 || m.At(1, 0) != 1 {
		t.Errorf("0 taken for 1: %d, 1 taken for 0: %d; want 2 and 1", m.At(0, 1), m.At(1, 0))
	}
	all := []Confused{{0, 1, 2}, {2, 0, 2}, {1, 0, 1}, {2, 1, 1}}
	for n, want := range map[int][]Confused{0: {}, 2: all[:2], 4: all, 99: all} {
		if diff := cmp.Diff(want, m.Worst(n), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("worst %d (-want +got):\n%s", n, diff)
		}
	}
}

// A class outside the label set is a fault of the caller and must not land in
// another class's cell.
func TestClassesOutsideTheLabelSetAreRefused(t *testing.T) {
	for _, c := range []struct{ actual, predicted []int }{
		{[]int{0, 2}, []int{0, 0}},
		{[]int{0, 0}, []int{0, 2}},
		{[]int{-1}, []int{0}},
		{[]int{0}, []int{-1}},
		{[]int{0, 1}, []int{0}},
	} {
		if _, err := Count(c.actual, c.predicted, 2); err == nil {
			t.Errorf("labels %v and predictions %v of 2 classes are counted", c.actual, c.predicted)
		}
	}
}
