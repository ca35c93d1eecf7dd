package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// McNemarExact returns the two-sided p-value of McNemar's exact test: b items
// only the first variant had right, c items only the second. Under equal skill
// the discordant items fall like a fair coin: p = 2·P(Bin(b+c, ½) ≤ min(b, c)),
// at most 1. No discordant item gives 1; a negative count gives NaN.
func McNemarExact(b, c int) float64 {
	switch {
	case b < 0 || c < 0:
		return math.NaN()
	case b == c:
		return 1
	}
	return min(1, 2*distuv.Binomial{N: float64(b + c), P: 0.5}.CDF(float64(min(b, c))))
}

// Holm returns the p-values adjusted for their number (Holm 1979), in the order
// given: rejecting those at most α bounds the chance of any false rejection by α.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case p[i] < p[j]:
			return -1
		case p[i] > p[j]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(p))
	floor := 0.0
	for rank, i := range order {
		floor = max(floor, min(1, p[i]*float64(len(p)-rank)))
		out[i] = floor
	}
	return out
}
