//go:build !noasm

package kernels

import "math"

// The assembly takes lengths that are positive multiples of its vectors.

//go:noescape
func weighAVX512(x *float32, m float32, n int) float32

//go:noescape
func weighAVX2(x *float32, m float32, n int) float32

// weigh replaces x by exp(x[i]-m), m being no less than any, and returns the sum.
func weigh(tier Tier, x []float32, m float32) float32 {
	if tier == Generic {
		return expSubGeneric(x, m)
	}
	lanes := vectorLanes(tier)
	n := len(x) &^ (lanes - 1)
	var sum float32
	if n > 0 {
		sum = weighVector(tier, &x[0], m, n)
	}
	if n < len(x) {
		var rest [maxLanes]float32
		for i := range rest {
			rest[i] = float32(math.Inf(-1))
		}
		copy(rest[:], x[n:])
		sum += weighVector(tier, &rest[0], m, lanes)
		copy(x[n:], rest[:])
	}
	return sum
}

func weighVector(tier Tier, x *float32, m float32, n int) float32 {
	if tier == AVX512 {
		return weighAVX512(x, m, n)
	}
	return weighAVX2(x, m, n)
}
