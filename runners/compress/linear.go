package compress

import (
	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// linear is a weight matrix packed for products: floating point, integer, or
// two factors. Integer weights meet int8 activations, as in the engine.
type linear struct {
	rows, cols int
	float      floatMatrix
	ints       *kernels.IntMatrix
	b, a       *linear
}

type floatMatrix interface {
	Mul(p *kernels.Pool, y []float32, ldy int, x []float32, ldx, n int)
}

// pack prepares m; nil stays nil.
func pack(m *model.Matrix) *linear {
	if m == nil {
		return nil
	}
	l := &linear{rows: m.Rows, cols: m.Cols}
	switch {
	case m.B != nil:
		l.b, l.a = pack(m.B), pack(m.A)
	case m.BF16 != nil:
		l.float = kernels.PackBF16(m.BF16, m.Rows, m.Cols)
	case m.Q != nil && m.Group%32 == 0:
		l.ints = kernels.PackInt(m.Bits, m.Q, m.Scale, m.Rows, m.Cols, m.Group)
	default:
		l.float = kernels.PackF32(m.Dense(), m.Rows, m.Cols)
	}
	return l
}

// apply returns X·Wᵀ (n×rows) for x (n×cols).
func (l *linear) apply(p *kernels.Pool, x []float32, n int) []float32 {
	if l.b != nil {
		return l.b.apply(p, l.a.apply(p, x, n), n)
	}
	y := make([]float32, n*l.rows)
	if l.ints != nil {
		var acts kernels.Acts
		acts.Quantize(p, x, l.cols, n, l.cols)
		l.ints.Mul(p, y, l.rows, &acts, n)
		return y
	}
	l.float.Mul(p, y, l.rows, x, l.cols, n)
	return y
}

// takeRows returns a matrix of the rows ids of m; bfloat16 stays so, other
// storage becomes float32.
func takeRows(m *model.Matrix, ids []int) *model.Matrix {
	out := &model.Matrix{Rows: len(ids), Cols: m.Cols}
	if m.BF16 != nil {
		out.BF16 = make([]uint16, 0, len(ids)*m.Cols)
		for _, i := range ids {
			out.BF16 = append(out.BF16, m.BF16[i*m.Cols:(i+1)*m.Cols]...)
		}
		return out
	}
	dense := m.Dense()
	out.F32 = make([]float32, 0, len(ids)*m.Cols)
	for _, i := range ids {
		out.F32 = append(out.F32, dense[i*m.Cols:(i+1)*m.Cols]...)
	}
	return out
}

// takeCols is takeRows for columns; the result is float32.
func takeCols(m *model.Matrix, ids []int) *model.Matrix {
	return &model.Matrix{Rows: m.Rows, Cols: len(ids), F32: columns(m.Dense(), m.Rows, m.Cols, ids)}
}

// bfloat stores w (rows×cols) in bfloat16.
func bfloat(w []float32, rows, cols int) *model.Matrix {
	m := &model.Matrix{Rows: rows, Cols: cols, BF16: make([]uint16, len(w))}
	for i, v := range w {
		m.BF16[i] = kernels.F32ToBF16(v)
	}
	return m
}
