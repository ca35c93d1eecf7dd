package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestGemmAgainstNaive(t *testing.T) {
	shapes := []struct{ m, n, k int }{
		{1, 1, 1},
		{1, 17, 5},
		{13, 31, 7},
		{12, 32, 8},
		{25, 33, 257},
		{5, 100, 300},
		{29, 530, 64},
		{970, 20, 19},
		{3, 7, 520},
		{11, 48, 40},
		{7, 16, 33},
		{23, 65, 129},
	}
	scales := []struct{ alpha, beta float32 }{{1, 0}, {1, 1}, {-0.5, 0.25}, {0, 2}}
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, s := range shapes {
			for form := range 4 {
				for _, f := range scales {
					checkGemm(t, r, form&1 != 0, form&2 != 0, s.m, s.n, s.k, f.alpha, f.beta)
				}
			}
		}
		checkGemm(t, r, false, false, 4, 5, 0, 1, 0.5)
	})
}

func checkGemm(t *testing.T, r *rand.Rand, transA, transB bool, m, n, k int, alpha, beta float32) {
	t.Helper()
	name := fmt.Sprintf("A'=%v B'=%v %dx%dx%d alpha %v beta %v", transA, transB, m, n, k, alpha, beta)
	lda, ldb, ldc := k+3, n+1, n+2
	sizeA, sizeB := m*lda, k*ldb
	if transA {
		lda = m + 2
		sizeA = k * lda
	}
	if transB {
		ldb = k + 1
		sizeB = n * ldb
	}
	a, b := random(r, sizeA), random(r, sizeB)
	c, check := guarded(r, (m-1)*ldc+n)
	if beta == 0 {
		for i := range m {
			c[i*ldc] = float32(math.NaN()) // must not be read
		}
	}
	before := append([]float32(nil), c...)
	Gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	check(t)
	for i := range m {
		for j := range n {
			var sum, size float64
			for l := range k {
				av, bv := i*lda+l, l*ldb+j
				if transA {
					av = l*lda + i
				}
				if transB {
					bv = j*ldb + l
				}
				p := float64(alpha) * float64(a[av]) * float64(b[bv])
				sum += p
				size += math.Abs(p)
			}
			if beta != 0 {
				p := float64(beta) * float64(before[i*ldc+j])
				sum += p
				size += math.Abs(p)
			}
			near(t, fmt.Sprintf("%s: C[%d,%d]", name, i, j), c[i*ldc+j], sum, size, 1e-6)
		}
		for j := n; j < ldc && i < m-1; j++ {
			if c[i*ldc+j] != before[i*ldc+j] {
				t.Fatalf("%s: wrote between rows, at [%d,%d]", name, i, j)
			}
		}
	}
}

func TestGemmFromManyGoroutines(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const m, n, k = 37, 65, 90
	a, b := random(r, m*k), random(r, k*n)
	want := make([]float32, m*n)
	Gemm(false, false, m, n, k, 1, a, k, b, n, 0, want, n)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c := make([]float32, m*n)
			for range 20 {
				Gemm(false, false, m, n, k, 1, a, k, b, n, 0, c, n)
			}
			for i := range c {
				if c[i] != want[i] {
					t.Errorf("concurrent products differ at %d: %v, want %v", i, c[i], want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestGemmDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	const m, n, k = 20, 40, 30
	a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
	if got := testing.AllocsPerRun(20, func() { Gemm(false, true, m, n, k, 1, a, k, b, k, 0, c, n) }); got != 0 {
		t.Errorf("Gemm allocates %v times a call", got)
	}
}
