package stat

import (
	"fmt"
	"math"
)

// Limits of the outlier marks.
const (
	// OutlierScore is the modified z-score beyond which a value is marked
	// (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).
	OutlierScore = 3.5
	// OutlierCount is the fewest values among which one can be told to lie out.
	OutlierCount = 5
)

// Outlier marks one value that lies far from the rest. A mark never removes the
// value: medians and ranks bear it, and a slow trial may be the finding.
type Outlier struct {
	Index int     `json:"index"`
	Value float64 `json:"value"`
	Score float64 `json:"score"` // modified z-score, negative below the median
}

// String says which value lies how far out.
func (o Outlier) String() string {
	return fmt.Sprintf("value %.4g (number %d) lies %.1f robust deviations from the median", o.Value, o.Index+1, o.Score)
}

// Outliers returns marks for the values whose modified z-score 0.6745·(x−median)/MAD
// exceeds OutlierScore, in the order of xs. Where more than half of the values are
// alike (a clock of coarse ticks) the mean absolute deviation stands in for the
// MAD. xs is not changed; fewer than OutlierCount values bear no mark.
func Outliers(xs []float64) []Outlier {
	if len(xs) < OutlierCount {
		return nil
	}
	median := Median(xs)
	away := make([]float64, len(xs))
	for i, x := range xs {
		away[i] = math.Abs(x - median)
	}
	unit := Median(away) / 0.6745
	if unit == 0 {
		unit = 1.253314 * Mean(away)
	}
	if !(unit > 0) {
		return nil
	}
	var out []Outlier
	for i, x := range xs {
		if z := (x - median) / unit; math.Abs(z) > OutlierScore {
			out = append(out, Outlier{Index: i, Value: x, Score: z})
		}
	}
	return out
}

// MAD returns the median absolute deviation from the median, unscaled: 0.6745
// standard deviations of a normal distribution.
func MAD(xs []float64) float64 {
	median := Median(xs)
	away := make([]float64, len(xs))
	for i, x := range xs {
		away[i] = math.Abs(x - median)
	}
	return Median(away)
}
