package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkMul multiplies one row (decode), a small batch and a prompt, with
// weights in the cache and in memory, on one and on two threads.
func BenchmarkMul(b *testing.B) {
	shapes := []struct{ rows, cols, n int }{
		{262144, 1024, 1}, {3072, 1024, 16}, {3072, 1024, 128}, {1024, 3072, 128},
	}
	benchTiers(b, func(b *testing.B) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, threads := range []int{1, 2} {
			p := NewPool(threads)
			defer p.Close()
			for _, s := range shapes {
				x, y := random(r, s.n*s.cols), make([]float32, s.n*s.rows)
				macs := float64(s.rows) * float64(s.cols) * float64(s.n)
				name := fmt.Sprintf("%dx%d/n=%d/threads=%d", s.rows, s.cols, s.n, threads)
				dense := func(kind string, m denseMatrix) {
					b.Run(kind+"/"+name, func(b *testing.B) {
						for b.Loop() {
							m.Mul(p, y, s.rows, x, s.cols, s.n)
						}
						reportRate(b, "GFLOPS", macs, float64(m.Bytes()))
					})
				}
				w := random(r, s.rows*s.cols)
				dense("f32", PackF32(w, s.rows, s.cols))
				half := make([]uint16, len(w))
				for i, v := range w {
					half[i] = F32ToBF16(v)
				}
				dense("bf16", PackBF16(half, s.rows, s.cols))
				for _, c := range []struct{ bits, group int }{{8, 32}, {4, 32}, {6, 16}, {2, 32}} {
					ic := newIntCase(r, c.bits, s.rows, s.cols, c.group)
					m := PackInt(c.bits, ic.q, ic.scale, s.rows, s.cols, c.group)
					JoinPages()
					var a Acts
					b.Run(fmt.Sprintf("int%d-group%d/%s", c.bits, c.group, name), func(b *testing.B) {
						for b.Loop() {
							a.Quantize(p, x, s.cols, s.n, s.cols)
							m.Mul(p, y, s.rows, &a, s.n)
						}
						reportRate(b, "GOPS", macs, float64(m.Bytes()))
					})
				}
			}
		}
	})
}

// BenchmarkSetRows packs rows as a model is loaded: half of the time to the
// first token.
func BenchmarkSetRows(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, bits := range []int{8, 6, 4} {
		b.Run(fmt.Sprintf("%d bits", bits), func(b *testing.B) {
			c := newIntCase(r, bits, 512, 1024, 32)
			m := NewInt(bits, c.rows, c.cols, c.group, false)
			for b.Loop() {
				m.SetRows(0, c.q, c.scale, nil)
			}
			reportRate(b, "GOPS", 0, float64(m.Bytes()))
		})
	}
}
