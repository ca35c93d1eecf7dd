package model

import "github.com/seed-c6f48606/harness/kernels"

// Dense returns the Rows·Cols values in float32, row-major: dequantized, or
// multiplied out when factored. A float32 matrix returns its own storage, which
// the caller must not change. It panics where a stored matrix cannot be read;
// Stored.Floats and Materialize return that error.
func (m *Matrix) Dense() []float32 {
	switch m.Kind() {
	case KindF32:
		return m.F32
	case KindBF16:
		out := make([]float32, len(m.BF16))
		for i, h := range m.BF16 {
			out[i] = kernels.BF16ToF32(h)
		}
		return out
	case KindInt:
		return m.dequantize()
	case KindFactored:
		return multiply(m.B.Dense(), m.A.Dense(), m.Rows, m.A.Rows, m.Cols)
	case KindStored:
		out := make([]float32, m.Rows*m.Cols)
		m.mustFloats(0, m.Rows, out)
		return out
	}
	return nil
}

// Row writes row i, Cols values, into dst. It is how an embedding is looked
// up; a factored matrix multiplies the row out. Like Dense it panics where a
// stored matrix cannot be read.
func (m *Matrix) Row(dst []float32, i int) {
	dst = dst[:m.Cols]
	lo := i * m.Cols
	switch m.Kind() {
	case KindF32:
		copy(dst, m.F32[lo:lo+m.Cols])
	case KindBF16:
		for j, h := range m.BF16[lo : lo+m.Cols] {
			dst[j] = kernels.BF16ToF32(h)
		}
	case KindInt:
		m.dequantizeRow(dst, i)
	case KindFactored:
		r := m.Rank()
		b, a := make([]float32, r), make([]float32, m.Cols)
		m.B.Row(b, i)
		clear(dst)
		for k, v := range b {
			m.A.Row(a, k)
			for j := range dst {
				dst[j] += v * a[j]
			}
		}
	case KindStored:
		m.mustFloats(i, 1, dst)
	}
}

func (m *Matrix) mustFloats(from, n int, dst []float32) {
	if err := m.Stored.Floats(from, n, dst); err != nil {
		panic(err)
	}
}

func (m *Matrix) dequantize() []float32 {
	out := make([]float32, m.Rows*m.Cols)
	for i := range m.Rows {
		m.dequantizeRow(out[i*m.Cols:(i+1)*m.Cols], i)
	}
	return out
}

func (m *Matrix) dequantizeRow(dst []float32, i int) {
	q := m.Q[i*m.Cols : (i+1)*m.Cols]
	scales := m.Scale[i*m.Groups():]
	for g := 0; g*m.Group < m.Cols; g++ {
		s := kernels.F16ToF32(scales[g])
		for j := g * m.Group; j < min((g+1)*m.Group, m.Cols); j++ {
			dst[j] = s * float32(q[j])
		}
	}
}

// multiply returns b (m×k) times a (k×n).
func multiply(b, a []float32, m, k, n int) []float32 {
	out := make([]float32, m*n)
	for i := range m {
		row := out[i*n : (i+1)*n]
		for l, v := range b[i*k : (i+1)*k] {
			for j, w := range a[l*n : (l+1)*n] {
				row[j] += v * w
			}
		}
	}
	return out
}
