package sweep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// trialLimit bounds one trial beyond its window and warm-up.
const trialLimit = 4 * time.Minute

// maxFaults is how many attempts of one trial may end without a result. They do
// not count against the retries of invalid measurements.
const maxFaults = 4

// slot is one trial of the plan: it is done when an attempt was valid or the
// attempts are used up.
type slot struct {
	cell, repeat int
}

// history is what the store knows of a slot.
type history struct {
	valid    bool
	attempts int // attempts stored, which is the next one's number
	invalid  int
	faults   int
}

func (h *history) add(v wire.Verdict) {
	h.attempts++
	switch v {
	case wire.Valid:
		h.valid = true
	case wire.Faulted:
		h.faults++
	default:
		h.invalid++
	}
}

// done says whether a slot needs no further attempt.
func (h history) done(retries int) bool {
	return h.valid || h.invalid > retries || h.faults >= maxFaults
}

// schedule is the order of a plan's trials: blocks of one repeat of every cell,
// each in a random order of its own, so that a drift of the machine meets all
// cells alike. It depends on the seed only, not on where a run was interrupted.
type schedule struct {
	plan  Plan
	cells int
	past  map[slot]*history
}

func newSchedule(p Plan, cells int) *schedule {
	return &schedule{plan: p, cells: cells, past: map[slot]*history{}}
}

func (s *schedule) history(at slot) *history {
	h := s.past[at]
	if h == nil {
		h = &history{}
		s.past[at] = h
	}
	return h
}

// block returns the slots of one repeat that are not done, in their order.
func (s *schedule) block(repeat, pass int) []slot {
	// Retries come in another order than first attempts.
	rng := rand.New(rand.NewPCG(s.plan.Seed, uint64(repeat)<<16|uint64(pass)))
	var out []slot
	for _, c := range rng.Perm(s.cells) {
		if at := (slot{c, repeat}); !s.history(at).done(s.plan.Retries) {
			out = append(out, at)
		}
	}
	return out
}

// remaining counts the slots that are not done.
func (s *schedule) remaining() int {
	n := 0
	for r := range s.plan.Repeats {
		for c := range s.cells {
			if !s.history(slot{c, r}).done(s.plan.Retries) {
				n++
			}
		}
	}
	return n
}

// measure runs the trials that are not done yet.
func (r *run) measure(ctx context.Context) error {
	s := newSchedule(r.plan, len(r.cells))
	past, err := r.store.Trials(ctx, r.lease.Run())
	if err != nil {
		return err
	}
	index := map[string]int{}
	for i, c := range r.cells {
		index[c.axes.ID()] = i
	}
	for _, t := range past {
		if c, ok := index[t.Cell]; ok {
			s.history(slot{c, t.Repeat}).add(t.Result.Verdict)
		}
	}
	r.progress.Stage("trials", s.remaining())
	faults := 0 // in a row
	for repeat := range r.plan.Repeats {
		for pass := 0; ; pass++ {
			todo := s.block(repeat, pass)
			if len(todo) == 0 {
				break
			}
			for _, at := range todo {
				if r.stopping() || r.overBudget() {
					return nil
				}
				h := s.history(at)
				t, err := r.trial(ctx, r.cells[at.cell], at.repeat, h.attempts)
				if err != nil {
					return err
				}
				h.add(t.Result.Verdict)
				if h.done(r.plan.Retries) {
					r.progress.Step(1, "")
				}
				if faults = r.faultsInARow(faults, t); faults >= maxFaultsInARow {
					return &wire.Error{Kind: wire.Target, Text: fmt.Sprintf("%d trials in a row ended without a result, the last: %s", faults, t.Result.Reason)}
				}
			}
		}
	}
	r.complete = true
	return nil
}

const maxFaultsInARow = 12

func (r *run) faultsInARow(n int, t store.Trial) int {
	if t.Result.Verdict == wire.Valid {
		return 0
	}
	r.progress.Note(store.Warning, fmt.Sprintf("trial %s repeat %d: %s: %s", t.Cell, t.Repeat+1, t.Result.Verdict, t.Result.Reason))
	if t.Result.Verdict == wire.Faulted {
		return n + 1
	}
	return 0
}

// trial measures one attempt in a runner process of its own and stores it. A
// runner that dies or hangs makes a stored trial of the verdict faulted; an
// error is a fault of the harness, or the end of ctx, of which nothing is stored.
func (r *run) trial(ctx context.Context, c cell, repeat, attempt int) (store.Trial, error) {
	t := store.Trial{Cell: c.axes.ID(), Repeat: repeat, Attempt: attempt, Started: time.Now()}
	result, err := r.attempt(ctx, c, uint64(repeat))
	t.Ended = time.Now()
	switch {
	case err == nil:
		t.Result = result
	case ctx.Err() != nil:
		return t, ctx.Err()
	case isHarness(err):
		return t, fmt.Errorf("trial %s: %w", t.Cell, err)
	default:
		t.Result = wire.MeasureResult{
			Verdict: wire.Faulted, Reason: oneLine(err), Batch: c.axes.Batch, Threshold: c.axes.Threshold,
			Threads: c.axes.Threads, Scenario: r.plan.Scenario,
		}
	}
	// The trial is over: a Ctrl-C now must not lose it.
	return t, r.lease.AddTrial(context.WithoutCancel(ctx), t)
}

func (r *run) attempt(ctx context.Context, c cell, seed uint64) (wire.MeasureResult, error) {
	ctx, cancel := context.WithTimeout(ctx, trialLimit+r.plan.WarmupLimit+8*r.plan.Window)
	defer cancel()
	p, err := r.launch.Start(ctx)
	if err != nil {
		return wire.MeasureResult{}, err
	}
	if r.started != nil {
		r.started(p.PID())
	}
	var result wire.MeasureResult
	if _, err = p.Load(ctx, wire.Load{Model: c.artefact.Path, Threads: c.axes.Threads}, nil); err == nil {
		result, err = p.Measure(ctx, wire.Measure{
			Items: r.source.Items, Batch: c.axes.Batch, Threshold: c.axes.Threshold, Scenario: r.plan.Scenario,
			WarmupLimit: r.plan.WarmupLimit, Window: r.plan.Window, MinInferences: r.plan.MinInferences, Seed: r.plan.Seed<<8 + seed,
			NoEnergy: !r.plan.Energy,
		}, nil)
	}
	if err != nil {
		return result, p.fail(err)
	}
	p.Stop()
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
