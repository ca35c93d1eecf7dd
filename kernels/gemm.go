package kernels

import (
	"fmt"
	"sync"
)

// Blocking of Gemm in the manner of BLIS (Van Zee and van de Geijn, 2015): a
// strip of A (blockK x a few rows) stays in the first level cache, a block of B
// (blockK x blockN) in the second.
const (
	blockM = 960 // a multiple of every tier's strip width
	blockK = 256
	blockN = 512
)

// gemmBuffer holds the packed blocks of one call in flight.
type gemmBuffer struct{ a, b []float32 }

var gemmBuffers = sync.Pool{New: func() any {
	return &gemmBuffer{a: alignedFloats(blockM * blockK), b: alignedFloats(blockK * blockN)}
}}

// Gemm computes C = alpha*op(A)*op(B) + beta*C on row-major f32 matrices. op(A)
// is m x k: A itself with rows lda apart, or, if transA, the transpose of the
// k x m matrix A. Likewise op(B) is k x n. C is m x n with rows ldc apart; it
// must not overlap A or B and is not read if beta is 0. Gemm runs on the
// caller's goroutine; any number may call it at once.
func Gemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkMatrix("C", m, n, ldc, len(c))
	if m == 0 || n == 0 {
		return
	}
	if k == 0 || alpha == 0 {
		scaleRows(m, n, beta, c, ldc)
		return
	}
	if transA {
		checkMatrix("A", k, m, lda, len(a))
	} else {
		checkMatrix("A", m, k, lda, len(a))
	}
	if transB {
		checkMatrix("B", n, k, ldb, len(b))
	} else {
		checkMatrix("B", k, n, ldb, len(b))
	}
	if beta != 0 && beta != 1 {
		scaleRows(m, n, beta, c, ldc)
	}
	tier := floatTier()
	width := stripWidth(tier)
	buf := gemmBuffers.Get().(*gemmBuffer)
	for i0 := 0; i0 < m; i0 += blockM {
		mc := min(blockM, m-i0)
		for k0 := 0; k0 < k; k0 += blockK {
			kc := min(blockK, k-k0)
			accumulate := k0 > 0 || beta != 0
			packStrips(buf.a, transA, a, lda, i0, mc, k0, kc, width, alpha)
			for j0 := 0; j0 < n; j0 += blockN {
				nc := min(blockN, n-j0)
				packPanels(buf.b, transB, b, ldb, j0, nc, k0, kc)
				for i := 0; i < mc; i += width {
					w := min(width, mc-i)
					multiplyStrip(tier, kc, buf.a[i*kc:], w, buf.b, c[(i0+i)*ldc+j0:], ldc, nc, accumulate)
				}
			}
		}
	}
	gemmBuffers.Put(buf)
}

func checkMatrix(name string, rows, cols, ld, length int) {
	if rows < 0 || cols < 0 || ld < cols || rows > 0 && cols > 0 && length < (rows-1)*ld+cols {
		panic(fmt.Sprintf("kernels: matrix %s of %d x %d with stride %d does not fit %d values", name, rows, cols, ld, length))
	}
}

func scaleRows(m, n int, beta float32, c []float32, ldc int) {
	for i := range m {
		row := c[i*ldc:][:n]
		if beta == 0 {
			clear(row)
		} else if beta != 1 {
			scale(row, beta)
		}
	}
}
