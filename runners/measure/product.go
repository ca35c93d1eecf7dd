package measure

import (
	"context"
	"time"

	"github.com/seed-c6f48606/harness/kernels"
)

// The product that is measured: weights of 8 bits with a scale for 32, as many
// tokens as a short prompt has: 0.6 MiB of weights, activations and outputs.
const (
	productRows, productCols = 512, 512
	productGroup             = 32
	productTokens            = 128
	oneF16                   = 0x3c00
)

// measureProduct repeats a matrix product of the tier on all threads. Nothing
// else may use the kernels meanwhile: the tier is forced.
func measureProduct(ctx context.Context, pool *kernels.Pool, tier kernels.Tier, effort Effort) (Rate, error) {
	if tier != kernels.Active() {
		restore, err := kernels.Force(tier)
		if err != nil {
			return Rate{}, err
		}
		defer restore()
	}
	q, scale := make([]int8, productRows*productCols), make([]uint16, productRows*productCols/productGroup)
	x, y := make([]float32, productTokens*productCols), make([]float32, productTokens*productRows)
	for i := range q {
		q[i] = int8(i % 255)
	}
	for i := range scale {
		scale[i] = oneF16
	}
	for i := range x {
		x[i] = float32(i%31) - 15
	}
	m := kernels.PackInt(8, q, scale, productRows, productCols, productGroup)
	var a kernels.Acts
	a.Quantize(pool, x, productCols, productTokens, productCols)

	const ops = 2 * productRows * productCols * productTokens
	pass := func() float64 {
		began, n := time.Now(), 0
		for n == 0 || time.Since(began) < effort.Pass {
			m.Mul(pool, y, productRows, &a, productTokens)
			n++
		}
		return float64(n) * ops / float64(time.Since(began).Nanoseconds())
	}
	pass() // caches and the other threads warm up
	return repeated(ctx, effort.Passes, pass)
}
