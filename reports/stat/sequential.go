package stat

import (
	"fmt"
	"math"
	"slices"
)

// Outcome of a comparison.
type Outcome string

// The four outcomes.
const (
	Regressed  Outcome = "regressed"
	Improved   Outcome = "improved"
	Same       Outcome = "same" // within the margin
	CannotTell Outcome = "cannot tell"
)

// Comparison is a sequential test of an ABBA series. After every pair it may be
// asked for its decision and the series ended, without inflating the error: the
// chance that it is ever wrong about a change that is not there is at most
// 1-Level, however often one looks and whenever one stops.
//
// The differences log(B/A) of exchangeable pairs are symmetric about the true
// effect θ. Hence Π 2/(1+exp(−2λ(dᵢ−θ))), the gain of betting on the signs of
// dᵢ−θ, is a martingale of mean 1 for every λ, with no assumption on tails,
// variance or equal spread; so is its mean over a grid of λ. By Ville's inequality
// all θ at which it stays below 2/(1−Level), for ±λ each, form a confidence
// sequence. Six pairs can be enough at 95 %, 10 at 99.8 %.
//
// Sources: Ramdas, Ruf, Larsson and Koolen, Admissible anytime-valid sequential
// inference must rely on nonnegative martingales (arXiv:2009.03167), §5.4 on
// symmetric distributions; Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49
// (2021) 1055–1080, on mixtures and confidence sequences.
type Comparison struct {
	Level          float64 // default 0.95
	MarginPct      float64 // changes below it do not matter, default 1
	HigherIsBetter bool    // throughput; default is latency
	MaxPairs       int     // where a series ends undecided, default 40
}

// Decision is what a series of pairs tells.
type Decision struct {
	Outcome Outcome  `json:"outcome"`
	Change  Interval `json:"change"` // per cent, B against A, valid at every look
	// Further is how many more pairs are expected to decide, 0 where decided. It
	// takes the pairs so far as typical. Unlikely means more than MaxFurther.
	Further int    `json:"further"`
	Reason  string `json:"reason"`
	// Done says that the series should end: decided, or MaxPairs reached.
	Done bool `json:"done"`
}

// MaxFurther is the largest forecast of a Decision.
const MaxFurther = 1000

func (c Comparison) withDefaults() Comparison {
	if c.Level <= 0 || c.Level >= 1 {
		c.Level = 0.95
	}
	if c.MarginPct <= 0 {
		c.MarginPct = 1
	}
	if c.MaxPairs <= 0 {
		c.MaxPairs = 40
	}
	return c
}

// bets are the λ of the mixture, in units of 1/log ratio: the best λ for an
// effect δ in noise of deviation σ is about δ/σ², 8 for 2 % in 5 %, 128 for 2 %
// in 1.25 %.
var bets = [...]float64{4, 8, 16, 32, 64, 128, 256, 512, 1024}

// Decide returns what the pairs tell, in the order in which they were measured.
// The same pairs give the same decision. A change is told when its sequence
// excludes zero and its estimate exceeds the margin; sameness when the whole
// sequence lies within the margin.
func (c Comparison) Decide(pairs []Pair) Decision {
	c = c.withDefaults()
	d, ok := logRatios(pairs)
	if !ok {
		return Decision{Outcome: CannotTell, Change: Change(pairs, c.Level), Done: true, Reason: "a value is not positive"}
	}
	i := confidenceSequence(d, c.Level)
	out := Decision{Change: percent(i)}
	margin := c.MarginPct
	switch v := out.Change; {
	case len(d) == 0:
		out.Outcome, out.Reason = CannotTell, "no pair"
		return out
	case v.Lo > -margin && v.Hi < margin:
		out.Outcome, out.Reason = Same, fmt.Sprintf("within %.2g %%", margin)
	case v.Lo > 0 && v.Value > margin, v.Hi < 0 && v.Value < -margin:
		out.Outcome = Regressed
		if (v.Value > 0) == c.HigherIsBetter {
			out.Outcome = Improved
		}
		out.Reason = fmt.Sprintf("%+.2g %% with %d pairs", v.Value, v.N)
	default:
		out.Outcome = CannotTell
		out.Further = c.further(d, i.Value)
		out.Reason = fmt.Sprintf("about %d more pairs would tell", out.Further)
		if out.Further >= MaxFurther {
			out.Reason = fmt.Sprintf("more than %d more pairs would be needed", MaxFurther)
		}
	}
	out.Done = out.Outcome != CannotTell || len(d) >= c.MaxPairs
	return out
}

// confidenceSequence returns the centre of d and the intersection of its
// intervals after each value.
func confidenceSequence(d []float64, level float64) Interval {
	out := SignedRank(d, level)
	out.Level, out.Method = level, Sequence
	out.Lo, out.Hi = math.Inf(-1), math.Inf(1)
	limit := math.Log(2 / (1 - level))
	negated := make([]float64, len(d))
	for i, x := range d {
		negated[i] = -x
	}
	for n := 1; n <= len(d); n++ {
		out.Lo = max(out.Lo, lowerEnd(d[:n], limit))
		out.Hi = min(out.Hi, -lowerEnd(negated[:n], limit))
	}
	if out.Lo > out.Hi { // happens in less than 1-level of series: the effect moved
		out.Lo, out.Hi = out.Hi, out.Lo
	}
	out.Value = min(max(out.Value, out.Lo), out.Hi)
	return out
}

// lowerEnd is the largest θ that the bets on larger values rule out: the log of
// their gain falls in θ and reaches limit there.
func lowerEnd(d []float64, limit float64) float64 {
	if float64(len(d))*math.Ln2 <= limit {
		return math.Inf(-1) // not even if all signs agree
	}
	lo, hi := slices.Min(d), slices.Max(d)
	width := max(hi-lo, 1e-9)
	for gain(d, lo) < limit {
		if width > 1e9 {
			return math.Inf(-1)
		}
		hi, lo = lo, lo-width
		width *= 2
	}
	for range 60 {
		if mid := lo/2 + hi/2; gain(d, mid) >= limit {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// gain is the log of the mean over the bets of Π 2/(1+exp(−2λ(dᵢ−θ))).
func gain(d []float64, theta float64) float64 {
	var sums [len(bets)]float64
	most := math.Inf(-1)
	for k, bet := range bets {
		for _, x := range d {
			sums[k] += logBet(2 * bet * (x - theta))
		}
		most = max(most, sums[k])
	}
	var mean float64
	for _, s := range sums {
		mean += math.Exp(s - most)
	}
	return most + math.Log(mean/float64(len(bets)))
}

// logBet is log(2/(1+exp(−x))) without overflow.
func logBet(x float64) float64 {
	if x < 0 {
		return math.Ln2 + x - math.Log1p(math.Exp(x))
	}
	return math.Ln2 - math.Log1p(math.Exp(-x))
}

// further forecasts the pairs still needed, taking d as typical and value as the
// effect: to exclude zero if it is beyond the margin, else both ends of it.
func (c Comparison) further(d []float64, value float64) int {
	upper, lower := math.Log1p(c.MarginPct/100), math.Log1p(-min(c.MarginPct, 99)/100)
	limit := math.Log(2 / (1 - c.Level))
	up := slices.Clone(d)
	down := make([]float64, len(d))
	for i, x := range d {
		down[i] = -x
	}
	var need int
	switch {
	case value > upper:
		need = pairsFor(up, 0, limit)
	case value < lower:
		need = pairsFor(down, 0, limit)
	default:
		need = max(pairsFor(up, lower, limit), pairsFor(down, -upper, limit))
	}
	return min(MaxFurther, max(1, need-len(d)))
}

// pairsFor is how many values like d let the bets rule out theta.
func pairsFor(d []float64, theta, limit float64) int {
	lo, hi := 0, 2
	mixture := func(n int) float64 {
		var sum float64
		for _, bet := range bets {
			var s float64
			for _, x := range d {
				s += logBet(2 * bet * (x - theta))
			}
			sum += math.Exp(min(700, s*float64(n)/float64(len(d)))) / float64(len(bets))
		}
		return math.Log(sum)
	}
	for mixture(hi) < limit {
		lo, hi = hi, 2*hi
		if hi > 4*MaxFurther {
			return hi
		}
	}
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; mixture(mid) >= limit {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}
