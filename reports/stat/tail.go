package stat

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// TailConfidence is the confidence of MLPerf's early stopping.
const TailConfidence = 0.99

// TooFewError says that a quantile is not measured for want of samples.
type TooFewError struct {
	P       float64
	N, Need int
}

func (e *TooFewError) Error() string {
	return fmt.Sprintf("p%.4g not measured: %d samples, %d are needed", 100*e.P, e.N, e.Need)
}

// MinCount returns the fewest samples from which the p-quantile may be told: 64
// for p90, 662 for p99. It is the smallest n at which at most one sample above
// the quantile would be seen in 1 % of cases.
//
// Source: early stopping of MLPerf Inference LoadGen (99 % confidence, tolerance
// 0), https://github.com/mlcommons/inference_policies, appendix "Early stopping".
func MinCount(p float64) int {
	if p <= 0 || p >= 1 {
		return math.MaxInt
	}
	return leastCount(1, p)
}

// leastCount is the smallest n with P(Bin(n, 1-p) ≤ over) ≤ 1 % .
func leastCount(over int, p float64) int {
	enough := func(n int) bool {
		return n > over && distuv.Binomial{N: float64(n), P: 1 - p}.CDF(float64(over)) <= 1-TailConfidence
	}
	hi := 2
	for !enough(hi) {
		hi *= 2
	}
	for lo := hi / 2; hi-lo > 1; {
		if mid := (lo + hi) / 2; enough(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// Tail returns the p-quantile of latencies with its interpolated interval, or a
// *TooFewError below MinCount.
func Tail(xs []float64, p, level float64) (Interval, error) {
	if need := MinCount(p); len(xs) < need {
		nan := math.NaN()
		return Interval{Value: nan, Lo: nan, Hi: nan, N: len(xs), Method: NoInterval}, &TooFewError{P: p, N: len(xs), Need: need}
	}
	return QuantileInterval(xs, p, level), nil
}

// EarlyStop returns MLPerf's early-stopping estimate of the p-quantile, a value
// that the true one exceeds in less than 1 % of cases, and how many of the
// highest samples it leaves out. It returns a *TooFewError below MinCount.
func EarlyStop(xs []float64, p float64) (bound float64, discarded int, err error) {
	n := len(xs)
	if need := MinCount(p); n < need {
		return math.NaN(), 0, &TooFewError{P: p, N: n, Need: need}
	}
	over := 1
	for leastCount(over+1, p) <= n {
		over++
	}
	return sorted(xs)[n-over], over - 1, nil
}
