package train

import (
	"math"

	"github.com/seed-c6f48606/harness/kernels"
)

// Float is the arithmetic a network runs in: float32 to train, float64 to
// check gradients.
type Float interface{ float32 | float64 }

// arithmetic holds the inner loops of one number type.
type arithmetic[T Float] struct {
	// gemm is C = alpha·op(A)·op(B) + beta·C, row major, as kernels.Gemm.
	gemm    func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	dot     func(a, b []T) T
	axpy    func(alpha T, x, y []T)
	softmax func(x []T)
	// swiglu writes y = g·σ(g)·u and sig = σ(g).
	swiglu func(y, sig, g, u []T)
}

// arithmeticOf picks the kernels for float32 and plain loops for float64.
func arithmeticOf[T Float]() arithmetic[T] {
	var fast any = arithmetic[float32]{
		gemm: kernels.Gemm, dot: kernels.Dot, axpy: kernels.Axpy, softmax: kernels.Softmax, swiglu: swigluFast,
	}
	if a, ok := fast.(arithmetic[T]); ok {
		return a
	}
	return arithmetic[T]{gemm: gemmPlain[T], dot: dotPlain[T], axpy: axpyPlain[T], softmax: softmaxPlain[T], swiglu: swigluPlain[T]}
}

func gemmPlain[T Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	for i := range m {
		for j := range n {
			var sum T
			for p := range k {
				x, y := i*lda+p, p*ldb+j
				if transA {
					x = p*lda + i
				}
				if transB {
					y = j*ldb + p
				}
				sum += a[x] * b[y]
			}
			old := T(0)
			if beta != 0 {
				old = beta * c[i*ldc+j]
			}
			c[i*ldc+j] = alpha*sum + old
		}
	}
}

func dotPlain[T Float](a, b []T) T {
	var sum T
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

func axpyPlain[T Float](alpha T, x, y []T) {
	for i, v := range x {
		y[i] += alpha * v
	}
}

func softmaxPlain[T Float](x []T) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	var sum T
	for i, v := range x {
		x[i] = T(math.Exp(float64(v - top)))
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func swigluPlain[T Float](y, sig, g, u []T) {
	for i, v := range g {
		s := 1 / (1 + T(math.Exp(-float64(v))))
		sig[i], y[i] = s, v*s*u[i]
	}
}

// swigluFast takes σ(g) from the vectorized g·σ(g); where g is too small to
// divide by, from the first terms of its series.
func swigluFast(y, sig, g, u []float32) {
	kernels.SwiGLU(y, g, u)
	kernels.SwiGLU(sig, g, onesFor(len(g)))
	sig = sig[:len(g)]
	for i, v := range g {
		if v > 1e-3 || v < -1e-3 {
			sig[i] /= v
		} else {
			sig[i] = .5 + .25*v
		}
	}
}

var ones = func() []float32 {
	x := make([]float32, 1024)
	for i := range x {
		x[i] = 1
	}
	return x
}()

// onesFor returns n ones.
func onesFor(n int) []float32 {
	if n <= len(ones) {
		return ones[:n]
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
	}
	return x
}
