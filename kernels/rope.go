package kernels

import (
	"fmt"
	"math"
)

// RopeTable writes the cosines and sines of position pos: entry i, of
// headDim/2, belongs to the angle pos * theta^(-2i/headDim) (Su et al., 2021).
func RopeTable(pos, headDim int, theta float64, cos, sin []float32) {
	half := headDim / 2
	if headDim%2 != 0 || len(cos) != half || len(sin) != half {
		panic(fmt.Sprintf("kernels: RopeTable of head size %d into %d cosines and %d sines", headDim, len(cos), len(sin)))
	}
	for i := range half {
		s, c := math.Sincos(float64(pos) * math.Pow(theta, -2*float64(i)/float64(headDim)))
		cos[i], sin[i] = float32(c), float32(s)
	}
}

// RoPE rotates the neighbours (x[2i], x[2i+1]) of every head in x by the angle
// of entry i of cos and sin. x holds any number of heads of headDim values,
// all of one position.
func RoPE(x []float32, headDim int, cos, sin []float32) {
	half := headDim / 2
	if headDim <= 0 || headDim%2 != 0 || len(x)%headDim != 0 || len(cos) != half || len(sin) != half {
		panic(fmt.Sprintf("kernels: RoPE of %d values, head size %d, %d cosines, %d sines", len(x), headDim, len(cos), len(sin)))
	}
	for ; len(x) > 0; x = x[headDim:] {
		rotate(x[:headDim], cos, sin)
	}
}

func rotateGeneric(x, cos, sin []float32) {
	sin = sin[:len(cos)]
	for i, c := range cos {
		a, b, s := x[2*i], x[2*i+1], sin[i]
		x[2*i] = a*c - b*s
		x[2*i+1] = a*s + b*c
	}
}
