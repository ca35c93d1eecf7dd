package engine

import "github.com/seed-c6f48606/harness/kernels"

// weight is a matrix of Rows outputs by Cols inputs in whatever form it is
// stored: *dense, *integer or *factored. The graph knows nothing else of it.
type weight interface {
	Rows() int
	Cols() int
	Bytes() int64  // memory held
	MACs() uint64  // multiply-accumulates for one row of input
	reads() planes // the forms of the input that it multiplies
	keep(rows []int32) weight
	// row writes output i's weights to dst: a row of an embedding.
	row(dst []float32, i int)
}

// floatMatrix is a packed kernels matrix that reads f32 activations.
type floatMatrix interface {
	Rows() int
	Cols() int
	Bytes() int64
	Row(dst []float32, i int)
	Mul(p *kernels.Pool, y []float32, ldy int, x []float32, ldx, n int)
}

// dense is a weight of f32 or bf16 values.
type dense struct{ floatMatrix }

func (w *dense) MACs() uint64             { return uint64(w.Rows()) * uint64(w.Cols()) }
func (w *dense) reads() planes            { return 0 }
func (w *dense) row(dst []float32, i int) { w.Row(dst, i) }

func (w *dense) keep(rows []int32) weight {
	if m, ok := w.floatMatrix.(*kernels.BF16Matrix); ok {
		return &dense{m.Select(rows)}
	}
	return &dense{w.floatMatrix.(*kernels.F32Matrix).Select(rows)}
}

// integer is a weight of 2 to 8 bit integers. A fine one reads its activations
// in two int8 planes, about 15 bits, at twice the work. Keys and values do: with
// grouped queries they are a fiftieth of a block's products, every query head
// reads them, and an error in a key moves the weights of all later tokens.
type integer struct {
	*kernels.IntMatrix
	fine bool
}

func (w *integer) MACs() uint64 {
	n := uint64(w.Rows()) * uint64(w.Cols())
	if w.fine {
		n *= 2
	}
	return n
}

func (w *integer) reads() planes {
	if w.fine {
		return planeInt8 | planeRest
	}
	return planeInt8
}

func (w *integer) row(dst []float32, i int) { w.Row(dst, i) }
func (w *integer) keep(rows []int32) weight { return &integer{w.Select(rows), w.fine} }

// factored is W = B·A: the input meets A, its product meets B.
type factored struct {
	b, a       weight
	coef, line []float32 // of row
}

func (w *factored) Rows() int     { return w.b.Rows() }
func (w *factored) Cols() int     { return w.a.Cols() }
func (w *factored) Bytes() int64  { return w.b.Bytes() + w.a.Bytes() }
func (w *factored) MACs() uint64  { return w.b.MACs() + w.a.MACs() }
func (w *factored) reads() planes { return w.a.reads() }

// parts reports whether the first product is quantized by parts, as they are there: a
// second plane would need whole rows.
func (w *factored) parts() bool {
	_, ok := w.a.(*integer)
	return ok && w.b.reads() == planeInt8
}

func (w *factored) keep(rows []int32) weight { return &factored{b: w.b.keep(rows), a: w.a} }

// row multiplies one row of B by A.
func (w *factored) row(dst []float32, i int) {
	w.coef, w.line = grow(w.coef, w.a.Rows()), grow(w.line, w.a.Cols())
	w.b.row(w.coef, i)
	clear(dst)
	for r, c := range w.coef {
		w.a.row(w.line, r)
		kernels.Axpy(c, w.line, dst)
	}
}

// grow returns a slice of n elements that reuses s's memory if it is large
// enough. The contents are undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
