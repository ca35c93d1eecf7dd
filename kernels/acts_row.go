package kernels

import "fmt"

// Resize makes room for n tokens of cols values, which SetPart or SetRest then write.
func (a *Acts) Resize(n, cols int) {
	if n < 1 || cols < 1 {
		panic(fmt.Sprintf("kernels: Resize to %d tokens of %d values", n, cols))
	}
	a.grow(n, cols)
}

// ActBlock is the number of values of a token that Acts rounds together, ActTile that
// of tokens, from a multiple of it on, which are quantized fastest together and which
// no two workers should write at the same time: their blocks share cache lines.
const (
	ActBlock = blockSize
	ActTile  = actTile
)

// SetPart quantizes cols values, whole blocks or the last ones, from column from on of
// n tokens from t on, see Quantize; the first token's are x[:cols], the next's ldx
// further. Different parts may be set at the same time, none after a product until
// Resize has been called anew.
func (a *Acts) SetPart(t, n, from, cols int, x []float32, ldx int) {
	to := from + cols
	if t < 0 || n < 1 || t+n > a.n || from < 0 || cols < 1 || to > a.cols || from%ActBlock != 0 || to%ActBlock != 0 && to != a.cols {
		panic(fmt.Sprintf("kernels: values %d to %d of tokens %d to %d in activations of %d x %d", from, to, t, t+n, a.n, a.cols))
	}
	checkMatrix("x", n, cols, ldx, len(x))
	a.quantizePart(Active(), t, n, from, cols, x, ldx)
}

// SetRest quantizes what token t of of leaves of x, see QuantizeRest.
func (a *Acts) SetRest(t int, x []float32, of *Acts) {
	a.checkRow(t, x)
	of.checkRow(t, x)
	if of.n != a.n {
		panic(fmt.Sprintf("kernels: SetRest of %d tokens on a quantization of %d", a.n, of.n))
	}
	a.quantizeRest(Active(), t, x, of)
}

func (a *Acts) checkRow(t int, x []float32) {
	if t < 0 || t >= a.n || len(x) != a.cols {
		panic(fmt.Sprintf("kernels: token %d of %d values in activations of %d x %d", t, len(x), a.n, a.cols))
	}
}
