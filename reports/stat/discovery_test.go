package stat

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// By hand; the first is the example of R's p.adjust with "BH" and "BY".
func TestFalseDiscovery(t *testing.T) {
	p := []float64{0.01, 0.04, 0.03, 0.005}
	for name, c := range map[string]struct{ got, want []float64 }{
		"BH":      {BenjaminiHochberg(p), []float64{0.02, 0.04, 0.04, 0.02}},
		"BY":      {BenjaminiYekutieli(p), []float64{0.02 * 25 / 12, 0.04 * 25 / 12, 0.04 * 25 / 12, 0.02 * 25 / 12}},
		"BH none": {BenjaminiHochberg(nil), []float64{}},
		"BH one":  {BenjaminiHochberg([]float64{0.3}), []float64{0.3}},
		"BY caps": {BenjaminiYekutieli([]float64{0.9, 0.9}), []float64{1, 1}},
	} {
		if diff := cmp.Diff(c.want, c.got, close9); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Of what a sweep calls changed at q = 10 %, at most a tenth may be nothing: with
// shared noise for BY, without for BH.
func TestFalseDiscoveryRate(t *testing.T) {
	const runs, metrics, real = 1500, 60, 12
	rng := rand.New(rand.NewPCG(7, 7))
	var independent, shared, found float64
	for range runs {
		common := rng.NormFloat64()
		for _, rho := range []float64{0, 0.5} {
			p := make([]float64, metrics)
			for i := range p {
				z := math.Sqrt(rho)*common + math.Sqrt(1-rho)*rng.NormFloat64()
				if i%2 == 1 { // negative dependence
					z -= 2 * math.Sqrt(rho) * common
				}
				if i < real {
					z += 3.5
				}
				p[i] = math.Erfc(math.Abs(z) / math.Sqrt2)
			}
			adjusted := BenjaminiHochberg(p)
			if rho > 0 {
				adjusted = BenjaminiYekutieli(p)
			}
			wrong, all := 0.0, 0.0
			for i, q := range adjusted {
				if q <= 0.1 {
					all++
					if i >= real {
						wrong++
					}
				}
			}
			if rho > 0 {
				shared += wrong / max(1, all) / runs
			} else {
				independent += wrong / max(1, all) / runs
				found += (all - wrong) / real / runs
			}
		}
	}
	if independent > 0.1 || independent < 0.05 || shared > 0.1 || found < 0.6 {
		t.Errorf("false discoveries: %.3f independent, %.3f dependent; %.2f of the real ones found", independent, shared, found)
	}
}
