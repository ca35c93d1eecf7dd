package kernels

import (
	"fmt"
	"math"
)

// RMSNorm writes x[i] / sqrt(mean(x²)+eps) * gain[i] to dst, which may be x
// (Zhang and Sennrich, 2019). The slices have equal lengths.
func RMSNorm(dst, x, gain []float32, eps float32) {
	if len(dst) != len(x) || len(gain) != len(x) {
		panic(fmt.Sprintf("kernels: RMSNorm of %d values into %d with %d gains", len(x), len(dst), len(gain)))
	}
	if len(x) == 0 {
		return
	}
	mean := float64(dot(x, x)) / float64(len(x))
	scaleMul(dst, x, gain, float32(1/math.Sqrt(mean+float64(eps))))
}

// scaleMulGeneric sets dst[i] = x[i]*s*gain[i].
func scaleMulGeneric(dst, x, gain []float32, s float32) {
	dst, gain = dst[:len(x)], gain[:len(x)]
	for i, v := range x {
		dst[i] = v * s * gain[i]
	}
}
