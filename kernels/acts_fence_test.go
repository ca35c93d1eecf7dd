//go:build linux

package kernels

import (
	"math/rand/v2"
	"testing"
)

// TestSetRestStaysInItsMemory ends with a fault if a byte beside the activations
// is read or written: in a large model that crashes once in a while.
func TestSetRestStaysInItsMemory(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for _, atEnd := range []bool{false, true} {
			for n := 1; n <= actTile+1; n++ {
				for _, cols := range []int{5, 32, 300} {
					x := fenced(t, random(r, n*cols), atEnd)
					var a, rest Acts
					a.Quantize(nil, x, cols, n, cols)
					rest.Resize(n, cols)
					for _, p := range []*Acts{&a, &rest} {
						p.q, p.scale = fenced(t, p.q, atEnd), fenced(t, p.scale, atEnd)
						p.corr, p.half = fenced(t, p.corr, atEnd), fenced(t, p.half, atEnd)
					}
					for tok := range n {
						rest.SetRest(tok, x[tok*cols:][:cols], &a)
					}
				}
			}
		}
	})
}
