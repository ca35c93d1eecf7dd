package engine

import (
	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// table looks rows of a stored matrix up, one at a time.
type table interface {
	Bytes() int64
	// row writes row i to dst, which has as many values as the table columns.
	row(dst []float32, i int)
}

// newTable keeps the values in the form they are stored in; integers of up to
// four bits are packed two to a byte.
func newTable(m *model.Matrix) table {
	switch {
	case m.B != nil:
		return &factoredTable{b: newTable(m.B), a: newTable(m.A), coef: make([]float32, m.A.Rows), line: make([]float32, m.A.Cols)}
	case m.F32 != nil:
		return floatTable{m.F32, m.Cols}
	case m.BF16 != nil:
		return bf16Table{m.BF16, m.Cols}
	}
	t := intTable{q: m.Q, scale: m.Scale, cols: m.Cols, group: m.Group}
	if m.Bits <= 4 {
		return nibbleTable{packNibbles(m.Q, m.Rows, m.Cols), t.withoutValues()}
	}
	return t
}

type floatTable struct {
	v    []float32
	cols int
}

func (t floatTable) Bytes() int64             { return int64(len(t.v)) * 4 }
func (t floatTable) row(dst []float32, i int) { copy(dst, t.v[i*t.cols:][:t.cols]) }

type bf16Table struct {
	v    []uint16
	cols int
}

func (t bf16Table) Bytes() int64 { return int64(len(t.v)) * 2 }

func (t bf16Table) row(dst []float32, i int) {
	for j, v := range t.v[i*t.cols:][:t.cols] {
		dst[j] = kernels.BF16ToF32(v)
	}
}

// intTable holds a byte a value and an f16 scale per group of a row.
type intTable struct {
	q           []int8
	scale       []uint16
	cols, group int
}

func (t intTable) withoutValues() intTable { t.q = nil; return t }

func (t intTable) Bytes() int64 { return int64(len(t.q)) + 2*int64(len(t.scale)) }

func (t intTable) row(dst []float32, i int) {
	for j, q := range t.q[i*t.cols:][:t.cols] {
		dst[j] = float32(q)
	}
	t.scaleRow(dst, i)
}

func (t intTable) scaleRow(dst []float32, i int) {
	groups := (t.cols + t.group - 1) / t.group
	for g := range groups {
		s := kernels.F16ToF32(t.scale[i*groups+g])
		part := dst[g*t.group : min((g+1)*t.group, t.cols)]
		for j := range part {
			part[j] *= s
		}
	}
}

// nibbleTable is an intTable with two values to a byte, the first one low, each
// stored plus 8.
type nibbleTable struct {
	packed []byte
	intTable
}

func packNibbles(q []int8, rows, cols int) []byte {
	stride := (cols + 1) / 2
	packed := make([]byte, rows*stride)
	for i := range rows {
		line := packed[i*stride:][:stride]
		for j, v := range q[i*cols:][:cols] {
			line[j/2] |= byte(v+8) & 15 << (4 * (j & 1))
		}
	}
	return packed
}

func (t nibbleTable) Bytes() int64 { return int64(len(t.packed)) + t.intTable.Bytes() }

func (t nibbleTable) row(dst []float32, i int) {
	stride := (t.cols + 1) / 2
	line := t.packed[i*stride:][:stride]
	for j := range t.cols {
		dst[j] = float32(int(line[j/2]>>(4*(j&1))&15) - 8)
	}
	t.scaleRow(dst, i)
}

// factoredTable multiplies one row of B by A.
type factoredTable struct {
	b, a       table
	coef, line []float32
}

func (t *factoredTable) Bytes() int64 { return t.b.Bytes() + t.a.Bytes() }

func (t *factoredTable) row(dst []float32, i int) {
	t.b.row(t.coef, i)
	clear(dst)
	for r, c := range t.coef {
		t.a.row(t.line, r)
		kernels.Axpy(c, t.line, dst)
	}
}
