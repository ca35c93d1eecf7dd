package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchTiers runs f under every tier but plain Go, which the engine uses only
// where there is nothing else.
func benchTiers(b *testing.B, f func(b *testing.B)) {
	for _, tier := range Available() {
		if tier == Generic && len(Available()) > 1 {
			continue
		}
		b.Run(tier.String(), func(b *testing.B) {
			restore, err := Force(tier)
			if err != nil {
				b.Fatal(err)
			}
			defer restore()
			f(b)
		})
	}
}

// reportRate prints operations (two per multiply-accumulate) and bytes of
// weights per second.
func reportRate(b *testing.B, unit string, macs, bytes float64) {
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(2*macs/seconds/1e9, unit)
	if bytes > 0 {
		b.ReportMetric(bytes/seconds/1e9, "GB/s")
	}
}

func BenchmarkGemm(b *testing.B) {
	shapes := []struct {
		name           string
		transA, transB bool
		m, n, k        int
	}{
		{"forward", false, true, 400, 768, 256},
		{"input-gradient", false, false, 400, 256, 768},
		{"weight-gradient", true, false, 768, 256, 400},
		{"both", true, true, 400, 256, 256},
		{"forward", false, true, 400, 256, 256},
		{"forward", false, true, 400, 4096, 256},
		{"input-gradient", false, false, 400, 256, 4096},
		{"scores", false, true, 20, 20, 64},
		{"square", false, false, 1024, 1024, 1024},
	}
	benchTiers(b, func(b *testing.B) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, s := range shapes {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", s.name, s.m, s.n, s.k), func(b *testing.B) {
				x, y, c := random(r, s.m*s.k), random(r, s.n*s.k), make([]float32, s.m*s.n)
				lda, ldb := s.k, s.n
				if s.transA {
					lda = s.m
				}
				if s.transB {
					ldb = s.k
				}
				for b.Loop() {
					Gemm(s.transA, s.transB, s.m, s.n, s.k, 1, x, lda, y, ldb, 0, c, s.n)
				}
				reportRate(b, "GFLOPS", float64(s.m)*float64(s.n)*float64(s.k), 0)
			})
		}
	})
}
