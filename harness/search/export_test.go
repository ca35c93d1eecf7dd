package search

// Recorded is the curve that probabilities are corrected by.
func Recorded(share float64) float64 { return recorded.at(share) }

// FitCurve returns the curve through shares and what came of them, and its a and b.
func FitCurve(shares []float64, on []bool) (at func(share float64) float64, a, b float64) {
	c := fitCurve(shares, on)
	return c.at, c.a, c.b
}
