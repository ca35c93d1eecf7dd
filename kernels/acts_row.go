package kernels

import "fmt"

// Resize makes room for n tokens of cols values, which Set then writes.
func (a *Acts) Resize(n, cols int) {
	if n < 1 || cols < 1 {
		panic(fmt.Sprintf("kernels: Resize to %d tokens of %d values", n, cols))
	}
	a.grow(n, cols)
}

// Set quantizes x as token t, see Quantize. Different tokens may be set at the
// same time, none after a product until Resize has been called anew.
func (a *Acts) Set(t int, x []float32) {
	a.checkRow(t, x)
	a.quantizePart(Active(), t, 0, x)
}

// ActBlock is the number of values of a token that Acts rounds together.
const ActBlock = blockSize

// SetPart quantizes x, whole blocks or the last values, as token t's values from
// column from on, see Set. Different parts may be set at the same time.
func (a *Acts) SetPart(t, from int, x []float32) {
	to := from + len(x)
	if t < 0 || t >= a.n || from < 0 || to > a.cols || from%ActBlock != 0 || to%ActBlock != 0 && to != a.cols {
		panic(fmt.Sprintf("kernels: values %d to %d of token %d in activations of %d x %d", from, to, t, a.n, a.cols))
	}
	a.quantizePart(Active(), t, from, x)
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
