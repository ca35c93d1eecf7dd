package compress

import (
	"errors"

	"gonum.org/v1/gonum/mat"
)

// errSingular means that a damped covariance still had no Cholesky factor.
var errSingular = errors.New("covariance of the calibration activations is singular")

// symmetric widens h (n×n) into float64 with λ = damp·mean(diagonal) added to
// the diagonal, and returns λ. A zero h becomes the identity.
func symmetric(h []float32, n int, damp float64) (*mat.SymDense, float64) {
	s := mat.NewSymDense(n, nil)
	var trace float64
	for i := range n {
		trace += float64(h[i*n+i])
	}
	lambda := damp * trace / float64(n)
	if trace == 0 {
		lambda = 1
	}
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, float64(h[i*n+j]))
		}
		s.SetSym(i, i, s.At(i, i)+lambda)
	}
	return s, lambda
}

// cholesky factors the damped h (n×n), raising the damping tenfold up to three
// times where it does not suffice.
func cholesky(h []float32, n int, damp float64) (*mat.Cholesky, error) {
	for range 4 {
		s, _ := symmetric(h, n, damp)
		var c mat.Cholesky
		if c.Factorize(s) {
			return &c, nil
		}
		damp *= 10
	}
	return nil, errSingular
}

// solveRight returns R·H⁻¹ (m×n) for r (m×n) and a factored symmetric H (n×n).
func solveRight(c *mat.Cholesky, r []float32, m, n int) ([]float32, error) {
	rhs := mat.NewDense(n, m, nil)
	raw := rhs.RawMatrix().Data
	for i := range m {
		for j := range n {
			raw[j*m+i] = float64(r[i*n+j])
		}
	}
	var z mat.Dense
	if err := c.SolveTo(&z, rhs); err != nil {
		var ill mat.Condition
		if !errors.As(err, &ill) {
			return nil, err
		}
	}
	out := make([]float32, m*n)
	for i := range m {
		for j := range n {
			out[i*n+j] = float32(z.At(j, i))
		}
	}
	return out, nil
}

// repairDamp is λ of the least-squares repair relative to the mean diagonal.
const repairDamp = 0.01

// repair refits w (m×n) so that W·x meets target, rows of x being rows×n and
// of target rows×m: W* = W + (target − XWᵀ)ᵀX (XᵀX + λI)⁻¹. The damping pulls
// towards w, not towards zero, so that nothing changes where nothing is wrong.
func repair(threads int, w []float32, m, n int, x, target []float32, rows int) ([]float32, error) {
	e := product(threads, x, w, rows, n, m, true)
	for i, t := range target[:rows*m] {
		e[i] = t - e[i]
	}
	r := crossGram(threads, e, m, x, n, rows)
	c, err := cholesky(gram(threads, x, rows, n), n, repairDamp)
	if err != nil {
		return nil, err
	}
	d, err := solveRight(c, r, m, n)
	if err != nil {
		return nil, err
	}
	for i, v := range w {
		d[i] += v
	}
	return d, nil
}
