package kernels

import "fmt"

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
