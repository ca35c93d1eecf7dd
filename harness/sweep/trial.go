package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// trialLimit bounds one trial beyond its window and warm-up.
const trialLimit = 4 * time.Minute

// TrialLimit is how long a trial may take before its runner is taken for hanging.
func (p *Plan) TrialLimit() time.Duration {
	limit := trialLimit + p.WarmupLimit + 8*p.Window + 2*p.IdleWindow + p.cooling()
	if p.Energy && p.Window == 0 {
		limit += 2 * measure.LongestWindow
	}
	return limit
}

// measure runs the trials that are not done yet: those of one target one after
// the other, targets beside each other. Targets that are given up do not hold
// the others back; they come back as *LostError, of several targets joined.
func (r *run) measure(ctx context.Context) error {
	past, err := r.store.Trials(ctx, r.lease.Run())
	if err != nil {
		return err
	}
	lanes, total := r.lanes(past), 0
	for _, l := range lanes {
		total += l.schedule.remaining()
	}
	r.progress.Stage("trials", total)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(lanes))
	for _, l := range lanes {
		go func() { ended <- l.work(ctx) }()
	}
	var first, lost error
	for range lanes {
		err := <-ended
		var gone *LostError
		switch {
		case err == nil:
		case errors.As(err, &gone):
			lost = errors.Join(lost, err)
		case first == nil: // before the others fail by the cancel
			first = err
			cancel()
		}
	}
	r.complete = first == nil && lost == nil
	for _, l := range lanes {
		r.complete = r.complete && l.schedule.remaining() == 0
	}
	if first != nil {
		return first
	}
	if gone := (*LostError)(nil); !r.shown() && errors.As(lost, &gone) {
		return gone.Err
	}
	return lost
}

// trial measures one attempt in a runner process of its own and stores it. A
// runner that dies or hangs, or a target that does not answer, makes a stored
// trial of the verdict faulted; an error is a fault of the harness, or the end of
// ctx, of which nothing is stored.
func (l *lane) trial(ctx context.Context, c cell, repeat, attempt int) (store.Trial, error) {
	t := store.Trial{Cell: c.id(), Repeat: repeat, Attempt: attempt, Started: time.Now()}
	result, err := l.attempt(ctx, c, uint64(repeat))
	t.Ended = time.Now()
	var not *unbegun
	l.unready = errors.As(err, &not)
	switch {
	case err == nil:
		t.Result = result
	case ctx.Err() != nil:
		return t, ctx.Err()
	case isHarness(err):
		return t, l.lost(fmt.Errorf("trial %s: %w", t.Cell, err))
	default:
		t.Result = wire.MeasureResult{
			Verdict: wire.Faulted, Reason: oneLine(err), Batch: c.axes.Batch, Threshold: c.axes.Threshold,
			Threads: c.axes.Threads, Scenario: l.plan.Scenario,
		}
	}
	// The trial is over: a Ctrl-C now must not lose it.
	return t, l.lease.AddTrial(context.WithoutCancel(ctx), t)
}

func (l *lane) attempt(ctx context.Context, c cell, seed uint64) (wire.MeasureResult, error) {
	var result wire.MeasureResult
	items, model, err := l.deploy(ctx, c)
	if err != nil {
		return result, &unbegun{err}
	}
	if t, ok := l.target.(Turner); ok {
		l.tell("waiting for its turn")
		release, err := t.Turn(ctx)
		if err != nil {
			return result, fmt.Errorf("waiting for a turn: %w", err)
		}
		defer release()
	}
	l.tell("trials")
	ctx, cancel := context.WithTimeout(ctx, l.plan.TrialLimit())
	defer cancel()
	p, err := l.target.Start(ctx)
	if err != nil {
		return result, &unbegun{err}
	}
	if l.started != nil {
		l.started(p.PID())
	}
	if _, err = p.Load(ctx, wire.Load{Model: model, Threads: c.axes.Threads}, l.stage); err == nil {
		result, err = l.ask(ctx, p, wire.Measure{
			Roof:  true,
			Items: items, Batch: c.axes.Batch, Threshold: c.axes.Threshold, Scenario: l.plan.Scenario,
			WarmupLimit: l.plan.WarmupLimit, Window: l.plan.Window, IdleWindow: l.plan.IdleWindow, MinInferences: l.plan.MinInferences,
			Seed: l.plan.Seed<<8 + seed, NoEnergy: !l.plan.Energy, Limits: l.plan.Limits, PowerMode: l.plan.PowerModes[l.name],
		})
	}
	if err != nil {
		return result, p.Fail(err)
	}
	p.Stop()
	label(&result)
	return result, nil
}

// label marks what a board that is none tells: its times are an emulator's and its
// energy a model's.
func label(m *wire.MeasureResult) {
	if m.Env.Virtual != virtualBoard {
		return
	}
	m.Warnings = append(m.Warnings, wire.Warning{Code: stat.Emulated, Text: "the processor is emulated: its times are not the board's"})
	if m.Energy != nil {
		m.Energy.Simulated = true
	}
}

// virtualBoard is what the runner on a virtual board says of its machine.
const virtualBoard = board.Emulated

// meteredIdle is the idle window of a trial whose energy is read at this machine, as
// the runner's own with a sensor on the board.
const meteredIdle = 2 * time.Second

// ask has a runner measure, beside a meter at this machine where the target's is
// one.
func (l *lane) ask(ctx context.Context, p *Process, req wire.Measure) (wire.MeasureResult, error) {
	m, ok := l.target.(Metered)
	if !ok || req.NoEnergy {
		return p.Measure(ctx, req, l.stage)
	}
	meter, err := m.Meter(ctx)
	if err != nil {
		return wire.MeasureResult{}, fmt.Errorf("opening the energy meter of %s at this machine: %w", l.name, err)
	}
	if meter == nil {
		return p.Measure(ctx, req, l.stage)
	}
	defer meter.Close() //nolint:errcheck // what it read is judged by itself
	req.NoEnergy, req.Outside = true, true
	req.Window, req.IdleWindow = cmp.Or(req.Window, measure.EnergyWindow(meter.Describe().Cycle)), cmp.Or(req.IdleWindow, meteredIdle)
	outside, err := measure.StartOutside(ctx, meter, req.Window, req.Seed, p.Time)
	if err != nil {
		return wire.MeasureResult{}, err
	}
	result, err := p.Measure(ctx, req, l.stage)
	if err != nil {
		return result, errors.Join(err, outside.Stop())
	}
	limits := wire.DefaultLimits()
	if req.Limits != nil {
		limits = *req.Limits
	}
	outside.Finish(ctx, &result, measure.Limits(limits))
	return result, nil
}

// died says whether an error means that a runner went away, not that it answered.
func died(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Kind == wire.Target && e.Unwrap() != nil
}

// isHarness says whether trying again cannot help: wrong use, a missing feature
// or a version that does not match.
func isHarness(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && (e.Kind == wire.Harness || e.Kind == wire.Unsupported)
}

// oneLine shortens an error to what fits a table of trials.
func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if r := []rune(text); len(r) > 400 {
		text = string(r[:399]) + "…"
	}
	return text
}
