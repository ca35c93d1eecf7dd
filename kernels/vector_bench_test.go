package kernels

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkVector(b *testing.B) {
	const n = 1024
	r := rand.New(rand.NewPCG(5, 6))
	x, y, z := random(r, n), random(r, n), random(r, n)
	cos, sin := make([]float32, 32), make([]float32, 32)
	RopeTable(7, 64, 10000, cos, sin)
	var a, rest Acts
	a.Quantize(nil, x, n, 1, n)
	functions := []struct {
		name string
		run  func()
	}{
		{"Dot", func() { Dot(x, y) }},
		{"Axpy", func() { Axpy(0.001, x, z) }},
		{"RMSNorm", func() { RMSNorm(z, x, y, 1e-5) }},
		{"SwiGLU", func() { SwiGLU(z, x, y) }},
		{"Softmax", func() { Softmax(z) }},
		{"RoPE", func() { RoPE(z, 64, cos, sin) }},
		{"Quantize", func() { a.Quantize(nil, x, n, 1, n) }},
		{"QuantizeRest", func() { rest.QuantizeRest(nil, &a, x, n, 1, n) }},
	}
	benchTiers(b, func(b *testing.B) {
		for _, f := range functions {
			b.Run(f.name, func(b *testing.B) {
				for b.Loop() {
					f.run()
				}
				b.ReportMetric(n/(b.Elapsed().Seconds()/float64(b.N))/1e9, "Gvalues/s")
			})
		}
	})
}

// nothing is a unit without work: what remains is the cost of the pool.
type nothing struct{}

func (*nothing) Do(_, _ int) {}

func BenchmarkPoolRun(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	var t nothing
	for b.Loop() {
		p.Run(8, &t)
	}
}
