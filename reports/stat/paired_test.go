package stat

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Published values; a wrong p ships the worse model or holds back the better.
func TestMcNemarExact(t *testing.T) {
	for _, c := range []struct {
		b, c int
		want float64
	}{
		{0, 0, 1},
		{1, 0, 1},
		{5, 5, 1},
		{1, 9, 0.021484375},
		{9, 1, 0.021484375},
		{0, 5, 0.0625},
		{0, 6, 0.03125},
		{2, 8, 0.109375},
		{10, 25, 0.0166738478},
		{0, 60, math.Pow(2, -59)},
		{-1, 3, nan},
		{3, -1, nan},
	} {
		if got := McNemarExact(c.b, c.c); !cmp.Equal(c.want, got, cmpopts.EquateApprox(1e-7, 0), cmpopts.EquateNaNs()) {
			t.Errorf("b=%d, c=%d: p = %.9g, want %.9g", c.b, c.c, got, c.want)
		}
	}
}

// exact is the p-value in whole numbers.
func exact(b, c int) float64 {
	sum := new(big.Int)
	for k := range min(b, c) + 1 {
		sum.Add(sum, new(big.Int).Binomial(int64(b+c), int64(k)))
	}
	p := new(big.Rat).SetFrac(sum.Lsh(sum, 1), new(big.Int).Lsh(big.NewInt(1), uint(b+c)))
	f, _ := p.Float64()
	return min(1, f)
}

func FuzzMcNemarExact(f *testing.F) {
	f.Add(uint16(1), uint16(9))
	f.Add(uint16(100), uint16(101))
	f.Add(uint16(300), uint16(900))
	f.Fuzz(func(t *testing.T, b, c uint16) {
		b, c = b%1000, c%1000
		got, want := McNemarExact(int(b), int(c)), exact(int(b), int(c))
		if math.Abs(got-want) > 1e-9*want+1e-300 {
			t.Errorf("b=%d, c=%d: p = %.12g, exactly %.12g", b, c, got, want)
		}
	})
}

func TestHolm(t *testing.T) {
	for name, c := range map[string]struct{ p, want []float64 }{
		"none":               {nil, []float64{}},
		"one":                {[]float64{0.04}, []float64{0.04}},
		"Holm's own order":   {[]float64{0.01, 0.02, 0.03}, []float64{0.03, 0.04, 0.04}},
		"unsorted":           {[]float64{0.04, 0.01, 0.03, 0.005}, []float64{0.06, 0.03, 0.06, 0.02}},
		"never above 1":      {[]float64{0.5, 0.9, 1}, []float64{1, 1, 1}},
		"ties are alike":     {[]float64{0.02, 0.02}, []float64{0.04, 0.04}},
		"smaller is no more": {[]float64{0.01, 0.011}, []float64{0.02, 0.02}},
	} {
		if diff := cmp.Diff(c.want, Holm(c.p), close9); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Holm keeps the order of the p-values, raises none beyond Bonferroni's and
// lowers none; under no effect it rejects anything in at most α of runs.
func TestHolmKeepsItsPromise(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const runs, alpha = 4000, 0.05
	wrong := 0
	for range runs {
		p := make([]float64, 1+rng.IntN(20))
		for i := range p {
			p[i] = rng.Float64()
		}
		adjusted := Holm(p)
		rejected := false
		for i := range p {
			if adjusted[i] < p[i] || adjusted[i] > min(1, p[i]*float64(len(p)))+1e-12 {
				t.Fatalf("%g of %d became %g", p[i], len(p), adjusted[i])
			}
			for j := range p {
				if p[i] < p[j] && adjusted[i] > adjusted[j] {
					t.Fatalf("%g < %g, but after it %g > %g", p[i], p[j], adjusted[i], adjusted[j])
				}
			}
			rejected = rejected || adjusted[i] <= alpha
		}
		if rejected {
			wrong++
		}
	}
	if limit := alpha*runs + 4*math.Sqrt(alpha*(1-alpha)*runs); float64(wrong) > limit {
		t.Errorf("%d of %d runs without any effect found one; at most %.0f should", wrong, runs, limit)
	}
}
