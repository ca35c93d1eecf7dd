package search

import "math"

// Probabilities returns for each cell the probability that it is on the Pareto
// front, NaN where Shares is.
//
// Shares of draws are too small in the middle: draws do not know what holds in
// sweeps of real models, that more work seldom makes a model worse, so that in every
// draw some cheap rival is lucky. So shares are corrected by the logistic curve
// (Platt 1999) through what came true in recorded sweeps; docs/search.md says which,
// and how well the curve through two of them does in the third.
func (e Evidence) Probabilities(draws int, seed uint64) []float64 {
	out := e.Shares(draws, seed)
	for i, s := range out {
		out[i] = recorded.at(s)
	}
	return out
}

// curve is a logistic one: the log odds of a probability are a + b times those of a
// share.
type curve struct{ a, b float64 }

// recorded is the curve through all recorded sweeps; TestProbabilitiesAreCalibrated
// fits it.
var recorded = curve{0.29, 0.84}

// at is the probability that a share is worth; none and all stay what they are.
func (c curve) at(share float64) float64 {
	if share <= 0 || share >= 1 {
		return share
	}
	return c.of(logOdds(share))
}

func (c curve) of(logOdds float64) float64 { return 1 / (1 + math.Exp(-c.a-c.b*logOdds)) }

func logOdds(p float64) float64 {
	const least = 1e-3 // of a thousand draws
	p = min(max(p, least), 1-least)
	return math.Log(p / (1 - p))
}
