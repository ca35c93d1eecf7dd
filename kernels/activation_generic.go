package kernels

import "math"

// expf is the exponential of the assembly in plain Go: 2^n * p(r) with
// r = x - n*ln2 in two parts and the polynomial of Cephes' expf. The relative
// error is below 2e-7; below expMin the result is 0.
func expf(x float32) float32 {
	if x < expMin {
		return 0
	}
	if x > expMax {
		x = expMax
	}
	n := float32(math.RoundToEven(float64(x * log2e)))
	r := x - n*ln2Hi
	r -= n * ln2Lo
	p := float32(expC5)
	p = p*r + expC4
	p = p*r + expC3
	p = p*r + expC2
	p = p*r + expC1
	p = p*r + expC0
	p = p*r*r + r + 1
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}

const (
	expMin = -87.3
	expMax = 88
	log2e  = 1.44269504088896341
	ln2Hi  = 0.693359375
	ln2Lo  = -2.12194440e-4
	expC5  = 1.9875691500e-4
	expC4  = 1.3981999507e-3
	expC3  = 8.3334519073e-3
	expC2  = 4.1665795894e-2
	expC1  = 1.6666665459e-1
	expC0  = 5.0000001201e-1
)

func swigluGeneric(dst, gate, up []float32, ld, rows, cols int) {
	for r := range rows {
		out, u := dst[r*ld:][:cols], up[r*ld:][:cols]
		for i, g := range gate[r*ld:][:cols] {
			out[i] = g / (1 + expf(-g)) * u[i]
		}
	}
}

func maximumGeneric(x []float32) float32 {
	m := x[0]
	for _, v := range x[1:] {
		if v > m {
			m = v
		}
	}
	return m
}

// expSubGeneric replaces x[i] by exp(x[i]-m) and returns the sum.
func expSubGeneric(x []float32, m float32) float32 {
	var sum float32
	for i, v := range x {
		e := expf(v - m)
		x[i] = e
		sum += e
	}
	return sum
}

func scaleGeneric(dst, x []float32, s float32) {
	for i, v := range x {
		dst[i] = v * s
	}
}

func scale(x []float32, s float32) { scaleTo(x, x, s) }
