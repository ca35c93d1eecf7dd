package compress

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-c6f48606/harness/kernels"
)

// scoreDamp is λ of the pruning scores relative to the mean diagonal.
const scoreDamp = 0.01

// removal is one step of taking units out of a block: inputs of its output
// matrix that go together, and the squared output error over the calibration
// tokens that remains after the best repair by the inputs that stay.
type removal struct {
	inputs []int
	loss   float64
}

// surgeon removes inputs of one matrix after the optimal brain surgeon. For a
// set g of inputs the loss is tr(W_g [H⁻¹_gg]⁻¹ W_gᵀ); afterwards
// W −= W_g [H⁻¹_gg]⁻¹ H⁻¹_g: and H⁻¹ −= H⁻¹_:g [H⁻¹_gg]⁻¹ H⁻¹_g:. The order is
// nested: what a higher ratio removes contains what a lower one does.
type surgeon struct {
	n, d  int
	wt    []float32 // n×d, row j the column j of W
	hinv  []float32 // n×n
	alive []int     // input of each row
}

// newSurgeon takes w (d×n) and the covariance h (n×n) of its inputs.
func newSurgeon(w []float32, d, n int, h []float32) (*surgeon, error) {
	c, err := cholesky(h, n, scoreDamp)
	if err != nil {
		return nil, err
	}
	var inv mat.SymDense
	if err := c.InverseTo(&inv); err != nil {
		return nil, err
	}
	s := &surgeon{n: n, d: d, wt: transpose(w, d, n), hinv: make([]float32, n*n), alive: make([]int, n)}
	for i := range n {
		s.alive[i] = i
		for j := range n {
			s.hinv[i*n+j] = float32(inv.At(i, j))
		}
	}
	return s, nil
}

// scores is the loss of removing each row alone.
func (s *surgeon) scores() []float64 {
	out := make([]float64, s.n)
	for j := range out {
		out[j] = energy(s.wt[j*s.d:(j+1)*s.d]) / float64(s.hinv[j*s.n+j])
	}
	return out
}

// solve returns [H⁻¹_gg]⁻¹·W_gᵀ (|g|×d), the loss of removing rows g together,
// and the factored block.
func (s *surgeon) solve(g []int) (*mat.Cholesky, []float32, float64, error) {
	k := len(g)
	block := make([]float32, k*k)
	wg := make([]float32, k*s.d)
	for a, i := range g {
		copy(wg[a*s.d:], s.wt[i*s.d:(i+1)*s.d])
		for b, j := range g {
			block[a*k+b] = s.hinv[i*s.n+j]
		}
	}
	c, err := cholesky(block, k, 1e-9)
	if err != nil {
		return nil, nil, 0, err
	}
	zt, err := solveRight(c, transpose(wg, k, s.d), s.d, k)
	if err != nil {
		return nil, nil, 0, err
	}
	z := transpose(zt, s.d, k)
	var loss float64
	for i, v := range z {
		loss += float64(v) * float64(wg[i])
	}
	return c, z, max(0, loss), nil
}

// remove takes the rows g out for good.
func (s *surgeon) remove(g []int) (removal, error) {
	slices.Sort(g)
	c, z, loss, err := s.solve(g)
	if err != nil {
		return removal{}, err
	}
	r := removal{inputs: make([]int, len(g)), loss: loss}
	gone := make([]bool, s.n)
	for a, i := range g {
		r.inputs[a], gone[i] = s.alive[i], true
	}
	k, n := len(g), s.n
	side := make([]float32, n*k) // H⁻¹_:g
	for i := range n {
		for a, j := range g {
			side[i*k+a] = s.hinv[i*n+j]
		}
	}
	half, err := solveRight(c, side, n, k)
	if err != nil {
		return removal{}, err
	}
	kernels.Gemm(false, false, n, s.d, k, -1, side, k, z, s.d, 1, s.wt, s.d)
	kernels.Gemm(false, true, n, n, k, -1, half, k, side, k, 1, s.hinv, n)
	s.compact(gone)
	return r, nil
}

// compact drops the rows and columns marked gone.
func (s *surgeon) compact(gone []bool) {
	n, to := s.n, 0
	left := n
	for _, g := range gone {
		if g {
			left--
		}
	}
	for i := range n {
		if gone[i] {
			continue
		}
		copy(s.wt[to*s.d:(to+1)*s.d], s.wt[i*s.d:(i+1)*s.d])
		s.alive[to] = s.alive[i]
		col := 0
		for j := range n {
			if !gone[j] {
				s.hinv[to*left+col] = s.hinv[i*n+j]
				col++
			}
		}
		to++
	}
	s.n, s.alive = left, s.alive[:left]
	s.wt, s.hinv = s.wt[:left*s.d], s.hinv[:left*left]
}

// widthStep is what FFN widths are rounded to: the integer kernels' block.
const widthStep = 32

// neuronOrder lists the removals of FFN neurons, inputs of the down projection
// w (d×n), from the cheapest to the last that leaves widthStep of them. The
// first brings the width to a multiple of widthStep.
func neuronOrder(w []float32, d, n int, h []float32) ([]removal, error) {
	if n <= widthStep {
		return nil, nil
	}
	s, err := newSurgeon(w, d, n, h)
	if err != nil {
		return nil, err
	}
	var order []removal
	for s.n > widthStep {
		count := widthStep
		if odd := s.n % widthStep; odd != 0 {
			count = odd
		}
		score := s.scores()
		rows := make([]int, s.n)
		for i := range rows {
			rows[i] = i
		}
		slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
		r, err := s.remove(rows[:count])
		if err != nil {
			return nil, err
		}
		order = append(order, r)
	}
	return order, nil
}

// headOrder lists the removals of query heads, one from every key/value group
// at a time, down to one head a group. w (d×heads·dim) is the output
// projection; heads of a group are neighbours.
func headOrder(w []float32, d, heads, groups, dim int, h []float32) ([]removal, error) {
	each := heads / groups
	if each <= 1 {
		return nil, nil
	}
	s, err := newSurgeon(w, d, heads*dim, h)
	if err != nil {
		return nil, err
	}
	var order []removal
	for ; each > 1; each-- {
		var rows []int
		for g := range groups {
			best, least := -1, 0.0
			for i := range each {
				head := s.headRows(g*each+i, dim)
				_, _, loss, err := s.solve(head)
				if err != nil {
					return nil, err
				}
				if best < 0 || loss < least {
					best, least = i, loss
				}
			}
			rows = append(rows, s.headRows(g*each+best, dim)...)
		}
		r, err := s.remove(rows)
		if err != nil {
			return nil, err
		}
		order = append(order, r)
	}
	return order, nil
}

// headRows lists the rows of the i-th head still there.
func (s *surgeon) headRows(i, dim int) []int {
	rows := make([]int, dim)
	for j := range rows {
		rows[j] = i*dim + j
	}
	return rows
}
