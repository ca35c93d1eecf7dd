package stat

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// MeanInterval returns the mean with an interval mean ± q·standard error. Student's
// q covers too little of skewed latencies, the one that the symmetric bootstrap-t
// finds too much of latencies with two modes (98 % at twenty samples): from
// FewSamples on q is the middle of the two, below it the larger.
//
// No interval of a mean is honest for every distribution when samples are few: a
// slow mode may not have been seen at all. Below FewSamples Level is therefore the
// least that any family of docs/statistics.md was covered, not what was asked.
// Fewer than three values have no interval.
//
// Sources: Efron and Tibshirani, An Introduction to the Bootstrap, §12.5; Hall,
// JRSS B 50 (1988) 35–45, for the symmetric form.
func MeanInterval(xs []float64, r Resampling) Interval {
	r = r.withDefaults()
	n := len(xs)
	mean, se := meanError(xs)
	out := Interval{Value: mean, Lo: math.NaN(), Hi: math.NaN(), N: n, Method: NoInterval}
	if n < 3 {
		return out
	}
	out.Level, out.Method = r.Level-meanShortfall(n), Studentized
	student := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile((1 + r.Level) / 2)
	q := max(student, studentized(xs, mean, r))
	if n >= FewSamples {
		q = (q + student) / 2
	}
	out.Lo, out.Hi = mean-q*se, mean+q*se
	return out
}

// meanShortfall is by how much the worst family of docs/statistics.md is covered
// less than 95 % by n values.
func meanShortfall(n int) float64 {
	switch {
	case n >= FewSamples:
		return 0
	case n >= 8:
		return 0.025
	case n >= 6:
		return 0.06
	default:
		return 0.10
	}
}

// studentized returns the r.Level-quantile of |t| over resamples, 0 where no
// resample has a spread.
func studentized(xs []float64, mean float64, r Resampling) float64 {
	rng := rand.New(rand.NewPCG(r.Seed, 0x85ebca6b)) //nolint:gosec // statistics, not secrets
	draw := make([]float64, len(xs))
	ts := make([]float64, 0, r.Resamples)
	for range r.Resamples {
		for i := range draw {
			draw[i] = xs[rng.IntN(len(xs))]
		}
		if m, e := meanError(draw); e > 0 {
			ts = append(ts, math.Abs(m-mean)/e)
		}
	}
	if len(ts) == 0 {
		return 0
	}
	slices.Sort(ts)
	return sortedQuantile(ts, r.Level)
}

// meanError returns the mean and its standard error.
func meanError(xs []float64) (mean, se float64) {
	mean = Mean(xs)
	var square float64
	for _, x := range xs {
		square += (x - mean) * (x - mean)
	}
	n := float64(len(xs))
	return mean, math.Sqrt(square / (n - 1) / n)
}

// MedianRatio returns median(b)/median(a) of two independent groups of positive
// values, with its interval; 1.02 means that b is 2 % above a. A value that is
// not positive leaves the ratio undefined: NaN.
//
// From FewSamples in both groups on, the distances of the two medians from the
// ends of their intervals add in squares, side by side, which keeps the skew.
// Below, the two exact intervals are divided end by end, which covers at least the
// level that is stated.
//
// Source: Zou and Donner, Statistics in Medicine 27 (2008) 1693–1702 (MOVER).
func MedianRatio(a, b []float64, level float64) Interval {
	out := Interval{Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), N: min(len(a), len(b)), Method: NoInterval}
	la, lb := logs(a), logs(b)
	if la == nil || lb == nil {
		return out
	}
	out.Value = Median(b) / Median(a)
	if out.N < 2 {
		return out
	}
	if out.N < FewSamples {
		each := math.Sqrt(level)
		x, y := MedianCI(a, each), MedianCI(b, each)
		out.Lo, out.Hi = y.Lo/x.Hi, y.Hi/x.Lo
		out.Level, out.Method = x.Level*y.Level, OrderStatistic
		return out
	}
	// In logarithms, so that neither group's end can turn the ratio negative.
	// Two lengths that are themselves uncertain add to a little too much.
	each := 1 - 1.2*(1-level)
	x, y := QuantileInterval(la, 0.5, each), QuantileInterval(lb, 0.5, each)
	d := y.Value - x.Value
	out.Lo = math.Exp(d - math.Hypot(y.Value-y.Lo, x.Hi-x.Value))
	out.Hi = math.Exp(d + math.Hypot(y.Hi-y.Value, x.Value-x.Lo))
	out.Value = math.Exp(d)
	out.Level, out.Method = level, Recovered
	return out
}

// logs returns the sorted logarithms, nil for no values or one that is not
// positive and finite.
func logs(xs []float64) []float64 {
	if len(xs) == 0 {
		return nil
	}
	out := make([]float64, len(xs))
	for i, x := range xs {
		if !(x > 0) || math.IsInf(x, 0) {
			return nil
		}
		out[i] = math.Log(x)
	}
	slices.Sort(out)
	return out
}

// medianError returns the standard error of the median of sorted values, read off
// two order statistics.
//
// Source: Price and Bonett, Journal of Statistical Computation and Simulation 68
// (2001) 295–305.
func medianError(s []float64) float64 {
	order, width := medianErrorRule(len(s))
	return (s[len(s)-order] - s[order-1]) / width
}

// medianErrorRule says which order statistic from either end to read, and how
// many standard errors lie between the two.
func medianErrorRule(count int) (order int, width float64) {
	n := float64(count)
	order = max(1, int(math.Round((n+1)/2-math.Sqrt(n))))
	outside := distuv.Binomial{N: n, P: 0.5}.CDF(float64(order - 1))
	return order, 2 * distuv.UnitNormal.Quantile(1-outside)
}
