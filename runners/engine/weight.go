package engine

import (
	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// weight is a matrix of Rows outputs by Cols inputs in whatever form it is
// stored. The graph knows nothing else of it.
type weight interface {
	Rows() int
	Cols() int
	Bytes() int64 // memory held
	MACs() uint64 // multiply-accumulates for one row of input
	// mul writes in.n rows of Rows values to y, one after the other.
	mul(p *kernels.Pool, y []float32, in *input)
}

// input is what weights read: n rows of cols values, contiguous, and the same
// rows as int8 once a weight has asked for them. Several weights that read the
// same rows share one quantization.
type input struct {
	x       []float32
	n, cols int

	acts, rest       kernels.Acts
	quantized, twice bool
	addend           []float32 // product with the rest

	inner  *input // the middle product of a factored weight
	memory []float32
}

func (in *input) set(x []float32, n, cols int) {
	in.x, in.n, in.cols, in.quantized, in.twice = x[:n*cols], n, cols, false, false
}

// int8 returns the rows quantized by block of 32, computing them once.
func (in *input) int8(p *kernels.Pool) *kernels.Acts {
	if !in.quantized {
		in.acts.Quantize(p, in.x, in.cols, in.n, in.cols)
		in.quantized = true
	}
	return &in.acts
}

// int8rest returns what int8 leaves of the rows, quantized once more.
func (in *input) int8rest(p *kernels.Pool) *kernels.Acts {
	if !in.twice {
		in.rest.QuantizeRest(p, in.int8(p), in.x, in.cols, in.n, in.cols)
		in.twice = true
	}
	return &in.rest
}

// middle returns an input of n rows of cols values to be filled by the caller.
func (in *input) middle(n, cols int) *input {
	if in.inner == nil {
		in.inner = new(input)
	}
	in.inner.memory = grow(in.inner.memory, n*cols)
	in.inner.set(in.inner.memory, n, cols)
	return in.inner
}

// floatMatrix is a packed kernels matrix that reads f32 activations.
type floatMatrix interface {
	Rows() int
	Cols() int
	Bytes() int64
	Mul(p *kernels.Pool, y []float32, ldy int, x []float32, ldx, n int)
}

// dense is a weight of f32 or bf16 values.
type dense struct{ floatMatrix }

func (w dense) MACs() uint64 { return uint64(w.Rows()) * uint64(w.Cols()) }

func (w dense) mul(p *kernels.Pool, y []float32, in *input) {
	w.Mul(p, y, w.Rows(), in.x, in.cols, in.n)
}

// integer is a weight of 2 to 8 bit integers.
type integer struct{ *kernels.IntMatrix }

func (w integer) MACs() uint64 { return uint64(w.Rows()) * uint64(w.Cols()) }

func (w integer) mul(p *kernels.Pool, y []float32, in *input) {
	w.Mul(p, y, w.Rows(), in.int8(p), in.n)
}

// fine is an integer weight that reads its activations in two int8 planes,
// about 15 bits, at twice the work. Keys and values take it: with grouped
// queries they are a fiftieth of a block's products, every query head reads
// them, and an error in a key moves the weights of all later tokens.
type fine struct{ *kernels.IntMatrix }

func (w fine) MACs() uint64 { return 2 * uint64(w.Rows()) * uint64(w.Cols()) }

func (w fine) mul(p *kernels.Pool, y []float32, in *input) {
	n := in.n * w.Rows()
	w.Mul(p, y, w.Rows(), in.int8(p), in.n)
	in.addend = grow(in.addend, n)
	w.Mul(p, in.addend, w.Rows(), in.int8rest(p), in.n)
	kernels.Axpy(1, in.addend[:n], y[:n])
}

// refined returns w reading finer activations if it is an integer weight.
func refined(w weight) weight {
	if w, ok := w.(integer); ok {
		return fine(w)
	}
	return w
}

// factored is W = B·A: the input meets A, its product meets B.
type factored struct{ b, a weight }

func (w factored) Rows() int    { return w.b.Rows() }
func (w factored) Cols() int    { return w.a.Cols() }
func (w factored) Bytes() int64 { return w.b.Bytes() + w.a.Bytes() }
func (w factored) MACs() uint64 { return w.b.MACs() + w.a.MACs() }

func (w factored) mul(p *kernels.Pool, y []float32, in *input) {
	mid := in.middle(in.n, w.a.Rows())
	w.a.mul(p, mid.x, in)
	w.b.mul(p, y, mid)
}

// pack lays a stored matrix out for the kernels. With exact set every value is
// widened to f32 first.
func pack(m *model.Matrix, exact bool) weight {
	switch {
	case m.B != nil:
		return factored{pack(m.B, exact), pack(m.A, exact)}
	case m.F32 != nil:
		return dense{kernels.PackF32(m.F32, m.Rows, m.Cols)}
	case m.BF16 != nil && !exact:
		return dense{kernels.PackBF16(m.BF16, m.Rows, m.Cols)}
	case m.Q != nil && !exact:
		return integer{kernels.PackInt(m.Bits, m.Q, m.Scale, m.Rows, m.Cols, m.Group)}
	}
	return dense{kernels.PackF32(m.Dense(), m.Rows, m.Cols)}
}

// grow returns a slice of n elements that reuses s's memory if it is large
// enough. The contents are undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
