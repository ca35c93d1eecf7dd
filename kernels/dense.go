package kernels

import "fmt"

// F32Matrix is a matrix of rows outputs x cols inputs, packed in panels of 16
// outputs laid out [cols][16] and filled up with zeros. It is read-only.
type F32Matrix struct{ packed[float32] }

// BF16Matrix is an F32Matrix that keeps bfloat16 bits: half the bytes, the
// same f32 arithmetic.
type BF16Matrix struct{ packed[uint16] }

// PackF32 packs the row-major rows x cols matrix w; it keeps no reference to w.
func PackF32(w []float32, rows, cols int) *F32Matrix {
	return &F32Matrix{pack(w, rows, cols)}
}

// PackBF16 packs a row-major rows x cols matrix of bfloat16 bits.
func PackBF16(w []uint16, rows, cols int) *BF16Matrix {
	return &BF16Matrix{pack(w, rows, cols)}
}

// Mul computes y = x * transpose(W) for n rows of x: row t is
// x[t*ldx:][:Cols()] and gives y[t*ldy:][:Rows()]. x and y must not overlap.
func (m *F32Matrix) Mul(p *Pool, y []float32, ldy int, x []float32, ldx, n int) {
	if checkDense(m.rows, m.cols, y, ldy, x, ldx, n) {
		mulDense(p, m, m.rows, m.cols, y, ldy, x, ldx, n)
	}
}

// Mul is like [F32Matrix.Mul].
func (m *BF16Matrix) Mul(p *Pool, y []float32, ldy int, x []float32, ldx, n int) {
	if checkDense(m.rows, m.cols, y, ldy, x, ldx, n) {
		mulDense(p, m, m.rows, m.cols, y, ldy, x, ldx, n)
	}
}

type packed[E element] struct {
	rows, cols int
	panels     []E
}

func pack[E element](w []E, rows, cols int) packed[E] {
	if rows < 1 || cols < 1 || len(w) != rows*cols {
		panic(fmt.Sprintf("kernels: packing %d values as %d x %d", len(w), rows, cols))
	}
	count := (rows + panelRows - 1) / panelRows
	panels := aligned[E](count * panelRows * cols)
	for r := range rows {
		out := panels[r/panelRows*panelRows*cols+r%panelRows:]
		for k, v := range w[r*cols:][:cols] {
			out[k*panelRows] = v
		}
	}
	return packed[E]{rows, cols, panels}
}

// Rows returns the number of outputs.
func (m *packed[E]) Rows() int { return m.rows }

// Cols returns the number of inputs.
func (m *packed[E]) Cols() int { return m.cols }

// Bytes returns the memory held by the packed weights, padding included.
func (m *packed[E]) Bytes() int64 { return sizeBytes(m.panels) }

// mulPanels computes the outputs of panels [lo, hi) for all rows of x, which
// the job holds as strips.
func (m *packed[E]) mulPanels(j *mulJob, lo, hi int) {
	step := tilePanels(j.tier, min(j.n, j.width), hi-lo)
	for p := lo; p < hi; p += step {
		first := p * panelRows
		cols := min(step*panelRows, m.rows-first, (hi-p)*panelRows)
		panels := m.panels[first*m.cols:]
		for t := 0; t < j.n; t += j.width {
			w := min(j.width, j.n-t)
			multiplyStrip(j.tier, m.cols, j.x[t*m.cols:], w, panels, j.y[t*j.ldy+first:], j.ldy, cols, false)
		}
	}
}

func checkDense(rows, cols int, y []float32, ldy int, x []float32, ldx, n int) bool {
	checkMatrix("x", n, cols, ldx, len(x))
	checkMatrix("y", n, rows, ldy, len(y))
	return n > 0
}
