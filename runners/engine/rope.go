package engine

import "github.com/seed-c6f48606/harness/kernels"

// rope holds the rotations of the positions met so far.
type rope struct {
	headDim  int
	theta    float64
	n        int       // positions known
	cos, sin []float32 // [n][headDim/2]
}

// reach makes positions below n known.
func (r *rope) reach(n int) {
	if n <= r.n {
		return
	}
	half := r.headDim / 2
	to := max(n, 2*r.n, 256)
	r.cos, r.sin = enlarge(r.cos, to*half)[:to*half], enlarge(r.sin, to*half)[:to*half]
	for pos := r.n; pos < to; pos++ {
		cos, sin := r.at(pos)
		kernels.RopeTable(pos, r.headDim, r.theta, cos, sin)
	}
	r.n = to
}

// at returns the cosines and sines of a known position.
func (r *rope) at(pos int) (cos, sin []float32) {
	half := r.headDim / 2
	return r.cos[pos*half:][:half], r.sin[pos*half:][:half]
}
