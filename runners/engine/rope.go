package engine

import (
	"math"
	"slices"
)

// rope holds the rotations of the positions met so far (see kernels.RopeTable).
type rope struct {
	speed    []float64 // of each pair of channels, radians a position
	n        int       // positions known
	cos, sin []float32 // [n][headDim/2]
}

func newRope(headDim int, theta float64) rope {
	r := rope{speed: make([]float64, headDim/2)}
	for i := range r.speed {
		r.speed[i] = math.Pow(theta, -2*float64(i)/float64(headDim))
	}
	return r
}

// reach makes positions below n known.
func (r *rope) reach(n int) {
	if n <= r.n {
		return
	}
	half := len(r.speed)
	to := max(n, r.n+r.n/2, 256)
	r.cos = slices.Grow(r.cos, to*half-len(r.cos))[:to*half]
	r.sin = slices.Grow(r.sin, to*half-len(r.sin))[:to*half]
	for pos := r.n; pos < to; pos++ {
		for i, speed := range r.speed {
			s, c := math.Sincos(float64(pos) * speed)
			r.cos[pos*half+i], r.sin[pos*half+i] = float32(c), float32(s)
		}
	}
	r.n = to
}

// at returns the cosines and sines of n known positions.
func (r *rope) at(pos, n int) (cos, sin []float32) {
	half := len(r.speed)
	return r.cos[pos*half:][:n*half], r.sin[pos*half:][:n*half]
}
