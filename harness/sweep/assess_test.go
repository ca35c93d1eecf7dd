package sweep

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

var close9 = cmpopts.EquateApprox(0, 1e-9)

// F1 decides which variant ships; by hand:
//
//	class  right  as label  as prediction  F1
//	a      2      3         3              4/6
//	b      2      2         3              4/5
//	c      0      1         0              0
//	d      0      0         0              does not occur
func TestF1ByHand(t *testing.T) {
	res := wire.EvalResult{
		Labels:      []string{"a", "b", "c", "d"},
		Truth:       []int{0, 0, 0, 1, 1, 2, -1},
		Predictions: []int{0, 0, 1, 1, 1, 0, 3},
	}
	a := Assess(res, nil, 1)
	macro := (4.0/6 + 4.0/5 + 0) / 3
	got := []float64{a.F1Macro.Value, a.F1Micro.Value, a.Accuracy.Value}
	if diff := cmp.Diff([]float64{macro, 4.0 / 6, 4.0 / 6}, got, close9); diff != "" {
		t.Errorf("macro, micro, accuracy (-want +got):\n%s", diff)
	}
	if a.F1Macro.N != 6 || a.F1Macro.Lo > macro || a.F1Macro.Hi < macro {
		t.Errorf("macro-F1 is %v: want 6 labelled items and an interval around it", a.F1Macro)
	}
	if a.F1Micro != a.Accuracy {
		t.Errorf("micro-F1 %v differs from accuracy %v where every item has one label", a.F1Micro, a.Accuracy)
	}
}

// What was not asked is unavailable, whatever else was.
func TestNothingToAssessIsUnavailable(t *testing.T) {
	if diff := cmp.Diff(Assessment{}, Assess(wire.EvalResult{}, nil, 1)); diff != "" {
		t.Errorf("an empty result gave figures:\n%s", diff)
	}
	res := wire.EvalResult{Truth: []int{-1, -1}, Predictions: []int{0, 1}, Labels: []string{"a", "b"}}
	other := wire.EvalResult{Predictions: []int{0}}
	if diff := cmp.Diff(Assessment{}, Assess(res, &other, 1)); diff != "" {
		t.Errorf("items without labels, against other items, gave figures:\n%s", diff)
	}
}

func TestLanguageFigures(t *testing.T) {
	res := wire.EvalResult{
		TextNLL: []float64{6, 2}, TextTokens: []int{3, 1}, Perplexity: &wire.Estimate{Value: 99},
		ItemKL: []float64{0.1, 0.3}, KL: &wire.Estimate{Value: 99},
		Predictions: []int{1, 1, 0, 1}, SkipRate: 0.25,
	}
	dense := wire.EvalResult{Predictions: []int{1, 0, 0, 1}}
	a := Assess(res, &dense, 1)
	got := []float64{a.Perplexity.Value, a.KL.Value, a.Top1.Value, a.SkipRate}
	if diff := cmp.Diff([]float64{math.Exp(2), 0.2, 0.75, 0.25}, got, close9); diff != "" {
		t.Errorf("perplexity, KL, agreement, skip rate (-want +got):\n%s", diff)
	}
	if a.Perplexity.N != 2 || a.KL.N != 2 || a.Top1.N != 4 {
		t.Errorf("from %d texts, %d and %d items", a.Perplexity.N, a.KL.N, a.Top1.N)
	}
	// Without figures by item the runner's own errors give the interval.
	res = wire.EvalResult{
		Perplexity: &wire.Estimate{Value: 8, SE: 1, N: 50}, KL: &wire.Estimate{Value: 0.2, SE: 0.01, N: 50},
		Top1: &wire.Estimate{Value: 0.99, SE: 0.02, N: 50},
	}
	a = Assess(res, nil, 1)
	if diff := cmp.Diff([]float64{8 - 1.959964, 8 + 1.959964}, []float64{a.Perplexity.Lo, a.Perplexity.Hi}, close9); diff != "" {
		t.Errorf("interval of perplexity (-want +got):\n%s", diff)
	}
	if a.Top1.Hi != 1 || a.Top1.Lo > 0.96 {
		t.Errorf("agreement is %v: a share ends at 1", a.Top1)
	}
}

// answers draws items of three classes of unequal size and skill, and returns
// the macro-F1 that endless items would have.
func answers(rng *rand.Rand, n int) (wire.EvalResult, float64) {
	size, skill := []float64{0.5, 0.3, 0.2}, []float64{0.95, 0.8, 0.7}
	res := wire.EvalResult{Labels: []string{"a", "b", "c"}}
	for range n {
		truth, u := 0, rng.Float64()
		for u > size[truth] && truth < 2 {
			u -= size[truth]
			truth++
		}
		guess := truth
		if rng.Float64() > skill[truth] {
			guess = (truth + 1) % 3
		}
		res.Truth, res.Predictions = append(res.Truth, truth), append(res.Predictions, guess)
	}
	f1 := 0.0
	for c := range 3 {
		before := (c + 2) % 3
		predicted := size[c]*skill[c] + size[before]*(1-skill[before])
		f1 += 2 * size[c] * skill[c] / (size[c] + predicted) / 3
	}
	return res, f1
}

// An interval that misses the truth more often than it says makes noise look
// like a regression.
func TestF1IntervalsCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const runs = 100
	covered := 0
	for seed := range uint64(runs) {
		res, truth := answers(rng, 150)
		if i := Assess(res, nil, seed).F1Macro; i.Lo <= truth && truth <= i.Hi {
			covered++
		}
	}
	if covered < 88 {
		t.Errorf("%d of %d intervals at 95 %% cover the true macro-F1", covered, runs)
	}
}

func TestAssessmentsRepeatBySeed(t *testing.T) {
	res, _ := answers(rand.New(rand.NewPCG(1, 1)), 100)
	a := Assess(res, nil, 5)
	if diff := cmp.Diff(a, Assess(res, nil, 5)); diff != "" {
		t.Errorf("one seed gave two intervals: a report made again differs\n%s", diff)
	}
	if b := Assess(res, nil, 6); b.F1Macro.Lo == a.F1Macro.Lo && b.F1Macro.Hi == a.F1Macro.Hi {
		t.Error("the seed has no effect")
	}
}

// discordant are results of 40 items: both right on 30, then onlyDense and
// onlyThis of the rest.
func discordant(onlyDense, onlyThis int) (dense, this wire.EvalResult) {
	for i := range 40 {
		truth := i % 2
		d, v := truth, truth
		if i >= 30 {
			switch k := i - 30; {
			case k < onlyDense:
				v = 1 - truth
			case k < onlyDense+onlyThis:
				d = 1 - truth
			}
		}
		dense.Truth, this.Truth = append(dense.Truth, truth), append(this.Truth, truth)
		dense.Predictions, this.Predictions = append(dense.Predictions, d), append(this.Predictions, v)
	}
	return dense, this
}

// Swapped sides or a one-sided test would call the worse variant better.
func TestCompareByHand(t *testing.T) {
	dense, this := discordant(9, 1)
	c, ok := Compare("8-bit", dense, this, 1)
	if !ok {
		t.Fatal("not comparable")
	}
	// p = 2·(C(10,0)+C(10,1))/2¹⁰ = 22/1024.
	want := page.Comparison{Name: "8-bit", OnlyDense: 9, OnlyThis: 1, P: 22.0 / 1024, PHolm: 22.0 / 1024}
	only := cmpopts.IgnoreFields(page.Comparison{}, "F1", "F1Dense", "Delta", "DeltaLo", "DeltaHi")
	if diff := cmp.Diff(want, c, close9, only); diff != "" {
		t.Errorf("test (-want +got):\n%s", diff)
	}
	if c.F1Dense <= c.F1 || math.Abs(c.Delta-(c.F1-c.F1Dense)) > 1e-12 || c.DeltaLo > c.Delta || c.DeltaHi < c.Delta || c.DeltaHi >= 0 {
		t.Errorf("F1 %g, dense %g, difference %g [%g, %g]: want a loss", c.F1, c.F1Dense, c.Delta, c.DeltaLo, c.DeltaHi)
	}
	back, _ := Compare("dense", this, dense, 1)
	if math.Abs(back.Delta+c.Delta) > 1e-12 || back.P != c.P || back.OnlyThis != 9 {
		t.Errorf("the other way round: %+v", back)
	}
	same, _ := Compare("same", dense, dense, 1)
	if same.P != 1 || same.Delta != 0 || same.DeltaLo != 0 || same.DeltaHi != 0 {
		t.Errorf("a model against itself: %+v", same)
	}
	for name, other := range map[string]wire.EvalResult{
		"no labels":   {Truth: []int{-1}, Predictions: []int{0}},
		"other items": {Truth: []int{0}, Predictions: []int{0}},
		"nothing":     {},
	} {
		if _, ok := Compare(name, dense, other, 1); ok {
			t.Errorf("%s: compared", name)
		}
	}
}

func TestAdjustCorrectsAllTogether(t *testing.T) {
	cs := []page.Comparison{{Name: "a", P: 0.04}, {Name: "b", P: 0.01}, {Name: "c", P: 0.03}}
	Adjust(cs)
	var got []float64
	for _, c := range cs {
		got = append(got, c.PHolm)
	}
	// 0.01·3, then 0.03·2, then no less than that.
	if diff := cmp.Diff([]float64{0.06, 0.03, 0.06}, got, close9); diff != "" {
		t.Errorf("p after Holm (-want +got):\n%s", diff)
	}
	Adjust(nil)
}

// Class counts must not leak from one resample into the next.
func TestMacroF1KeepsNoState(t *testing.T) {
	res := wire.EvalResult{Truth: []int{0, 1, 2}, Predictions: []int{0, 1, 0}}
	f := macroF1(res, labelled(res))
	first := f([]int{0, 1, 2})
	f([]int{2, 2, 2})
	if again := f([]int{0, 1, 2}); again != first {
		t.Errorf("%g at first, %g after another resample", first, again)
	}
	if alone := f([]int{1, 1}); alone != 1 {
		t.Errorf("%g for items that are all right: absent classes count as failures", alone)
	}
	var none stat.Interval
	if got := Assess(wire.EvalResult{}, nil, 0).F1Macro; got != none {
		t.Errorf("no items gave %v", got)
	}
}
