package stat

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a published figure: a value and the interval that covers the true
// one at the given level.
//
// Level is the level that was reached, which for order statistics differs from
// the one asked for: six samples give a median interval at 0.969 for 0.95, five
// can reach only 0.9375. Callers label a level below the one they asked for.
// Value, Lo and Hi are NaN when N is 0, Lo and Hi also where Method is NoInterval.
type Interval struct {
	Value  float64 `json:"value"`
	Lo     float64 `json:"lo"`
	Hi     float64 `json:"hi"`
	N      int     `json:"n"`
	Level  float64 `json:"level"`
	Method string  `json:"method"`
}

// Methods of an Interval.
const (
	OrderStatistic     = "order-statistic"
	Interpolated       = "order-statistic-interpolated"
	Percentile         = "bootstrap-percentile"
	BCa                = "bootstrap-bca"
	Studentized        = "bootstrap-t"
	Recovered          = "recovered-variance"
	HodgesLehmannShift = "hodges-lehmann"
	SignedRankCentre   = "signed-rank"
	Sequence           = "confidence-sequence"
	Nights             = "nights"
	NoInterval         = "none"
)

// String writes the interval as "value [lo, hi] (n=N, 95 %)".
func (i Interval) String() string {
	return fmt.Sprintf("%.4g [%.4g, %.4g] (n=%d, %.3g %%)", i.Value, i.Lo, i.Hi, i.N, 100*i.Level)
}

// Separate says whether two intervals have no point in common. Separate
// intervals mean different values; overlapping ones alone do not mean equal.
func (i Interval) Separate(j Interval) bool { return i.Hi < j.Lo || j.Hi < i.Lo }

// Median returns the middle value, the mean of the two middle ones for an even
// count, NaN for none. xs is not changed.
func Median(xs []float64) float64 { return Quantile(xs, 0.5) }

// Mean returns the arithmetic mean, NaN for no values.
func Mean(xs []float64) float64 {
	var s float64
	for _, x := range xs {
		s += x
	}
	return s / float64(len(xs))
}

// Quantile returns the p-quantile by linear interpolation between order
// statistics (type 7 of Hyndman and Fan 1996, the default of R and NumPy).
// p is clamped to [0, 1]; the result is NaN for no values. xs is not changed.
func Quantile(xs []float64, p float64) float64 {
	return sortedQuantile(sorted(xs), p)
}

func sorted(xs []float64) []float64 {
	s := slices.Clone(xs)
	slices.Sort(s)
	return s
}

func sortedQuantile(s []float64, p float64) float64 {
	if len(s) == 0 || math.IsNaN(p) {
		return math.NaN()
	}
	h := float64(len(s)-1) * min(max(p, 0), 1)
	i := int(h)
	if i+1 >= len(s) || h == float64(i) {
		return s[i]
	}
	return s[i] + (h-float64(i))*(s[i+1]-s[i])
}

// MedianCI returns the median with its distribution-free interval: two order
// statistics at equal distance from the ends whose exact binomial coverage
// reaches level. Where too few samples reach it, the interval is the whole range
// and Level says what that covers.
//
// Source: Conover, Practical Nonparametric Statistics, 3rd ed., §3.2.
func MedianCI(xs []float64, level float64) Interval { return QuantileCI(xs, 0.5, level) }

// QuantileCI returns the p-quantile with its distribution-free interval between
// the order statistics l and u: exact coverage P(l ≤ B < u) for B ~ Bin(n, p),
// each tail at most (1-level)/2 where n allows. A tail that n cannot bound (p99
// of twenty samples) ends at the smallest or largest sample, and Level falls
// accordingly.
func QuantileCI(xs []float64, p, level float64) Interval {
	n := len(xs)
	if n == 0 {
		return Interval{Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), Method: OrderStatistic}
	}
	s := sorted(xs)
	tail := (1 - level) / 2
	// A hair of slack: 0.025 asked for in binary must accept 0.025 computed.
	const slack = 1e-12
	bin := distuv.Binomial{N: float64(n), P: p}
	cdf := func(k int) float64 { // P(B ≤ k)
		switch {
		case k < 0:
			return 0
		case k >= n:
			return 1
		}
		return bin.CDF(float64(k))
	}
	l := 1
	for l < n && cdf(l) <= tail+slack {
		l++
	}
	u := n
	for u > l && 1-cdf(u-2) <= tail+slack {
		u--
	}
	v := sortedQuantile(s, p)
	return Interval{
		Value: v, Lo: min(s[l-1], v), Hi: max(s[u-1], v), N: n,
		Level: cdf(u-1) - cdf(l-1), Method: OrderStatistic,
	}
}
