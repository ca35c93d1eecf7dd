package stat

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Resampling says how to bootstrap. The zero value means 2,000 resamples at 95 %
// by the percentile method with seed 0.
type Resampling struct {
	Level     float64 // coverage asked for, default 0.95
	Resamples int     // default 2000
	Seed      uint64
	Method    string // Percentile (default) or BCa
}

func (r Resampling) withDefaults() Resampling {
	if r.Level <= 0 || r.Level >= 1 {
		r.Level = 0.95
	}
	if r.Resamples <= 0 {
		r.Resamples = 2000
	}
	if r.Method == "" {
		r.Method = Percentile
	}
	return r
}

// Bootstrap returns statistic(xs) with its bootstrap interval. statistic must not
// keep or change the slice it is given.
func Bootstrap(xs []float64, statistic func([]float64) float64, r Resampling) Interval {
	buf := make([]float64, 0, len(xs))
	return BootstrapItems(len(xs), func(items []int) float64 {
		buf = buf[:0]
		for _, i := range items {
			buf = append(buf, xs[i])
		}
		return statistic(buf)
	}, r)
}

// BootstrapItems bootstraps a statistic of n items that is computed from item
// numbers, as F1 is from pairs of label and prediction. statistic is called with
// numbers in [0, n), some several times, and must not keep the slice. The value
// is that of all items once.
//
// One item has a value and no interval.
//
// BCa corrects bias and skew (Efron 1987) at the cost of n further calls for the
// jackknife; it falls back to the percentile method where the correction is not
// defined (all resamples alike).
func BootstrapItems(n int, statistic func(items []int) float64, r Resampling) Interval {
	r = r.withDefaults()
	out := Interval{Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), N: n, Level: r.Level, Method: r.Method}
	if n == 0 {
		return out
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	out.Value = statistic(all)
	if n == 1 {
		out.Level, out.Method = 0, NoInterval
		return out
	}
	draws := resample(n, statistic, r)
	if len(draws) == 0 {
		return out
	}
	lo, hi := (1-r.Level)/2, (1+r.Level)/2
	if r.Method == BCa {
		if l, h, ok := bcaLevels(draws, out.Value, jackknife(all, statistic), lo, hi); ok {
			lo, hi = l, h
		} else {
			out.Method = Percentile
		}
	}
	out.Lo, out.Hi = sortedQuantile(draws, lo), sortedQuantile(draws, hi)
	return out
}

// PairedBootstrap returns b-a of a statistic that is computed on the same
// resampled items for both sides, so that what is common to them cancels. An
// interval that excludes zero is a difference at the level.
func PairedBootstrap(n int, a, b func(items []int) float64, r Resampling) Interval {
	return BootstrapItems(n, func(items []int) float64 { return b(items) - a(items) }, r)
}

func resample(n int, statistic func([]int) float64, r Resampling) []float64 {
	rng := rand.New(rand.NewPCG(r.Seed, 0x5bd1e995)) //nolint:gosec // statistics, not secrets
	items := make([]int, n)
	draws := make([]float64, 0, r.Resamples)
	for range r.Resamples {
		for i := range items {
			items[i] = rng.IntN(n)
		}
		if v := statistic(items); !math.IsNaN(v) {
			draws = append(draws, v)
		}
	}
	slices.Sort(draws)
	return draws
}

// jackknife returns the statistic with each item left out in turn.
func jackknife(all []int, statistic func([]int) float64) []float64 {
	n := len(all)
	rest := make([]int, n-1)
	out := make([]float64, n)
	for i := range n {
		copy(rest, all[:i])
		copy(rest[i:], all[i+1:])
		out[i] = statistic(rest)
	}
	return out
}

// bcaLevels moves the two percentile levels by bias z0 and acceleration a.
// Source: Efron and Tibshirani, An Introduction to the Bootstrap, eq. 14.10–14.15.
func bcaLevels(draws []float64, value float64, jack []float64, lo, hi float64) (l, h float64, ok bool) {
	below := 0.0
	for _, d := range draws {
		switch {
		case d < value:
			below++
		case d == value: // ties count half, which keeps discrete statistics unbiased
			below += 0.5
		}
	}
	share := below / float64(len(draws))
	mean := Mean(jack)
	var cube, square float64
	for _, j := range jack {
		d := mean - j
		square += d * d
		cube += d * d * d
	}
	if share <= 0 || share >= 1 || square == 0 || math.IsNaN(square) {
		return 0, 0, false
	}
	norm := distuv.UnitNormal
	z0 := norm.Quantile(share)
	a := cube / (6 * math.Pow(square, 1.5))
	shift := func(p float64) float64 {
		z := z0 + norm.Quantile(p)
		return norm.CDF(z0 + z/(1-a*z))
	}
	l, h = shift(lo), shift(hi)
	return l, h, l < h && !math.IsNaN(l) && !math.IsNaN(h)
}
