package stat

import "slices"

// BenjaminiHochberg returns the p-values adjusted so that rejecting those at most
// q keeps the expected share of false discoveries at q, for tests that are
// independent or positively dependent, as the metrics of one sweep are. The order
// is the one given.
//
// Source: Benjamini and Hochberg, JRSS B 57 (1995) 289–300.
func BenjaminiHochberg(p []float64) []float64 { return stepUp(p, 1) }

// BenjaminiYekutieli is BenjaminiHochberg for any dependence, at the price of a
// factor Σ 1/i (5.9 for 200 tests).
//
// Source: Benjamini and Yekutieli, Annals of Statistics 29 (2001) 1165–1188.
func BenjaminiYekutieli(p []float64) []float64 {
	var factor float64
	for i := range p {
		factor += 1 / float64(i+1)
	}
	return stepUp(p, factor)
}

func stepUp(p []float64, factor float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return compare(p[i], p[j]) })
	out := make([]float64, len(p))
	least := 1.0
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		least = min(least, p[i]*factor*float64(len(p))/float64(rank+1))
		out[i] = least
	}
	return out
}
