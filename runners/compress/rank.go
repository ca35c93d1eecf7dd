package compress

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-c6f48606/harness/kernels"
)

// basis holds the principal axes of a matrix's outputs, strongest first: every
// rank is a slice of it.
type basis struct {
	axes  []float32 // k×m, one axis a row
	power []float32 // k, output energy along each
	k, m  int
}

// rankOf is r = ⌊ρ·mn/(m+n)⌋, at least 1: the rank at which both factors hold
// the share ρ of an m×n matrix's parameters.
func rankOf(ratio float64, m, n int) int {
	return max(1, int(ratio*float64(m)*float64(n)/float64(m+n)+1e-9))
}

// whitenDamp keeps the covariance of few or dependent activations invertible.
const whitenDamp = 1e-6

// outputBasis finds the top eigenvectors U of C = W·H·Wᵀ for w (m×n) and the
// covariance of its inputs h (n×n), or of W·Wᵀ where h is nil (plain SVD).
// Then U_r·U_rᵀ·W is the rank-r matrix closest to W in its outputs, the optimum
// of a whitened SVD. Where m > n, C has rank n only, and the eigenvectors V of
// the n×n matrix SᵀWᵀWS, H = SSᵀ, give U = WSV/σ. Enough axes for every ratio
// below 1 are kept.
func outputBasis(w []float32, m, n int, h []float32) (basis, error) {
	k := rankOf(1, m, n)
	if m <= n {
		left := w
		if h != nil {
			left = product(1, w, h, m, n, n, false)
		}
		c := product(1, left, w, m, n, m, true)
		axes, power := topEigen(c, m, k)
		return basis{axes, power, k, m}, nil
	}
	left := w // W·S
	if h != nil {
		c, err := cholesky(h, n, whitenDamp)
		if err != nil {
			return basis{}, err
		}
		var l mat.TriDense
		c.LTo(&l)
		s := make([]float32, n*n)
		for i := range n {
			for j := range i + 1 {
				s[i*n+j] = float32(l.At(i, j))
			}
		}
		left = product(1, w, s, m, n, n, false)
	}
	v, power := topEigen(gram(1, left, m, n), n, k)
	axes := product(1, v, left, k, n, m, true) // rows (WSV)ᵀ, not yet unit
	orthonormal(axes, k, m)
	return basis{axes, power, k, m}, nil
}

// factor slices rank r out: b (m×r) has orthonormal columns, a (r×n) = bᵀ·W.
func (s basis) factor(w []float32, n, r int) (b, a []float32) {
	b = transpose(s.axes[:r*s.m], r, s.m)
	return b, product(1, s.axes[:r*s.m], w, r, s.m, n, false)
}

// wholeEigen is the order up to which the whole spectrum is cheaper to have
// than the top of it.
const wholeEigen = 512

// topEigen returns the k leading eigenvectors of the symmetric positive
// semi-definite c (n×n) as rows and their eigenvalues. The result depends on
// the arguments alone.
func topEigen(c []float32, n, k int) ([]float32, []float32) {
	if n <= wholeEigen {
		return eigenRows(c, n, k)
	}
	// Subspace iteration with oversampling, then Rayleigh–Ritz.
	const over, rounds = 32, 6
	p := min(n, k+over)
	rng := rand.New(rand.NewPCG(uint64(n), uint64(k)))
	q := make([]float32, p*n)
	for i := range q {
		q[i] = float32(rng.NormFloat64())
	}
	for range rounds {
		q = product(1, q, c, p, n, n, false)
		orthonormal(q, p, n)
	}
	qc := product(1, q, c, p, n, n, false)
	z, power := eigenRows(product(1, qc, q, p, n, p, true), p, k)
	return product(1, z, q, k, p, n, false), power
}

// eigenRows is topEigen by a full decomposition.
func eigenRows(c []float32, n, k int) ([]float32, []float32) {
	s, _ := symmetric(c, n, 0)
	var e mat.EigenSym
	if !e.Factorize(s, true) {
		panic("compress: eigenvalues of a finite symmetric matrix did not converge")
	}
	var v mat.Dense
	e.VectorsTo(&v)
	values := e.Values(nil) // ascending
	rows, power := make([]float32, k*n), make([]float32, k)
	for i := range k {
		col := n - 1 - i
		power[i] = float32(max(0, values[col]))
		for j := range n {
			rows[i*n+j] = float32(v.At(j, col))
		}
	}
	return rows, power
}

// orthonormal makes the k rows of q (k×n) orthonormal in their order by two
// passes of Gram–Schmidt. A row that depends on those before it becomes zero.
func orthonormal(q []float32, k, n int) {
	for i := range k {
		row := q[i*n : (i+1)*n]
		before := energy(row)
		for range 2 {
			for j := range i {
				prev := q[j*n : (j+1)*n]
				kernels.Axpy(-kernels.Dot(prev, row), prev, row)
			}
		}
		after := energy(row)
		if after <= 1e-10*before || after == 0 {
			clear(row)
			continue
		}
		inv := float32(1 / math.Sqrt(after))
		for j := range row {
			row[j] *= inv
		}
	}
}
