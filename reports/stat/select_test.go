package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A report of millions of samples must show the very figures that sorting gives,
// also where samples are equal, in order already or made to be slow.
func TestQuantilesAreThoseOfSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cases := map[string][]float64{
		"none": nil, "one": {3}, "two": {2, 1}, "equal": slices.Repeat([]float64{7}, 100),
		"few values": nil, "sorted": nil, "backwards": nil, "organ pipe": nil, "random": nil,
	}
	for i := range 1000 {
		x := float64(i)
		cases["few values"] = append(cases["few values"], float64(r.IntN(3)))
		cases["sorted"] = append(cases["sorted"], x)
		cases["backwards"] = append(cases["backwards"], -x)
		cases["organ pipe"] = append(cases["organ pipe"], min(x, 1000-x))
		cases["random"] = append(cases["random"], math.Exp(r.NormFloat64()))
	}
	for n := range 60 {
		var xs []float64
		for range n {
			xs = append(xs, float64(r.IntN(20)))
		}
		cases[string(rune('A'+n))] = xs
	}
	ps := []float64{0.5, 0.9, 0.99, 0, 1, 0.123, -1, 2, math.NaN()}
	for name, xs := range cases {
		before := slices.Sorted(slices.Values(xs))
		got := Quantiles(slices.Clone(xs), ps...)
		for i, p := range ps {
			if want := Quantile(xs, p); math.Float64bits(got[i]) != math.Float64bits(want) {
				t.Errorf("%s: quantile %g is %g, sorted %g", name, p, got[i], want)
			}
		}
		same := slices.Clone(xs)
		Quantiles(same, ps...)
		slices.Sort(same)
		if !slices.Equal(before, same) {
			t.Errorf("%s: the samples changed", name)
		}
	}
}

// Numbers that are none must end the selection too.
func TestQuantilesOfNaN(t *testing.T) {
	for n := range 40 {
		xs := make([]float64, n+1)
		for i := range xs {
			xs[i] = float64(i * 7 % 11)
		}
		xs[n/2] = math.NaN()
		Quantiles(xs, 0.5, 0.99)
	}
}

func BenchmarkQuantiles(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	xs := make([]float64, 10_000)
	for i := range xs {
		xs[i] = math.Exp(r.NormFloat64())
	}
	buf := make([]float64, len(xs))
	for b.Loop() {
		copy(buf, xs)
		Quantiles(buf, 0.5, 0.9, 0.99)
	}
}
