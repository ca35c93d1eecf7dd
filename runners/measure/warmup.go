package measure

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// settling bounds a warm-up.
type settling struct {
	// A lap repeats the same batches, so that laps can be compared though texts
	// differ in length. It takes at least LapTime.
	LapTime time.Duration
	// Laps is how many of the latest laps the drift is fitted to.
	Laps int
	// Drift is the greatest relative change of latency over those laps.
	Drift float64
	// LeastLimit and MostLimit bound the default time limit, which is
	// LimitLaps times the first lap.
	LeastLimit, MostLimit time.Duration
	LimitLaps             int
	// ThermalTime and ThermalC: before a window long enough to read energy in,
	// the temperature may change by so much over so long.
	ThermalTime time.Duration
	ThermalC    float64
}

var defaultSettling = settling{
	LapTime: 20 * time.Millisecond, Laps: 6, Drift: 0.05,
	LeastLimit: 3 * time.Second, MostLimit: 30 * time.Second, LimitLaps: 12,
	ThermalTime: 5 * time.Second, ThermalC: 1,
}

// within is s with the limit of a temperature's change: so slow that it would
// take ThermalTime to change by ThermalC, which is about a sensor's step.
func (s settling) within(l Limits) settling {
	if l.TempCPerMin > 0 {
		s.ThermalTime = time.Duration(s.ThermalC / l.TempCPerMin * float64(time.Minute))
	}
	return s
}

// warmth is how a warm-up ended.
type warmth struct {
	counts
	settled bool
	seconds float64
	drift   float64 // relative change of latency over the last laps
}

// warmUp runs laps until their times have settled or limit (0 = the default) is
// over. thermal, where not nil, reads a temperature that has to settle too.
func (w *workload) warmUp(ctx context.Context, s settling, limit time.Duration, thermal func() *float64) (warmth, error) {
	var out warmth
	began := time.Now()
	if err := w.grow(ctx, &out); err != nil {
		return out, err
	}
	joining := time.Now()
	joinPages()
	first := time.Now()
	began = began.Add(first.Sub(joining)) // no part of a warm-up's time
	lap, err := w.firstLap(ctx, s, &out)
	if err != nil {
		return out, err
	}
	if limit <= 0 {
		limit = time.Duration(s.LimitLaps) * time.Since(first)
		limit = min(max(limit, s.LeastLimit), s.MostLimit)
		if thermal != nil {
			limit = max(limit, 12*s.ThermalTime)
		}
	}
	steady, heat := steadiness{settling: s}, heat{s: s, read: thermal}
	for {
		start := time.Now()
		for _, batch := range lap {
			copy(w.batch, batch)
			st, err := w.infer(ctx)
			if err != nil {
				return out, err
			}
			out.add(st, len(batch))
		}
		steady.add(time.Since(start).Seconds())
		hot := !heat.settled(time.Now())
		out.drift, out.settled = steady.drift, steady.settled() && !hot
		out.seconds = time.Since(began).Seconds()
		if out.settled || time.Since(began) >= limit {
			return out, nil
		}
	}
}

// grow runs the longest batch there can be, so that no buffer of the engine has
// to grow in the window.
func (w *workload) grow(ctx context.Context, out *warmth) error {
	w.queue.longest(w.batch)
	st, err := w.infer(ctx)
	if err == nil {
		out.add(st, len(w.batch))
	}
	return err
}

// firstLap runs the first inferences and returns the batches that later laps
// repeat.
func (w *workload) firstLap(ctx context.Context, s settling, out *warmth) ([][][]int32, error) {
	var lap [][][]int32
	for began := time.Now(); len(lap) == 0 || time.Since(began) < s.LapTime; {
		w.queue.take(w.batch)
		lap = append(lap, slices.Clone(w.batch))
		st, err := w.infer(ctx)
		if err != nil {
			return nil, err
		}
		out.add(st, len(w.batch))
	}
	return lap, nil
}

// steadiness watches the times of laps.
type steadiness struct {
	settling
	laps  []float64 // the latest, in seconds
	drift float64
}

func (x *steadiness) add(seconds float64) {
	x.laps = append(x.laps, seconds)
	if len(x.laps) > x.Laps {
		x.laps = x.laps[1:]
	}
	if x.full() {
		x.drift = drift(x.laps)
	}
}

func (x *steadiness) full() bool { return len(x.laps) == x.Laps }

func (x *steadiness) settled() bool { return x.full() && math.Abs(x.drift) <= x.Drift }

// drift is the relative change from the first to the last of times along the
// line whose slope is the median of all pairs' slopes (Theil-Sen), which one
// interrupted lap does not move.
func drift(times []float64) float64 {
	var slopes []float64
	for i := range times {
		for j := i + 1; j < len(times); j++ {
			slopes = append(slopes, (times[j]-times[i])/float64(j-i))
		}
	}
	return stat.Median(slopes) * float64(len(times)-1) / stat.Median(times)
}

// heat watches a temperature once a second.
type heat struct {
	s    settling
	read func() *float64
	at   []time.Time
	c    []float64
}

// settled says whether the temperature stayed within bounds over the last
// ThermalTime, or is not known.
func (h *heat) settled(now time.Time) bool {
	if h.read == nil {
		return true
	}
	if n := len(h.at); n == 0 || now.Sub(h.at[n-1]) >= h.s.ThermalTime/5 {
		c := h.read()
		if c == nil {
			return true
		}
		h.at, h.c = append(h.at, now), append(h.c, *c)
	}
	for len(h.at) > 1 && now.Sub(h.at[1]) >= h.s.ThermalTime {
		h.at, h.c = h.at[1:], h.c[1:]
	}
	return now.Sub(h.at[0]) >= h.s.ThermalTime && slices.Max(h.c)-slices.Min(h.c) <= h.s.ThermalC
}
