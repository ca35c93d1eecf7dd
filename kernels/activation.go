package kernels

import "fmt"

// SwiGLU writes silu(gate[i])*up[i] to dst, which may be gate or up; silu(v) =
// v/(1+exp(-v)) (Shazeer, 2020). The slices have equal lengths.
func SwiGLU(dst, gate, up []float32) {
	if len(dst) != len(gate) || len(up) != len(gate) {
		panic(fmt.Sprintf("kernels: SwiGLU of %d gates and %d values into %d", len(gate), len(up), len(dst)))
	}
	if len(gate) > 0 {
		swiglu(dst, gate, up)
	}
}

// Softmax replaces x by exp(x[i]-max)/sum. Values of -Inf become 0; at least
// one value must be finite.
func Softmax(x []float32) {
	if len(x) == 0 {
		return
	}
	sum := expSub(x, maximum(x))
	scale(x, 1/sum)
}
