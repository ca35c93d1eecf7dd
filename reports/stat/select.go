package stat

import (
	"math"
	"math/bits"
	"slices"
)

// Quantiles returns quantiles of xs, each as Quantile does to the last bit, in a
// time that grows with len(xs) alone. It reorders xs.
func Quantiles(xs []float64, ps ...float64) []float64 {
	out := make([]float64, len(ps))
	for i, p := range ps {
		if len(xs) > 0 && !math.IsNaN(p) {
			k := int(float64(len(xs)-1) * min(max(p, 0), 1))
			place(xs, k)
			if k+1 < len(xs) {
				place(xs[k+1:], 0) // its neighbour, for what lies between the two
			}
		}
		out[i] = sortedQuantile(xs, p)
	}
	return out
}

// place puts the item there that belongs at index k of the sorted xs, smaller ones
// before it and greater ones behind (Hoare's selection). A range that does not
// shrink as it should is sorted.
func place(xs []float64, k int) {
	for rounds := 2 * bits.Len(uint(len(xs))); len(xs) > 1; rounds-- {
		a, b, c := xs[0], xs[len(xs)/2], xs[len(xs)-1]
		pivot := max(min(a, b), min(max(a, b), c)) // the median of the three; NaN if one is
		if rounds == 0 || math.IsNaN(pivot) {
			slices.Sort(xs)
			return
		}
		i, j := 0, len(xs)-1
		for i <= j {
			for xs[i] < pivot {
				i++
			}
			for xs[j] > pivot {
				j--
			}
			if i <= j {
				xs[i], xs[j] = xs[j], xs[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			xs = xs[:j+1]
		case k >= i:
			xs, k = xs[i:], k-i
		default:
			return
		}
	}
}
