package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	close9 = cmpopts.EquateApprox(1e-9, 1e-12)
	nan    = math.NaN()
	inf    = math.Inf(1)
)

// Readers check figures against NumPy and R; values are theirs (type 7).
func TestQuantile(t *testing.T) {
	xs := []float64{7, 1, 3, 15}
	for _, c := range []struct {
		xs      []float64
		p, want float64
	}{
		{xs, 0, 1},
		{xs, 0.25, 2.5},
		{xs, 0.5, 5},
		{xs, 0.9, 12.6},
		{xs, 1, 15},
		{xs, -1, 1},
		{xs, 2, 15},
		{xs, nan, nan},
		{[]float64{4}, 0.99, 4},
		{nil, 0.5, nan},
		{[]float64{-3, inf}, 0, -3},
	} {
		if got := Quantile(c.xs, c.p); !cmp.Equal(c.want, got, close9, cmpopts.EquateNaNs()) {
			t.Errorf("quantile %g of %v is %g, want %g", c.p, c.xs, got, c.want)
		}
	}
	if diff := cmp.Diff([]float64{7, 1, 3, 15}, xs); diff != "" {
		t.Errorf("the caller's values were moved:\n%s", diff)
	}
	if m := Mean(xs); m != 6.5 {
		t.Errorf("mean %g, want 6.5", m)
	}
	if !math.IsNaN(Mean(nil)) || !math.IsNaN(Median(nil)) {
		t.Error("nothing has a mean or a median")
	}
}

// Whatever comes in, a quantile lies between the extremes and grows with p.
func FuzzQuantile(f *testing.F) {
	f.Add(1.0, 2.0, -3.0, 0.5, 0.9)
	f.Add(0.0, 0.0, 1e300, 0.0, 1.0)
	f.Fuzz(func(t *testing.T, a, b, c, p, q float64) {
		xs := []float64{a, b, c}
		for _, x := range append(xs, p, q) {
			if math.IsNaN(x) || math.Abs(x) > 1e300 {
				t.Skip()
			}
		}
		lo, hi := Quantile(xs, min(p, q)), Quantile(xs, max(p, q))
		// Interpolation may round by one step of the larger value.
		slack := 1e-15 * max(math.Abs(a), math.Abs(b), math.Abs(c))
		if lo < slices.Min(xs)-slack || hi > slices.Max(xs)+slack || lo > hi+slack {
			t.Errorf("quantiles %g and %g of %v are %g and %g", p, q, xs, lo, hi)
		}
	})
}

// The order statistics that a textbook's table gives (Conover, table A3), and
// the level that they reach.
func TestMedianCI(t *testing.T) {
	for _, c := range []struct {
		n      int
		level  float64
		lo, hi float64 // of the values 1 … n
		reach  float64
	}{
		{1, 0.95, 1, 1, 0},
		{2, 0.95, 1, 2, 0.5},
		{5, 0.95, 1, 5, 0.9375},
		{5, 0.9, 1, 5, 0.9375},
		{6, 0.95, 1, 6, 0.96875},
		{8, 0.95, 1, 8, 0.9921875},
		{9, 0.95, 2, 8, 0.9609375},
		{20, 0.95, 6, 15, 0.9586105},
		{100, 0.95, 40, 61, 0.9647998},
	} {
		t.Run(fmt.Sprint(c.n, c.level), func(t *testing.T) {
			xs := make([]float64, c.n)
			for i := range xs {
				xs[i] = float64(c.n - i)
			}
			want := Interval{Value: float64(c.n+1) / 2, Lo: c.lo, Hi: c.hi, N: c.n, Level: c.reach, Method: OrderStatistic}
			if diff := cmp.Diff(want, MedianCI(xs, c.level), cmpopts.EquateApprox(1e-6, 0)); diff != "" {
				t.Errorf("interval (-want +got):\n%s", diff)
			}
		})
	}
	none := MedianCI(nil, 0.95)
	if !math.IsNaN(none.Value) || !math.IsNaN(none.Lo) || none.N != 0 {
		t.Errorf("no values gave %v", none)
	}
}

// p99 of twenty samples has no upper bound: it must say so by its level.
func TestQuantileCIOfATail(t *testing.T) {
	xs := make([]float64, 20)
	for i := range xs {
		xs[i] = float64(i + 1)
	}
	i := QuantileCI(xs, 0.99, 0.95)
	// All 20 lie below the true p99 in 82 % of cases; P(B = 19) = 20·0.01·0.99¹⁹ is left.
	if want := 20 * 0.01 * math.Pow(0.99, 19); i.Lo != 19 || i.Hi != 20 || math.Abs(i.Level-want) > 1e-9 {
		t.Errorf("p99 of 20 samples is %v, want [19, 20] at %.1f %%", i, 100*want)
	}
	// In the middle of many samples each tail keeps to its half of the rest.
	many := make([]float64, 1000)
	for i := range many {
		many[i] = float64(i + 1)
	}
	if i := QuantileCI(many, 0.9, 0.95); i.Level < 0.95 || i.Level > 0.96 || i.Lo < 875 || i.Hi > 925 {
		t.Errorf("p90 of 1000 samples is %v", i)
	}
}

// Latencies are skewed and drift in steps. An interval that covers less than it
// says turns noise into regressions.
func TestMedianCICoversSkewedData(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		draw   func() float64
		median float64
	}{
		"exponential": {rng.ExpFloat64, math.Ln2},
		"lognormal":   {func() float64 { return math.Exp(2 * rng.NormFloat64()) }, 1},
		"pareto":      {func() float64 { return 1 / (1 - rng.Float64()) }, 2},
	} {
		for _, n := range []int{2, 6, 25} {
			const runs = 4000
			covered, level := 0, 0.0
			for range runs {
				xs := make([]float64, n)
				for i := range xs {
					xs[i] = c.draw()
				}
				i := MedianCI(xs, 0.95)
				if i.Lo <= c.median && c.median <= i.Hi {
					covered++
				}
				level = i.Level
			}
			// Four standard errors of the count on either side.
			share, slack := float64(covered)/runs, 4*math.Sqrt(level*(1-level)/runs)
			if math.Abs(share-level) > slack {
				t.Errorf("%s, n=%d: covers %.3f, says %.3f ± %.3f", name, n, share, level, slack)
			}
		}
	}
}

func TestIntervalWords(t *testing.T) {
	i := Interval{Value: 1.23456, Lo: 1, Hi: 2, N: 6, Level: 0.96875}
	if got := i.String(); got != "1.235 [1, 2] (n=6, 96.9 %)" {
		t.Error(got)
	}
	for _, c := range []struct {
		lo, hi float64
		want   bool
	}{{2.1, 3, true}, {2, 3, false}, {0, 0.9, true}, {0, 1, false}, {1.2, 1.3, false}} {
		j := Interval{Lo: c.lo, Hi: c.hi}
		if i.Separate(j) != c.want || j.Separate(i) != c.want {
			t.Errorf("[1, 2] and [%g, %g]: separate must be %v", c.lo, c.hi, c.want)
		}
	}
}
