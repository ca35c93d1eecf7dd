package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// FewSamples is the count below which the large-sample estimators of this
// package give way to exact ones that promise at least their level.
const FewSamples = 20

// MedianInterval returns the median and the interval that a report publishes.
//
// Below FewSamples it is MedianCI, exact for any distribution: it covers at least
// what was asked where n allows (six samples: 96.9 %), and Level names what it
// covers where n does not (five: 93.75 %). From FewSamples on it is interpolated,
// because the steps of the exact one grow to where it covers 97 % and more.
func MedianInterval(xs []float64, level float64) Interval {
	if len(xs) < FewSamples {
		return MedianCI(xs, level)
	}
	return QuantileInterval(xs, 0.5, level)
}

// QuantileInterval returns the p-quantile with an interval between neighbouring
// order statistics, interpolated so that it covers level and not the next
// attainable level above. The interpolation holds closely for any distribution
// with a density at the quantile; in a gap between two modes it lies between the
// two exact levels. A tail that n cannot bound ends at the extreme sample, and
// Level falls accordingly.
//
// Sources: Hettmansperger and Sheather, Statistics & Probability Letters 4
// (1986) 75–79, for the median; Nyblom, ibid. 14 (1992) 129–131, for the rest.
func QuantileInterval(xs []float64, p, level float64) Interval {
	n := len(xs)
	if n == 0 {
		return Interval{Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), Method: Interpolated}
	}
	s := sorted(xs)
	tail := (1 - level) / 2
	lo, below := lowerBound(n, p, tail, func(r int) float64 { return s[r-1] })
	hi, above := lowerBound(n, 1-p, tail, func(r int) float64 { return -s[n-r] })
	v := sortedQuantile(s, p)
	return Interval{Value: v, Lo: min(lo, v), Hi: max(-hi, v), N: n, Level: max(0, 1-below-above), Method: Interpolated}
}

// lowerBound returns a value that lies above the p-quantile with probability
// tail, and the tail it reached. x(r) is the r-th smallest of n samples.
func lowerBound(n int, p, tail float64, x func(r int) float64) (bound, reached float64) {
	bin := distuv.Binomial{N: float64(n), P: p}
	above := func(r int) float64 { // P(X(r) > quantile) = P(B < r)
		if r > n {
			return 1
		}
		return bin.CDF(float64(r - 1))
	}
	if above(1) >= tail {
		return x(1), above(1)
	}
	r := 1
	for r < n && above(r+1) <= tail {
		r++
	}
	if r == n {
		return x(n), above(n)
	}
	a, b := above(r), above(r+1)
	share := float64(n-r) * p * (tail - a)
	share /= share + float64(r)*(1-p)*(b-tail)
	return x(r) + share*(x(r+1)-x(r)), tail
}

// MedianBCa returns the median with its BCa bootstrap interval. Resampled medians
// repeat the samples' own values, which makes the interval short of its level
// (92.7 % at 21 samples): the tails are taken at narrow of their size. Below
// FewSamples that does not suffice and the exact order statistics stand in.
func MedianBCa(xs []float64, r Resampling) Interval {
	r = r.withDefaults()
	if len(xs) < FewSamples {
		return MedianCI(xs, r.Level)
	}
	const narrow = 0.75
	level := r.Level
	r.Method, r.Level = BCa, 1-narrow*(1-level)
	out := Bootstrap(xs, Median, r)
	out.Level = level
	return out
}
