package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Two planes of activations must come much closer than one: attention keys
// depend on it.
func TestQuantizeRest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n, cols, rows = 11, 75, 19
	x := make([]float32, n*cols)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	q := make([]int8, rows*cols)
	for i := range q {
		q[i] = int8(rng.IntN(255) - 127)
	}
	scale := make([]uint16, rows*3)
	for i := range scale {
		scale[i] = F32ToF16(0.01)
	}
	m := PackInt(8, q, scale, rows, cols, 32)
	for _, tier := range Available() {
		restore, err := Force(tier)
		if err != nil {
			t.Fatal(err)
		}
		p := NewPool(2)
		var one, rest Acts
		one.Quantize(p, x, cols, n, cols)
		rest.QuantizeRest(p, &one, x, cols, n, cols)
		coarse, fine := make([]float32, n*rows), make([]float32, n*rows)
		m.Mul(p, coarse, rows, &one, n)
		m.Mul(p, fine, rows, &rest, n)
		p.Close()
		restore()
		var errCoarse, errFine float64
		for tok := range n {
			for r := range rows {
				var want float64
				for c := range cols {
					want += float64(x[tok*cols+c]) * float64(q[r*cols+c]) * float64(F16ToF32(scale[0]))
				}
				got := float64(coarse[tok*rows+r])
				errCoarse = max(errCoarse, math.Abs(got-want))
				errFine = max(errFine, math.Abs(got+float64(fine[tok*rows+r])-want))
			}
		}
		if errFine > errCoarse/50 {
			t.Errorf("%s: two planes err by %.2g, one by %.2g", tier, errFine, errCoarse)
		}
	}
}
