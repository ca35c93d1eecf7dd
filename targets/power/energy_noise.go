package power

import (
	"math"
	"slices"
)

// noise is the standard error in joules of the trapezoid over [0, end], from
// the readings themselves, each the mean over covered seconds. See Energy.
func noise(pts []point, end, covered float64) float64 {
	n := len(pts) - 1
	if n < 1 {
		return 0
	}
	diff := make([]float64, n)
	size := make([]float64, n)
	for k := range diff {
		diff[k] = pts[k+1].y - pts[k].y
		size[k] = math.Abs(diff[k])
	}
	floor := quiet(size)
	sum := 0.0
	for k, d := range diff {
		if pts[k+1].x <= 0 || pts[k].x >= end {
			continue
		}
		h := min(pts[k+1].x, end) - max(pts[k].x, 0)
		seen := min(1, covered/(pts[k+1].x-pts[k].x))
		v := d * d / 2
		if isolated(size, k) {
			v = d * d / 12
		}
		sum += h * h * ((1-seen)*v + seen*floor)
	}
	return math.Sqrt(sum)
}

// quiet is the variance of a reading where the load is steady: from the median
// step, which a few large ones do not move (for a normal distribution
// median |x₁−x₂| = 0.6745·√2·σ).
func quiet(size []float64) float64 {
	s := slices.Sorted(slices.Values(size))
	sigma := s[len(s)/2] / (0.6745 * math.Sqrt2)
	return sigma * sigma
}

// isolated says whether step k stands alone: two readings before it and two
// after it agree with each other, so the load changed once, between two readings.
func isolated(size []float64, k int) bool {
	if k < 2 || k+2 >= len(size) {
		return false
	}
	most := size[k] / 4
	return size[k-2] <= most && size[k-1] <= most && size[k+1] <= most && size[k+2] <= most
}

// powerEdge is the limit of error in joules of one end of a window at x: the
// load may have stepped anywhere in what the readings around it leave unseen, an
// average carries what happened on one side of x to the other, and a reading
// stands for a moment up to slack seconds from where it was put.
func powerEdge(pts []point, x, covered, slack float64) float64 {
	k := after(pts, x)
	near := pts[max(0, k-2):min(len(pts), k+2)]
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, p := range near {
		lo, hi = min(lo, p.y), max(hi, p.y)
	}
	h := 0.0
	if 0 < k && k < len(pts) {
		h = pts[k].x - pts[k-1].x
	}
	return (hi - lo) * (max((h-covered)/2, covered/4) + slack)
}

// counterEdge is the limit of error in joules of a counter's value at x: what
// flowed between the readings around it is known, when it did is not; and the
// counter moves once in two slacks.
func counterEdge(pts []point, x, slack float64) float64 {
	k := min(max(1, after(pts, x)), len(pts)-1)
	power := func(k int) float64 { return (pts[k].y - pts[k-1].y) / (pts[k].x - pts[k-1].x) }
	here := power(k)
	lo, hi := here, here
	for _, other := range []int{k - 1, k + 1} {
		if 0 < other && other < len(pts) {
			lo, hi = min(lo, power(other)), max(hi, power(other))
		}
	}
	h := pts[k].x - pts[k-1].x
	f := min(1, max(0, (x-pts[k-1].x)/h))
	return (hi-lo)*h*f*(1-f) + hi*slack
}
