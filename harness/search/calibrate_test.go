package search

import (
	"math"
	"math/rand/v2"
	"testing"
)

// fitCurve is the most likely curve, by Newton's method.
func fitCurve(shares []float64, on []bool) curve {
	c := curve{0, 1}
	for range 20 {
		// The gradient and the curvature of the log likelihood.
		var ga, gb, haa, hab, hbb float64
		for i, s := range shares {
			x := logOdds(s)
			p := c.of(x)
			left := -p
			if on[i] {
				left++
			}
			w := p * (1 - p)
			ga, gb = ga+left, gb+left*x
			haa, hab, hbb = haa+w, hab+w*x, hbb+w*x*x
		}
		det := haa*hbb - hab*hab
		c.a += (hbb*ga - hab*gb) / det
		c.b += (haa*gb - hab*ga) / det
	}
	return c
}

// The curve that shares are corrected by must be the one that the data have.
func TestFitCurve(t *testing.T) {
	want := curve{0.4, 0.8}
	rng := rand.New(rand.NewPCG(1, 2))
	var shares []float64
	var on []bool
	for range 20000 {
		s := rng.Float64()
		shares, on = append(shares, s), append(on, rng.Float64() < want.at(s))
	}
	if c := fitCurve(shares, on); math.Abs(c.a-want.a) > 0.05 || math.Abs(c.b-want.b) > 0.05 {
		t.Errorf("fitted %+v, want %+v", c, want)
	}
}
