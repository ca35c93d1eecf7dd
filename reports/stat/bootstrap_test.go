package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func draws(seed uint64, n int, draw func(*rand.Rand) float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 9))
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = draw(rng)
	}
	return xs
}

// For the mean of normal values theory knows the interval: mean ± 1.96·s/√n.
func TestBootstrapMatchesTheory(t *testing.T) {
	xs := draws(1, 400, (*rand.Rand).NormFloat64)
	mean := Mean(xs)
	square := 0.0
	for _, x := range xs {
		square += (x - mean) * (x - mean)
	}
	half := 1.96 * math.Sqrt(square/400/400)
	for _, method := range []string{Percentile, BCa} {
		i := Bootstrap(xs, Mean, Resampling{Resamples: 5000, Method: method})
		want := Interval{Value: mean, Lo: mean - half, Hi: mean + half, N: 400, Level: 0.95, Method: method}
		if diff := cmp.Diff(want, i, cmpopts.EquateApprox(0, half/10)); diff != "" {
			t.Errorf("%s (-theory +got):\n%s", method, diff)
		}
	}
	wide := Bootstrap(xs, Mean, Resampling{Level: 0.99})
	if ratio := (wide.Hi - wide.Lo) / (2 * half); math.Abs(ratio-2.576/1.96) > 0.15 {
		t.Errorf("at 99 %% the interval is %.2f times as wide, want %.2f", ratio, 2.576/1.96)
	}
}

// BCa is worth its cost only if it covers better than percentiles on skew.
func TestCoverageOfTheMeanOfSkewedData(t *testing.T) {
	const runs, n = 400, 30
	covered := map[string]int{}
	for seed := range uint64(runs) {
		xs := draws(seed, n, (*rand.Rand).ExpFloat64)
		for _, method := range []string{Percentile, BCa} {
			i := Bootstrap(xs, Mean, Resampling{Resamples: 500, Seed: seed, Method: method})
			if i.Lo <= 1 && 1 <= i.Hi {
				covered[method]++
			}
		}
	}
	for method, n := range covered {
		if n < runs*89/100 || n > runs*98/100 {
			t.Errorf("%s: %d of %d intervals cover", method, n, runs)
		}
	}
	if covered[BCa] < covered[Percentile] {
		t.Errorf("BCa covers %d, percentiles %d of %d", covered[BCa], covered[Percentile], runs)
	}
}

// Levels by hand after Efron and Tibshirani, eq. 14.10: Φ(z0 + z/(1 − a·z)) with
// z = z0 ± 1.96.
func TestBCaLevels(t *testing.T) {
	draws := make([]float64, 100)
	for i := range draws {
		draws[i] = float64(i + 1)
	}
	for name, c := range map[string]struct {
		value float64
		jack  []float64
		want  []float64
	}{
		"neither":      {50.5, []float64{-1, 0, 1}, []float64{0.025, 0.975}},
		"bias":         {60.5, []float64{-1, 0, 1}, []float64{0.07308, 0.99318}}, // z0 = 0.2533
		"acceleration": {50.5, []float64{0, 0, 3}, []float64{0.01186, 0.95813}},  // a = −0.06804
		"a tie":        {61, []float64{-1, 0, 1}, []float64{0.07674, 0.99366}},   // z0 = 0.2663: 60 below and half of one
		"no spread":    {50.5, []float64{2, 2, 2}, nil},
		"all below":    {101, []float64{-1, 0, 1}, nil},
		"undefined":    {50.5, []float64{nan, 0, 1}, nil},
	} {
		l, h, ok := bcaLevels(draws, c.value, c.jack, 0.025, 0.975)
		if ok != (c.want != nil) {
			t.Errorf("%s: defined is %v", name, ok)
		} else if ok {
			if diff := cmp.Diff(c.want, []float64{l, h}, cmpopts.EquateApprox(0, 5e-5)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

func TestBootstrapIsDeterministic(t *testing.T) {
	xs := draws(2, 50, (*rand.Rand).ExpFloat64)
	kept := slices.Clone(xs)
	a := Bootstrap(xs, Median, Resampling{Seed: 3})
	if diff := cmp.Diff(a, Bootstrap(xs, Median, Resampling{Seed: 3})); diff != "" {
		t.Errorf("one seed gave two intervals:\n%s", diff)
	}
	if b := Bootstrap(xs, Mean, Resampling{Seed: 4}); b == Bootstrap(xs, Mean, Resampling{Seed: 5}) {
		t.Error("the seed has no effect")
	}
	if diff := cmp.Diff(kept, xs); diff != "" {
		t.Errorf("the caller's values changed:\n%s", diff)
	}
}

// Where there is nothing to resample there is no interval, never one of width 0.
func TestBootstrapOfLittle(t *testing.T) {
	half := func(items []int) float64 { // not defined without item 0
		if !slices.Contains(items, 0) {
			return nan
		}
		return float64(len(items))
	}
	for name, c := range map[string]struct {
		got, want Interval
	}{
		"nothing":   {Bootstrap(nil, Mean, Resampling{}), Interval{Value: nan, Lo: nan, Hi: nan, Level: 0.95, Method: Percentile}},
		"one":       {Bootstrap([]float64{7}, Mean, Resampling{Method: BCa}), Interval{Value: 7, Lo: nan, Hi: nan, N: 1, Method: NoInterval}},
		"all alike": {Bootstrap([]float64{7, 7, 7}, Mean, Resampling{Method: BCa}), Interval{Value: 7, Lo: 7, Hi: 7, N: 3, Level: 0.95, Method: Percentile}},
		"undefined": {BootstrapItems(3, func([]int) float64 { return nan }, Resampling{}), Interval{Value: nan, Lo: nan, Hi: nan, N: 3, Level: 0.95, Method: Percentile}},
		"in part":   {BootstrapItems(3, half, Resampling{}), Interval{Value: 3, Lo: 3, Hi: 3, N: 3, Level: 0.95, Method: Percentile}},
	} {
		if diff := cmp.Diff(c.want, c.got, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is common to both variants must cancel: hard items are hard for both.
func TestPairedBootstrapCancelsWhatIsCommon(t *testing.T) {
	a := draws(5, 200, func(r *rand.Rand) float64 { return 100 * r.NormFloat64() })
	b := make([]float64, len(a))
	for i := range a {
		b[i] = a[i] + 1 + 0.1*math.Sin(float64(i))
	}
	of := func(xs []float64) func([]int) float64 {
		return func(items []int) float64 {
			s := 0.0
			for _, i := range items {
				s += xs[i]
			}
			return s / float64(len(items))
		}
	}
	d := PairedBootstrap(200, of(a), of(b), Resampling{})
	if math.Abs(d.Value-1) > 0.01 || d.Lo < 0.95 || d.Hi > 1.05 {
		t.Errorf("difference %v, want about 1 within 0.05", d)
	}
	if back := PairedBootstrap(200, of(b), of(a), Resampling{}); math.Abs(back.Value+d.Value) > 1e-9 || math.Abs(back.Lo+d.Hi) > 1e-9 {
		t.Errorf("the other way round: %v", back)
	}
}

// Items are resampled with replacement, all of them alike.
func TestEveryItemIsDrawn(t *testing.T) {
	const n, resamples = 5, 4000
	count := make([]int, n)
	first := true
	BootstrapItems(n, func(items []int) float64 {
		if len(items) != n {
			t.Fatalf("a resample of %d items, want %d", len(items), n)
		}
		if first { // all items once
			first = false
			return 0
		}
		for _, i := range items {
			count[i]++
		}
		return 0
	}, Resampling{Resamples: resamples})
	for i, c := range count {
		if math.Abs(float64(c)-resamples) > 4*math.Sqrt(resamples) {
			t.Errorf("item %d was drawn %d times, want about %d", i, c, resamples)
		}
	}
}
