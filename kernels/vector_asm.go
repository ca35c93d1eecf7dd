//go:build !noasm && (amd64 || arm64)

package kernels

import "math"

// maxLanes is the widest vector of any tier, in f32 values.
const maxLanes = 16

func dot(a, b []float32) float32 {
	tier := floatTier()
	n := len(a) &^ (vectorLanes(tier) - 1)
	if tier == Generic || n == 0 {
		return dotGeneric(a, b)
	}
	sum := dotVector(tier, &a[0], &b[0], n)
	for i := n; i < len(a); i++ {
		sum += a[i] * b[i]
	}
	return sum
}

func axpy(alpha float32, x, y []float32) {
	tier := floatTier()
	n := len(x) &^ (vectorLanes(tier) - 1)
	if tier != Generic && n > 0 {
		axpyVector(tier, alpha, &x[0], &y[0], n)
		x, y = x[n:], y[n:]
	}
	axpyGeneric(alpha, x, y)
}

func scaleMul(dst, x, gain []float32, s float32) {
	tier := floatTier()
	n := len(x) &^ (vectorLanes(tier) - 1)
	if tier != Generic && n > 0 {
		scaleMulVector(tier, &dst[0], &x[0], &gain[0], s, n)
		dst, x, gain = dst[n:], x[n:], gain[n:]
	}
	scaleMulGeneric(dst, x, gain, s)
}

// scaleTo writes x*s to dst, of the same length.
func scaleTo(dst, x []float32, s float32) {
	tier := floatTier()
	n := len(x) &^ (vectorLanes(tier) - 1)
	if tier != Generic && n > 0 {
		_ = dst[n-1]
		scaleVector(tier, &dst[0], &x[0], s, n)
		dst, x = dst[n:], x[n:]
	}
	scaleGeneric(dst, x, s)
}

func maximum(x []float32) float32 {
	tier := floatTier()
	n := len(x) &^ (vectorLanes(tier) - 1)
	if tier == Generic || n == 0 {
		return maximumGeneric(x)
	}
	m := maximumVector(tier, &x[0], n)
	if n < len(x) {
		m = max(m, maximumGeneric(x[n:]))
	}
	return m
}

// expSub replaces x[i] by exp(x[i]-m) and returns the sum.
func expSub(x []float32, m float32) float32 { return exponentials(floatTier(), false, x, m) }

// weigh is expSub for m no less than any x[i], which may be quicker.
func weigh(tier Tier, x []float32, m float32) float32 { return exponentials(tier, true, x, m) }

// exponentials is expSub or weigh. A rest shorter than a vector is filled up
// with -Inf, whose exponential is 0.
func exponentials(tier Tier, below bool, x []float32, m float32) float32 {
	if tier == Generic {
		return expSubGeneric(x, m)
	}
	lanes := vectorLanes(tier)
	n := len(x) &^ (lanes - 1)
	var sum float32
	if n > 0 {
		sum = expVector(tier, below, &x[0], m, n)
	}
	if n < len(x) {
		var rest [maxLanes]float32
		for i := range rest {
			rest[i] = float32(math.Inf(-1))
		}
		copy(rest[:], x[n:])
		sum += expVector(tier, below, &rest[0], m, lanes)
		copy(x[n:], rest[:])
	}
	return sum
}

func swiglu(dst, gate, up []float32, ld, rows, cols int) {
	tier := floatTier()
	if tier == Generic {
		swigluGeneric(dst, gate, up, ld, rows, cols)
		return
	}
	lanes := vectorLanes(tier)
	n := cols &^ (lanes - 1)
	if n > 0 {
		swigluVector(tier, &dst[0], &gate[0], &up[0], n, rows, ld)
	}
	for r := 0; n < cols && r < rows; r++ {
		var g, u [maxLanes]float32
		copy(g[:], gate[r*ld:][n:cols])
		copy(u[:], up[r*ld:][n:cols])
		swigluVector(tier, &g[0], &g[0], &u[0], lanes, 1, lanes)
		copy(dst[r*ld:][n:cols], g[:])
	}
}

func rotate(x, cos, sin []float32) {
	n := len(x) &^ (rotateLanes - 1)
	if floatTier() != Generic && n > 0 {
		rotateVector(&x[0], &cos[0], &sin[0], n)
		x, cos, sin = x[n:], cos[n/2:], sin[n/2:]
	}
	rotateGeneric(x, cos, sin)
}
