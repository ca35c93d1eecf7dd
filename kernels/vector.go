package kernels

import "fmt"

// Dot returns the sum of a[i]*b[i]. The slices have equal lengths.
func Dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("kernels: Dot of %d and %d values", len(a), len(b)))
	}
	if len(a) == 0 {
		return 0
	}
	return dot(a, b)
}

// Axpy adds alpha*x[i] to y[i]. The slices have equal lengths.
func Axpy(alpha float32, x, y []float32) {
	if len(x) != len(y) {
		panic(fmt.Sprintf("kernels: Axpy of %d on %d values", len(x), len(y)))
	}
	if len(x) > 0 {
		axpy(alpha, x, y)
	}
}
