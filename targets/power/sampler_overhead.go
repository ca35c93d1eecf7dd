package power

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Overhead is what sampling costs the work that it measures.
type Overhead struct {
	// LossRel is the share of throughput that is lost, with its 95 % interval.
	LossRel Interval
	// CPUShare is the sampler's share of one core, NaN where it is not told.
	CPUShare float64
	Blocks   int
}

// MeasureOverhead runs work, which returns its throughput in any unit, with the
// sampler off, on, on and off, so that a drift of the machine cancels, in so many
// blocks, of which two at least are needed for an interval (Student's t).
func MeasureOverhead(ctx context.Context, m Meter, period time.Duration, blocks int, work func(context.Context) (float64, error)) (Overhead, error) {
	if blocks < 2 {
		return Overhead{}, fmt.Errorf("measuring the sampler's cost: %d blocks, at least 2 are needed", blocks)
	}
	losses := make([]float64, 0, blocks)
	var cpu, shares float64
	for b := range blocks {
		var sums [2]float64
		for _, on := range []int{0, 1, 1, 0} {
			rate, share, err := sampled(ctx, m, period, uint64(b), on == 1, work)
			if err != nil {
				return Overhead{}, fmt.Errorf("measuring the sampler's cost, block %d: %w", b+1, err)
			}
			if !(rate > 0) {
				return Overhead{}, fmt.Errorf("measuring the sampler's cost, block %d: a throughput of %g", b+1, rate)
			}
			sums[on] += rate
			if on == 1 {
				cpu += share
				shares++
			}
		}
		losses = append(losses, 1-sums[1]/sums[0])
	}
	loss, half := meanT(losses)
	return Overhead{LossRel: Interval{loss, loss - half, loss + half}, CPUShare: cpu / shares, Blocks: blocks}, nil
}

// sampled runs work once.
func sampled(ctx context.Context, m Meter, period time.Duration, seed uint64, on bool, work func(context.Context) (float64, error)) (rate, share float64, err error) {
	if !on {
		rate, err = work(ctx)
		return rate, 0, err
	}
	s, err := StartSampler(m, period, seed)
	if err != nil {
		return 0, 0, err
	}
	rate, err = work(ctx)
	if markErr := s.Mark(); err == nil {
		err = markErr
	}
	if stopErr := s.Stop(); err == nil {
		err = stopErr
	}
	return rate, s.series.cpuShare(0, len(s.series.at)), err
}

// meanT is the mean and the half-width of its 95 % interval by Student's t.
func meanT(xs []float64) (mean, half float64) {
	n := float64(len(xs))
	for _, x := range xs {
		mean += x / n
	}
	variance := 0.0
	for _, x := range xs {
		variance += (x - mean) * (x - mean) / (n - 1)
	}
	return mean, studentT(len(xs)-1) * math.Sqrt(variance/n)
}

// studentT is the 0.975 quantile (JCGM 100:2008, table G.2), beyond the table by
// Fisher's expansion to 0.1 %.
func studentT(freedom int) float64 {
	table := []float64{12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	z, f := 1.959964, float64(freedom)
	return z + (z*z*z+z)/(4*f) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*f*f)
}
