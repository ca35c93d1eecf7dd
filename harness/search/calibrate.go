package search

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// madeUpWorlds of madeUpDraws draws each tell what shares of draws are worth.
	madeUpWorlds = 5
	madeUpDraws  = 200
	// leastShare is what a cell must have to be asked about: the many that have less
	// would make any forecast look good.
	leastShare = 0.01
)

// Probabilities returns for each cell the probability that it is on the Pareto
// front, NaN where Shares is.
//
// Shares of draws are too small in the middle, since the draws let every cell's
// irregularities come and go by themselves, so that for each cell one of many
// rivals is lucky. By how much is measured: in worlds whose truth is a draw, and
// whose figures have noise like that of these, the shares of such figures are set
// beside who is on the true front, and these shares are corrected by the logistic
// curve through that (Platt 1999).
func (e Evidence) Probabilities(draws int, seed uint64) []float64 {
	out, p := e.shares(draws, seed)
	if p == nil {
		return out
	}
	var shares []float64
	var on []bool
	for n := range madeUpWorlds {
		world, front := p.madeUp(n)
		for i, s := range world.Shares(madeUpDraws, seed+uint64(n)+1) {
			if s >= leastShare {
				shares, on = append(shares, s), append(on, front[i])
			}
		}
	}
	c := fitCurve(shares, on)
	for i, s := range out {
		if s > 0 && s < 1 {
			out[i] = c.at(s)
		}
	}
	return out
}

// madeUp is evidence like this one of a world whose truth is a draw, and that
// world's front.
func (p *posterior) madeUp(n int) (Evidence, []bool) {
	rng := rand.New(rand.NewPCG(p.seed, ^uint64(n))) //nolint:gosec // statistics, not secrets
	truth := p.draw(math.MaxInt32 - n)
	noise := p.noise(math.MaxInt32/2 - n)
	e := p.Evidence
	e.Cells, e.Answers = slices.Clone(e.Cells), maps.Clone(e.Answers)
	columns := Columns(e.Objectives, e.Where)
	for k, c := range p.columns {
		if c.answers == nil {
			continue
		}
		by := make([]float64, len(c.answers.Value))
		for j, u := range c.unit {
			s := p.Cells[p.cells[j]].Subject
			by[s] = truth[j][k] - noise[k][u] - c.answers.Value[s]
		}
		e.Answers[columns[k].Name] = c.answers.Moved(by)
	}
	for j, i := range p.cells {
		cell := &e.Cells[i]
		cell.Trials = slices.Clone(cell.Trials)
		for r, t := range cell.Trials {
			dev := p.pool[rng.IntN(len(p.pool))]
			t = slices.Clone(t)
			for k, c := range p.columns {
				if c.answers == nil && !math.IsNaN(t[k]) && !math.IsNaN(dev[k]) {
					t[k] = truth[j][k] * math.Exp(dev[k])
				}
			}
			cell.Trials[r] = t
		}
	}
	return e, p.front(truth)
}

// curve is a logistic one: the log odds of a probability are a + b times those of a
// share.
type curve struct{ a, b float64 }

func (c curve) at(share float64) float64 { return 1 / (1 + math.Exp(-c.a-c.b*logOdds(share))) }

func logOdds(p float64) float64 {
	const least = 1e-3 // of a thousand draws
	p = min(max(p, least), 1-least)
	return math.Log(p / (1 - p))
}

// fitCurve is the most likely curve, by Newton's method, where it is likely that
// shares are worth what they say: a is as a normal value about 0, b about 1.
func fitCurve(shares []float64, on []bool) curve {
	const tight = 4 // inverse variances of those
	c := curve{0, 1}
	for range 20 {
		// The gradient and the curvature of the log likelihood.
		ga, gb := -tight*c.a, -tight*(c.b-1)
		haa, hab, hbb := float64(tight), 0.0, float64(tight)
		for i, s := range shares {
			x, p := logOdds(s), c.at(s)
			left := -p
			if on[i] {
				left++
			}
			w := p * (1 - p)
			ga, gb = ga+left, gb+left*x
			haa, hab, hbb = haa+w, hab+w*x, hbb+w*x*x
		}
		det := haa*hbb - hab*hab
		c.a += (hbb*ga - hab*gb) / det
		c.b += (haa*gb - hab*ga) / det
	}
	if !(c.b > 0) || math.IsNaN(c.a) || math.IsInf(c.a, 0) || math.IsInf(c.b, 0) {
		return curve{0, 1} // too little to go by
	}
	return c
}
