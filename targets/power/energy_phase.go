package power

import (
	"math"
	"math/cmplx"
	"slices"
	"time"
)

// Concentration says how unevenly the readings fall within the load's own
// cycles, which begin at starts: 0 is even, 1 means that every reading met the
// load at the same point of a cycle and its energy is of that point alone. n is
// the number of readings that were looked at.
//
// It is the mean resultant length of Rayleigh's test (Mardia and Jupp,
// Directional Statistics, 6.3.1), of which even readings reach R with a
// probability of exp(−n·R²); times what is left of a cycle's fundamental in the
// mean over Averaged. A counter misses nothing: 0.
//
// Where the sensor has a Cycle and makes short conversions by its own clock, the
// moments of conversion are not seen. Cycles of the load that follow it too
// closely to drift apart within the readings are then concentrated too.
func (s *Series) Concentration(starts []time.Duration) (r float64, n int) {
	rail := slices.IndexFunc(s.desc.Rails, func(r Rail) bool { return r.InTotal && !r.Counter })
	if rail < 0 || len(starts) < 2 {
		return 0, 0
	}
	from, to := starts[0], starts[len(starts)-1]
	var sum complex128
	for _, p := range s.points(rail, from, to) {
		at := from + time.Duration(p.x*float64(time.Second))
		if at < from || at >= to {
			continue
		}
		k, exact := slices.BinarySearch(starts, at)
		if exact {
			k++
		}
		length := starts[k] - starts[k-1]
		if length <= 0 {
			continue
		}
		sum += cmplx.Rect(1, 2*math.Pi*float64(at-starts[k-1])/float64(length))
		n++
	}
	if n == 0 {
		return 0, 0
	}
	period := (to - from).Seconds() / float64(len(starts)-1)
	r = cmplx.Abs(sum) / float64(n)
	r = max(r, follows(s.desc.Cycle.Seconds(), period, (to-from).Seconds()))
	return r * math.Abs(sinc(s.desc.Averaged.Seconds()/period)), n
}

// follows is the resultant length of conversions every cycle seconds in a load
// of that period, as far as it stays below the sensor's own rate; 0 for a load
// that the conversions resolve.
func follows(cycle, period, seconds float64) float64 {
	turns := cycle / period
	if turns < 0.75 {
		return 0
	}
	n := max(1, seconds/cycle)
	miss := turns - math.Round(turns)
	if math.Abs(miss)*n < 1e-9 {
		return 1
	}
	return math.Abs(math.Sin(math.Pi*miss*n) / (n * math.Sin(math.Pi*miss)))
}

// sinc is sin(πx)/(πx).
func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// Aliased says whether a concentration of n readings is one: too strong for
// chance (1 in 1,000), and strong enough to matter.
func Aliased(r float64, n int) bool { return r > 0.3 && float64(n)*r*r > math.Log(1000) }
