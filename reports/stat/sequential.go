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
// inference must rely on nonnegative martingales (arXiv:2009.03167), on
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
	s := sequence{limit: math.Log(2 / (1 - c.Level)), lo: math.Inf(-1), hi: math.Inf(1)}
	for _, x := range d {
		s.add(x)
	}
	return c.forecast(c.judge(&s), &s)
}

// Follow replays a series as it would have been measured, with a look after each
// pair, and returns the decision at the first look that ends it (else at the
// last) and the pairs taken until then.
func (c Comparison) Follow(pairs []Pair) (Decision, int) {
	c = c.withDefaults()
	d, ok := logRatios(pairs)
	if !ok {
		return c.Decide(pairs), len(pairs)
	}
	s := sequence{limit: math.Log(2 / (1 - c.Level)), lo: math.Inf(-1), hi: math.Inf(1)}
	for n, x := range d {
		s.add(x)
		if n+1 < len(d) && n+1 < c.MaxPairs && math.IsInf(s.lo, 0) && math.IsInf(s.hi, 0) {
			continue // no end is bounded yet: nothing can be told
		}
		if out := c.judge(&s); out.Done {
			return c.forecast(out, &s), n + 1
		}
	}
	return c.forecast(c.judge(&s), &s), len(d)
}

// forecast adds to an open decision what being sure would cost.
func (c Comparison) forecast(out Decision, s *sequence) Decision {
	if out.Outcome != CannotTell || len(s.d) == 0 {
		return out
	}
	out.Further = c.further(s.d, SignedRank(s.d, c.Level).Value)
	out.Reason = fmt.Sprintf("about %d more pairs would tell", out.Further)
	if out.Further >= MaxFurther {
		out.Reason = fmt.Sprintf("more than %d more pairs would be needed", MaxFurther)
	}
	return out
}

func (c Comparison) judge(s *sequence) Decision {
	i := s.interval(c.Level)
	out := Decision{Change: percent(i)}
	margin := c.MarginPct
	switch v := out.Change; {
	case v.N == 0:
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
	}
	out.Done = out.Outcome != CannotTell || len(s.d) >= c.MaxPairs
	return out
}

// sequence is a confidence sequence while its values come in: the intersection
// of the intervals after each.
type sequence struct {
	d, negated []float64
	limit      float64
	lo, hi     float64
}

func (s *sequence) add(x float64) {
	s.d, s.negated = append(s.d, x), append(s.negated, -x)
	s.lo = max(s.lo, lowerEnd(s.d, s.lo, s.limit))
	s.hi = min(s.hi, -lowerEnd(s.negated, -s.hi, s.limit))
}

func (s *sequence) interval(level float64) Interval {
	out := SignedRank(s.d, level)
	out.Lo, out.Hi = s.lo, s.hi
	if out.Lo > out.Hi { // in less than 1-level of series: the effect moved
		out.Lo, out.Hi = out.Hi, out.Lo
	}
	out.Value = min(max(out.Value, out.Lo), out.Hi)
	out.Level, out.Method = level, Sequence
	return out
}

// lowerEnd is the largest θ that the bets on larger values rule out: the log of
// their gain falls in θ and reaches limit there. It looks above known only.
func lowerEnd(d []float64, known, limit float64) float64 {
	if float64(len(d))*math.Ln2 <= limit {
		return math.Inf(-1) // not even if all signs agree
	}
	lo, hi := known, slices.Max(d)
	if math.IsInf(lo, 0) {
		lo = slices.Min(d)
		for step := max(hi-lo, 1e-6); gain(d, lo) < limit; step *= 2 {
			if step > 1e9 {
				return math.Inf(-1)
			}
			lo -= step
		}
	} else if gain(d, lo) < limit {
		return lo
	}
	for hi-lo > 1e-9*max(1, math.Abs(lo)) {
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
	return grow(gains(d, theta), 1)
}

// gains are the log gains of the bets. Each λ is twice the one before, so its
// exponential is the square of that one's.
func gains(d []float64, theta float64) (logs [len(bets)]float64) {
	var products [len(bets)]float64
	for k := range products {
		products[k] = 1
	}
	for i, x := range d {
		e := math.Exp(-2 * bets[0] * (x - theta))
		for k := range products {
			products[k] *= 2 / (1 + e)
			e *= e
		}
		if i%64 == 63 || i == len(d)-1 { // before 2⁶⁴ⁿ overflows
			for k := range products {
				logs[k] += math.Log(products[k])
				products[k] = 1
			}
		}
	}
	return logs
}

// grow is the log of the mean gain if the values came times over; −Inf where
// every bet is lost.
func grow(logs [len(bets)]float64, times float64) float64 {
	most := slices.Max(logs[:])
	if math.IsInf(most, -1) {
		return most
	}
	var mean float64
	for _, s := range logs {
		mean += math.Exp(times*(s-most)) / float64(len(bets))
	}
	return times*most + math.Log(mean)
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
	once := gains(d, theta)
	mixture := func(n int) float64 { return grow(once, float64(n)/float64(len(d))) }
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
