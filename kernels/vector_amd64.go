//go:build !noasm

package kernels

// The assembly takes lengths that are positive multiples of its vectors: 16
// values for AVX-512, 8 for AVX2.

//go:noescape
func dotAVX512(a, b *float32, n int) float32

//go:noescape
func dotAVX2(a, b *float32, n int) float32

//go:noescape
func axpyAVX512(alpha float32, x, y *float32, n int)

//go:noescape
func axpyAVX2(alpha float32, x, y *float32, n int)

//go:noescape
func scaleMulAVX512(dst, x, gain *float32, s float32, n int)

//go:noescape
func scaleMulAVX2(dst, x, gain *float32, s float32, n int)

//go:noescape
func scaleAVX512(dst, x *float32, s float32, n int)

//go:noescape
func scaleAVX2(dst, x *float32, s float32, n int)

//go:noescape
func maximumAVX512(x *float32, n int) float32

//go:noescape
func maximumAVX2(x *float32, n int) float32

//go:noescape
func expSubAVX512(x *float32, m float32, n int) float32

//go:noescape
func expSubAVX2(x *float32, m float32, n int) float32

//go:noescape
func swigluAVX512(dst, gate, up *float32, n, rows, ld int)

//go:noescape
func swigluAVX2(dst, gate, up *float32, n, rows, ld int)

//go:noescape
func rotateAVX2(x, cos, sin *float32, n int)

// vectorLanes is the number of f32 values in a vector of the tier.
func vectorLanes(tier Tier) int {
	switch tier {
	case AVX512:
		return 16
	case AVX2:
		return 8
	}
	return 1
}

func dotVector(tier Tier, a, b *float32, n int) float32 {
	if tier == AVX512 {
		return dotAVX512(a, b, n)
	}
	return dotAVX2(a, b, n)
}

func axpyVector(tier Tier, alpha float32, x, y *float32, n int) {
	if tier == AVX512 {
		axpyAVX512(alpha, x, y, n)
		return
	}
	axpyAVX2(alpha, x, y, n)
}

func scaleMulVector(tier Tier, dst, x, gain *float32, s float32, n int) {
	if tier == AVX512 {
		scaleMulAVX512(dst, x, gain, s, n)
		return
	}
	scaleMulAVX2(dst, x, gain, s, n)
}

func scaleVector(tier Tier, dst, x *float32, s float32, n int) {
	if tier == AVX512 {
		scaleAVX512(dst, x, s, n)
		return
	}
	scaleAVX2(dst, x, s, n)
}

func maximumVector(tier Tier, x *float32, n int) float32 {
	if tier == AVX512 {
		return maximumAVX512(x, n)
	}
	return maximumAVX2(x, n)
}

//go:noescape
func weighAVX512(x *float32, m float32, n int) float32

//go:noescape
func weighAVX2(x *float32, m float32, n int) float32

func expVector(tier Tier, below bool, x *float32, m float32, n int) float32 {
	switch {
	case tier == AVX512 && below:
		return weighAVX512(x, m, n)
	case tier == AVX512:
		return expSubAVX512(x, m, n)
	case below:
		return weighAVX2(x, m, n)
	}
	return expSubAVX2(x, m, n)
}

func swigluVector(tier Tier, dst, gate, up *float32, n, rows, ld int) {
	if tier == AVX512 {
		swigluAVX512(dst, gate, up, n, rows, ld)
		return
	}
	swigluAVX2(dst, gate, up, n, rows, ld)
}

// rotateLanes is the number of values that rotateVector turns at a time.
const rotateLanes = 8

func rotateVector(x, cos, sin *float32, n int) { rotateAVX2(x, cos, sin, n) }
