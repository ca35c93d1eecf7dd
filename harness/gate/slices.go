package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// The windows of a pair of trials are cut into slices, and the arms take turns: what a
// shared machine does to one it then does to the other too. On two cores of a cloud
// host the ratio of two windows of 1 s scattered by 6-10 % one after the other, and by
// less than 3 % in slices. A warm-up goes before each, so that shorter ones cost more
// than they gain. A profiler takes 0.1 s to end.
const (
	sliceTime    = 250 * time.Millisecond
	profiledTime = 500 * time.Millisecond
)

// Method numbers the way in which pairs are measured: blocks of another are no part of
// a series.
const Method = 2

// rounds is how many rounds of four slices the windows of a pair make, 0 where the
// trials are measured one after the other: a sensor needs long windows between idle
// ones.
func (d *Duel) rounds() int {
	if !d.Request.NoEnergy {
		return 0
	}
	return max(1, int(cmp.Or(d.Request.Window, measure.DefaultWindow)/(2*d.slice())))
}

func (d *Duel) slice() time.Duration {
	if d.Request.CPUProfile {
		return profiledTime
	}
	return sliceTime
}

// trials are two trials, one of either arm, as the parts in which they were measured.
type trials struct {
	parts  [2][]wire.MeasureResult
	redone int // parts, or attempts at all of them, that were not valid
}

// mostMisses is how many pairs in a row may fail to be measured together.
const mostMisses = 2

// both measures a trial of either arm, that of the arm of first before the other.
func (s *Series) both(ctx context.Context, d Duel, first byte) (t trials, err error) {
	order := [2]int{int(first - 'A'), int('B' - first)}
	redone := 0
	if d.rounds() > 0 && s.misses < mostMisses {
		t, err = s.together(ctx, d, order)
		if err == nil || !again(ctx, err) {
			s.misses = 0
			return t, err
		}
		// Both at once may be too much for the target's memory.
		s.misses++
		s.broken(ctx)
		s.Progress.Note(store.Warning, fmt.Sprintf("trials of %s: %v; measured one after the other", d.Cell, err))
		redone = t.redone + 1
	}
	t = trials{redone: redone}
	for _, side := range order {
		r, redone, err := s.trial(ctx, d, side)
		if err != nil {
			return t, err
		}
		t.parts[side] = []wire.MeasureResult{r}
		t.redone += redone
	}
	return t, nil
}

// broken lets go of connections after a fault of the target. Both arms' go, since
// the settings that one gives back are the other's too.
func (s *Series) broken(ctx context.Context) {
	for _, arm := range s.Arms {
		arm.broken(ctx)
	}
}

// again says whether measuring anew may help against an error.
func again(ctx context.Context, err error) bool {
	var fault *wire.Error
	var invalid *InvalidError
	switch {
	case ctx.Err() != nil, errors.Is(err, sweep.ErrInterrupted), errors.As(err, &invalid):
		return false
	}
	return !errors.As(err, &fault) || fault.Kind == wire.Target
}

// together measures both trials in turns of a slice.
func (s *Series) together(ctx context.Context, d Duel, order [2]int) (t trials, err error) {
	var runs [2]*running
	for side, arm := range s.Arms {
		if runs[side], err = arm.deploy(ctx, d, side); err != nil {
			return t, err
		}
	}
	release, err := s.Arms[0].turn(ctx)
	if err != nil {
		return t, err
	}
	defer release()
	for _, side := range order {
		if err := runs[side].start(ctx); err != nil {
			return t, err
		}
		defer runs[side].process.Stop()
	}
	n := d.rounds()
	least := cmp.Or(d.Request.MinInferences, measure.DefaultInferences)
	req := d.Request
	req.Window, req.MinInferences = d.slice(), (least+2*n-1)/(2*n)
	for round := range n {
		req.Seed = d.Request.Seed<<16 + uint64(round) // the same texts for the four of a round
		for _, side := range []int{order[0], order[1], order[1], order[0]} {
			r, redone, err := s.slice(ctx, runs[side], req, d.Cell)
			t.redone += redone
			if err != nil {
				return t, err
			}
			t.parts[side] = append(t.parts[side], r)
		}
		order[0], order[1] = order[1], order[0]
	}
	return t, nil
}

// slice measures until a slice is valid, as often as Retries allows. A profile's is
// always: it tells of shares of the process's own time.
func (s *Series) slice(ctx context.Context, run *running, req wire.Measure, cell string) (r wire.MeasureResult, redone int, err error) {
	for ; ; redone++ {
		r, err = run.measure(ctx, req)
		switch {
		case err != nil, r.Verdict == wire.Valid, req.CPUProfile:
			return r, redone, err
		case redone >= s.Retries:
			return r, redone, &InvalidError{r.Verdict, r.Reason, redone + 1}
		case redone == 0:
			continue // what comes once need not be waited for
		}
		s.Progress.Note(store.Warning, fmt.Sprintf("slice of %s, %s: %s: %s", cell, run.arm.Name, r.Verdict, r.Reason))
		if err := s.pause(ctx, redone-1); err != nil {
			return r, redone, err
		}
	}
}

// sides is a metric of both trials, NaN where one lacks it. Of a timed one it is the
// middle of all rounds, and the ratio of the two that of the middle round: each is of
// four neighbours in an order in which a drift cancels.
func (m Metric) sides(t trials) (v [2]float64) {
	if m.Timed && len(t.parts[0]) > 1 {
		var level, change []float64
		for i := 0; i < len(t.parts[0]); i += 2 {
			var logs [2]float64
			for side, parts := range t.parts {
				logs[side] = (math.Log(m.Of(parts[i])) + math.Log(m.Of(parts[i+1]))) / 2
			}
			level, change = append(level, (logs[0]+logs[1])/2), append(change, logs[1]-logs[0])
		}
		if !slices.ContainsFunc(change, math.IsNaN) {
			l, c := stat.Median(level), stat.Median(change)
			return [2]float64{math.Exp(l - c/2), math.Exp(l + c/2)}
		}
	}
	for side, parts := range t.parts {
		v[side] = m.Of(whole(parts))
	}
	return v
}

// whole puts the parts of a trial together, as far as metrics ask.
func whole(parts []wire.MeasureResult) wire.MeasureResult {
	out := parts[0]
	out.Samples = slices.Clone(out.Samples)
	for _, p := range parts[1:] {
		out.Samples = append(out.Samples, p.Samples...)
		out.Items += p.Items
		out.WindowS += p.WindowS
		out.PeakRSSBytes = max(out.PeakRSSBytes, p.PeakRSSBytes)
	}
	return out
}
