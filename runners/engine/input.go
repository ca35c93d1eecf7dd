package engine

import "github.com/seed-c6f48606/harness/kernels"

// planes are the quantized forms of an input that weights read.
type planes uint8

const (
	planeInt8 planes = 1 << iota // rounded by block of 32
	planeRest                    // what that leaves, rounded likewise
)

// input is what weights read: n rows of cols values, ld from one to the next, and
// the planes of the same rows. Whoever writes a row quantizes it while it is in
// the cache; all weights that read the rows share that.
type input struct {
	x           []float32
	n, cols, ld int
	planes      planes
	acts, rest  kernels.Acts
}

// resize makes room for n rows of cols values, one after the other, and their planes.
func (in *input) resize(n, cols int, p planes) { in.resizeApart(n, cols, cols, p) }

// resizeOutput is resize for the output of a product, see kernels.Out.Roomy. Rows are
// an odd number of cache lines apart: some columns of all rows, which are multiplied,
// activated and quantized one after the other, do not meet in a few sets of the cache.
func (in *input) resizeOutput(n, cols int, p planes) {
	const line = 16
	in.resizeApart(n, cols, kernels.PaddedRows(cols)|line, p)
}

func (in *input) resizeApart(n, cols, ld int, p planes) {
	in.x = grow(in.x, n*ld)
	in.n, in.cols, in.ld, in.planes = n, cols, ld, p
	if p&planeInt8 != 0 {
		in.acts.Resize(n, cols)
	}
	if p&planeRest != 0 {
		in.rest.Resize(n, cols)
	}
}

// row returns row r.
func (in *input) row(r int) []float32 { return in.x[r*in.ld:][:in.cols:in.cols] }

// divisible reports whether so many columns of a row, from a multiple of them on,
// can be quantized on their own.
func (in *input) divisible(n int) bool { return in.planes == planeInt8 && n%kernels.ActBlock == 0 }

// Done quantizes columns [from, to) of all rows.
func (in *input) Done(from, to int) { in.quantizePart(0, in.n, from, to) }

// quantizePart computes the int8 plane of columns [from, to) of n rows from row r on.
func (in *input) quantizePart(r, n, from, to int) {
	in.acts.SetPart(r, n, from, to-from, in.x[r*in.ld+from:], in.ld)
}

// quantize computes the planes of n rows from row r on.
func (in *input) quantize(r, n int) {
	if in.planes&planeInt8 != 0 {
		in.quantizePart(r, n, 0, in.cols)
	}
	if in.planes&planeRest != 0 {
		for i := r; i < r+n; i++ {
			in.rest.SetRest(i, in.row(i), &in.acts)
		}
	}
}
