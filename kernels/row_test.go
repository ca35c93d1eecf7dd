package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// rowMatrix is what an embedding or a restricted head needs of a matrix.
type rowMatrix interface {
	Cols() int
	Row(dst []float32, i int)
}

// TestRowsAndSelection guards embeddings that are looked up in packed weights,
// and logits of some labels only: rows must be those that were packed.
func TestRowsAndSelection(t *testing.T) {
	const rows, cols = 37, 70
	rng := rand.New(rand.NewPCG(1, 2))
	wide, short := make([]float32, rows*cols), make([]uint16, rows*cols)
	for i := range wide {
		short[i] = F32ToBF16(float32(rng.NormFloat64()))
		wide[i] = BF16ToF32(short[i])
	}
	pick := []int32{36, 0, 17, 16, 15, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 35}
	check := func(name string, m, some rowMatrix, want func(i int) []float32) {
		t.Helper()
		got := make([]float32, cols)
		for i := range rows {
			if m.Row(got, i); !slices.Equal(got, want(i)) {
				t.Errorf("%s: row %d differs from what was packed", name, i)
			}
		}
		for i, r := range pick {
			if some.Row(got, i); !slices.Equal(got, want(int(r))) {
				t.Errorf("%s: row %d is not row %d of the whole", name, i, r)
			}
		}
	}
	of := func(i int) []float32 { return wide[i*cols:][:cols] }
	f, b := PackF32(wide, rows, cols), PackBF16(short, rows, cols)
	check("f32", f, f.Select(pick), of)
	check("bf16", b, b.Select(pick), of)
	for bits := 2; bits <= 8; bits++ {
		for _, mins := range []bool{false, bits <= 4} {
			group := 32
			if bits == 6 {
				group = 16
			}
			groups := (cols + group - 1) / group
			q, scale, low := make([]int8, rows*cols), make([]uint16, rows*groups), make([]uint16, rows*groups)
			for i := range q {
				q[i] = int8(rng.IntN(1<<bits) - 1<<(bits-1))
			}
			for i := range scale {
				scale[i], low[i] = F32ToF16(rng.Float32()), F32ToF16(rng.Float32())
			}
			if !mins {
				low = nil
			}
			m := NewInt(bits, rows, cols, group, mins)
			m.SetRows(0, q, scale, low)
			check("integers", m, m.Select(pick), func(i int) []float32 {
				out := make([]float32, cols)
				for k := range out {
					g := i*groups + k/group
					out[k] = float32(q[i*cols+k]) * F16ToF32(scale[g])
					if mins {
						out[k] += F16ToF32(low[g])
					}
				}
				return out
			})
		}
	}
}

// TestSetActs guards rows that are quantized where they are made, one by one or some
// at a time, whole or by parts.
func TestSetActs(t *testing.T) {
	const n, cols = 11, 77
	rng := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, n*cols)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	var want, wantRest, got, gotRest Acts
	want.Quantize(nil, x, cols, n, cols)
	wantRest.QuantizeRest(nil, &want, x, cols, n, cols)
	got.Resize(n, cols)
	gotRest.Resize(n, cols)
	for _, tok := range rng.Perm(n) {
		got.SetPart(tok, 1, 0, cols, x[tok*cols:], cols)
		gotRest.SetRest(tok, x[tok*cols:][:cols], &got)
	}
	for _, pair := range [][2]*Acts{{&got, &want}, {&gotRest, &wantRest}} {
		if !slices.Equal(pair[0].q, pair[1].q) || !slices.Equal(pair[0].scale, pair[1].scale) || !slices.Equal(pair[0].corr, pair[1].corr) {
			t.Error("rows set one by one differ from Quantize")
		}
	}
}
