//go:build !noasm

package kernels

// The assembly takes lengths that are positive multiples of 4 values, of 8 for
// rotateNEON.

//go:noescape
func dotNEON(a, b *float32, n int) float32

//go:noescape
func axpyNEON(alpha float32, x, y *float32, n int)

//go:noescape
func scaleMulNEON(dst, x, gain *float32, s float32, n int)

//go:noescape
func scaleNEON(dst, x *float32, s float32, n int)

//go:noescape
func maximumNEON(x *float32, n int) float32

//go:noescape
func expSubNEON(x *float32, m float32, n int) float32

//go:noescape
func swigluNEON(dst, gate, up *float32, n, rows, ld int)

//go:noescape
func rotateNEON(x, cos, sin *float32, n int)

//go:noescape
func interleave4NEON(dst *float32, width int, src *float32, ld, n int)

// vectorLanes is the number of f32 values in a vector of the tier.
func vectorLanes(tier Tier) int {
	if tier == NEON {
		return 4
	}
	return 1
}

func dotVector(_ Tier, a, b *float32, n int) float32 { return dotNEON(a, b, n) }

func axpyVector(_ Tier, alpha float32, x, y *float32, n int) { axpyNEON(alpha, x, y, n) }

func scaleMulVector(_ Tier, dst, x, gain *float32, s float32, n int) {
	scaleMulNEON(dst, x, gain, s, n)
}

func scaleVector(_ Tier, dst, x *float32, s float32, n int) { scaleNEON(dst, x, s, n) }

func maximumVector(_ Tier, x *float32, n int) float32 { return maximumNEON(x, n) }

func expVector(_ Tier, _ bool, x *float32, m float32, n int) float32 { return expSubNEON(x, m, n) }

func swigluVector(_ Tier, dst, gate, up *float32, n, rows, ld int) {
	swigluNEON(dst, gate, up, n, rows, ld)
}

// rotateLanes is the number of values that rotateVector turns at a time.
const rotateLanes = 8

func rotateVector(x, cos, sin *float32, n int) { rotateNEON(x, cos, sin, n) }

func interleave4(dst *float32, width int, src *float32, ld, n int) {
	interleave4NEON(dst, width, src, ld, n)
}
