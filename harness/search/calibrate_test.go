package search

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Shares that are worth another probability must be told as that, and a few cells must
// not make a certainty of a chance.
func TestTheCurveOfShares(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	truth := curve{0.8, 0.7}
	var shares []float64
	var on []bool
	for range 4000 {
		s := rng.Float64()
		shares, on = append(shares, s), append(on, rng.Float64() < truth.at(s))
	}
	c := fitCurve(shares, on)
	for _, s := range []float64{0.02, 0.2, 0.5, 0.9} {
		if got, want := c.at(s), truth.at(s); math.Abs(got-want) > 0.03 {
			t.Errorf("a share of %g is told as %.3f, it is worth %.3f", s, got, want)
		}
	}
	if c := fitCurve(nil, nil); c != (curve{0, 1}) {
		t.Errorf("of nothing the curve is %+v", c)
	}
	few := fitCurve([]float64{0.3, 0.4, 0.9}, []bool{true, true, true})
	if p := few.at(0.5); p < 0.5 || p > 0.75 {
		t.Errorf("three cells make 0.5 a %.3f", p)
	}
	if got := fitCurve([]float64{0.1, 0.9, 0.2, 0.8}, []bool{true, false, true, false}); !(got.b > 0) {
		t.Errorf("the order is turned: %+v", got)
	}
}
