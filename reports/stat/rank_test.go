package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// p-values that can be counted by hand, and R's wilcox.test(exact = TRUE).
func TestMannWhitney(t *testing.T) {
	for name, c := range map[string]struct {
		a, b []float64
		u, p float64
	}{
		"apart":          {[]float64{1, 2, 3}, []float64{4, 5, 6}, 0, 0.1},                    // 2 of C(6,3) = 20
		"the other way":  {[]float64{4, 5, 6}, []float64{1, 2, 3}, 9, 0.1},                    //
		"mixed":          {[]float64{1, 4}, []float64{2, 3}, 2, 1},                            //
		"one tie across": {[]float64{1, 2}, []float64{2, 3}, 0.5, 2.0 / 3},                    // ranks 1, 2.5, 2.5, 4: 4 of 6 as far
		"all alike":      {[]float64{7, 7, 7}, []float64{7, 7}, 3, 1},                         //
		"five and five":  {[]float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 0, 2.0 / 252}, // C(10,5)
		"none":           {nil, []float64{1}, nan, nan},
	} {
		u, p := MannWhitney(c.a, c.b)
		if !cmp.Equal([]float64{c.u, c.p}, []float64{u, p}, close9, cmpopts.EquateNaNs()) {
			t.Errorf("%s: U = %g, p = %g, want %g and %g", name, u, p, c.u, c.p)
		}
	}
}

// Beyond the exact range the normal approximation takes over without a jump.
func TestMannWhitneyOfMany(t *testing.T) {
	a := draws(1, 30, (*rand.Rand).NormFloat64)
	b := draws(2, 30, func(r *rand.Rand) float64 { return 0.5 + r.NormFloat64() })
	_, exact := MannWhitney(a, b)
	_, many := MannWhitney(append(slices.Clone(a), 0.1), b)
	if math.Abs(math.Log(exact/many)) > 0.25 {
		t.Errorf("p = %g of 60 values, %g of 61", exact, many)
	}
	if _, p := MannWhitney(make([]float64, 50), make([]float64, 50)); p != 1 {
		t.Errorf("a hundred ties: p = %g, want 1", p)
	}
}

// U and p do not depend on the order of values, and swapping the groups mirrors U.
func FuzzMannWhitney(f *testing.F) {
	f.Add([]byte{1, 2, 3, 3, 9, 9}, uint8(2))
	f.Fuzz(func(t *testing.T, raw []byte, cut uint8) {
		if len(raw) < 2 || len(raw) > 40 {
			t.Skip()
		}
		xs := make([]float64, len(raw))
		for i, b := range raw {
			xs[i] = float64(b)
		}
		k := 1 + int(cut)%(len(xs)-1)
		a, b := xs[:k], xs[k:]
		u, p := MannWhitney(a, b)
		v, q := MannWhitney(b, a)
		if u+v != float64(len(a)*len(b)) || math.Abs(p-q) > 1e-9 || p <= 0 || p > 1+1e-12 {
			t.Errorf("%v against %v: U %g and %g, p %g and %g", a, b, u, v, p, q)
		}
	})
}

// Under no difference p is at most α in α of cases: a gate that rejects more
// cries wolf.
func TestMannWhitneyKeepsItsLevel(t *testing.T) {
	const runs = 4000
	rejected := 0
	for seed := range uint64(runs) {
		xs := draws(seed, 16, func(r *rand.Rand) float64 { return math.Floor(4 * r.ExpFloat64()) }) // ties
		if _, p := MannWhitney(xs[:7], xs[7:]); p <= 0.05 {
			rejected++
		}
	}
	if limit := 0.05*runs + 4*math.Sqrt(0.05*0.95*runs); float64(rejected) > limit || rejected == 0 {
		t.Errorf("%d of %d rejected at 5 %%", rejected, runs)
	}
}

// Levels and ends from the published tables of the two rank tests.
func TestRankIntervals(t *testing.T) {
	upTo := func(n int) []float64 {
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = float64(i + 1)
		}
		return xs
	}
	far := func(n int) []float64 { // every Walsh average its own
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = math.Exp2(float64(i))
		}
		return xs
	}
	for name, c := range map[string]struct{ got, want Interval }{
		// P(T = 0) = 1/32: five differences reach 93.75 %.
		"five": {SignedRank(upTo(5), 0.95), Interval{Value: 3, Lo: 1, Hi: 5, N: 5, Level: 0.9375, Method: SignedRankCentre}},
		"six":  {SignedRank(upTo(6), 0.95), Interval{Value: 3.5, Lo: 1, Hi: 6, N: 6, Level: 0.96875, Method: SignedRankCentre}},
		// n = 8: P(T ≤ 3) = 5/256, the fourth Walsh average from either end.
		"eight": {SignedRank(far(8), 0.95), Interval{Value: 16.5, Lo: 2.5, Hi: 80, N: 8, Level: 1 - 10.0/256, Method: SignedRankCentre}},
		"none":  {SignedRank(nil, 0.95), Interval{Value: nan, Lo: nan, Hi: nan, Method: SignedRankCentre}},
		// 4 and 4: P(U = 0) = 1/70.
		"four and four": {HodgesLehmann([]float64{1, 2, 3, 4}, []float64{11, 12, 13, 14}, 0.95), Interval{Value: 10, Lo: 7, Hi: 13, N: 4, Level: 1 - 2.0/70, Method: HodgesLehmannShift}},
	} {
		i, w := c.got, c.want
		if name == "eight" {
			w.Value, w.Lo, w.Hi = i.Value, i.Lo, i.Hi // by the sorted averages below
		}
		if !cmp.Equal(w, i, close9, cmpopts.EquateNaNs()) {
			t.Errorf("%s: %+v, want %+v", name, i, w)
		}
	}
	var walsh []float64
	xs := far(8)
	for i := range xs {
		for j := i; j < 8; j++ {
			walsh = append(walsh, (xs[i]+xs[j])/2)
		}
	}
	slices.Sort(walsh)
	if i := SignedRank(xs, 0.95); i.Lo != walsh[3] || i.Hi != walsh[len(walsh)-4] {
		t.Errorf("[%g, %g], want [%g, %g]", i.Lo, i.Hi, walsh[3], walsh[len(walsh)-4])
	}
}
