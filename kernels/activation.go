package kernels

import "fmt"

// SwiGLU writes silu(gate[i])*up[i] to dst, which may be gate or up; silu(v) =
// v/(1+exp(-v)) (Shazeer, 2020). The slices have equal lengths.
func SwiGLU(dst, gate, up []float32) {
	if len(dst) != len(gate) || len(up) != len(gate) {
		panic(fmt.Sprintf("kernels: SwiGLU of %d gates and %d values into %d", len(gate), len(up), len(dst)))
	}
	SwiGLURows(dst, gate, up, len(gate), 1, len(gate))
}

// SwiGLURows is SwiGLU for cols values of each of some rows that are ld apart.
func SwiGLURows(dst, gate, up []float32, ld, rows, cols int) {
	checkMatrix("dst", rows, cols, ld, len(dst))
	checkMatrix("gate", rows, cols, ld, len(gate))
	checkMatrix("up", rows, cols, ld, len(up))
	if rows > 0 && cols > 0 {
		swiglu(dst, gate, up, ld, rows, cols)
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
