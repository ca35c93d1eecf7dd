package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// worker does River's jobs.
type worker struct {
	river.WorkerDefaults[trialArgs]
	d *driver
}

// Timeout is none: a trial has limits of its own.
func (*worker) Timeout(*river.Job[trialArgs]) time.Duration { return -1 }

// NextRetry asks again soon: what fails here is the database or a lost lease, not
// the trial.
func (*worker) NextRetry(*river.Job[trialArgs]) time.Time { return time.Now().Add(time.Second) }

// Work measures one trial. It returns nil only for one whose end is recorded.
func (w *worker) Work(ctx context.Context, job *river.Job[trialArgs]) error {
	h := w.d.holding(job.Args.Board)
	if h == nil || !h.begin(job.ID) {
		return river.JobSnooze(time.Second)
	}
	defer h.end(job.ID)
	ctx, cancel := context.WithCancelCause(extract(ctx, job.Args.Trace))
	defer cancel(nil)
	defer context.AfterFunc(h.ctx, func() { cancel(context.Cause(h.ctx)) })()
	ctx, span := tracer().Start(ctx, "lab.trial", trace.WithAttributes(
		attribute.String("lab.sweep", job.Args.Sweep), attribute.String("lab.owner", job.Args.Owner), attribute.String("lab.board", job.Args.Board),
		attribute.String("lab.cell", job.Args.Cell), attribute.Int("lab.repeat", job.Args.Repeat), attribute.Int64("lab.fence", h.now().Fence),
		attribute.Float64("lab.queued_s", time.Since(job.CreatedAt).Seconds())))
	defer span.End()
	err := w.trial(ctx, h, job)
	if err != nil && !errors.As(err, new(*river.JobSnoozeError)) {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}

// begin notes a job that River has handed out; false when the lease is ending.
func (h *holding) begin(id int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leaving || h.ctx.Err() != nil {
		return false
	}
	h.flight[id] = true
	h.work.Add(1)
	return true
}

func (h *holding) end(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.flight, id)
	h.work.Done()
}

func (w *worker) trial(ctx context.Context, h *holding, job *river.Job[trialArgs]) error {
	a, d := job.Args, w.d
	_, span := tracer().Start(ctx, "lab.turn")
	leave, err := h.turn.enter(ctx, a.Owner, job.Priority)
	span.End()
	if errors.Is(err, errTurnedAway) {
		return river.JobSnooze(time.Second)
	}
	if err != nil {
		return err
	}
	defer leave()
	if d.Hooks.Waited != nil {
		d.Hooks.Waited(a.Board, time.Since(job.CreatedAt))
	}
	p, err := d.Queue.past(ctx, a)
	if err != nil {
		return err
	}
	if p.done || !p.active {
		return d.Queue.within(ctx, "completing a job", func(ctx context.Context, tx *sql.Tx) error { return d.Queue.complete(ctx, tx, job) })
	}
	sweep, err := d.sweep(ctx, a.Sweep)
	if err != nil {
		return err
	}
	for {
		t := Trial{
			Sweep: a.Sweep, Owner: a.Owner, Board: a.Board, Cell: a.Cell, Axes: a.Axes, Plan: sweep.Plan, Repeat: a.Repeat,
			Attempt: len(p.verdicts), Fence: h.now().Fence,
			Tell: func(level, text string) { d.tell(ctx, a, level, text) },
		}
		o, err := w.measure(ctx, h, t)
		if err != nil {
			return err
		}
		p.verdicts = append(p.verdicts, o.Verdict)
		last := ends(p.verdicts, a.Retries)
		if err := w.record(ctx, h, job, t.Attempt, o, last); err != nil || last {
			return err
		}
		if h.turn.shut(a.Owner) || d.stopping() {
			return river.JobSnooze(time.Second)
		}
	}
}

// measure measures one attempt. A board that cannot be reached is asked again, in
// growing pauses, as long as its lease lasts and the trial may run.
func (w *worker) measure(ctx context.Context, h *holding, t Trial) (Outcome, error) {
	w.d.doing(ctx, h, fmt.Sprintf("%s · %s · %s repeat %d", t.Owner, t.Sweep, t.Cell, t.Repeat+1))
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		ctx, span := tracer().Start(ctx, "lab.measure", trace.WithAttributes(attribute.Int("lab.attempt", t.Attempt)))
		o, err := h.bench.Measure(ctx, t)
		span.SetAttributes(attribute.String("lab.verdict", string(o.Verdict)))
		span.End()
		if err == nil && ctx.Err() == nil {
			return o, nil
		}
		if ctx.Err() != nil {
			return o, context.Cause(ctx)
		}
		w.d.Log.Warn("board cannot be reached", "board", t.Board, "error", err, "again_in_s", pause.Seconds())
		t.Tell("warning", t.Board+" cannot be reached: "+err.Error())
		w.d.doing(ctx, h, "away: "+err.Error())
		select {
		case <-ctx.Done():
			return o, context.Cause(ctx)
		case <-w.d.stop:
		case <-time.After(pause):
		}
		if h.turn.shut(t.Owner) || w.d.stopping() {
			return o, river.JobSnooze(time.Second)
		}
	}
}

// record records an attempt. While the database is away it is tried again, as long
// as the lease lasts: what is measured is not thrown away.
func (w *worker) record(ctx context.Context, h *holding, job *river.Job[trialArgs], attempt int, o Outcome, last bool) error {
	ctx, span := tracer().Start(ctx, "lab.record")
	defer span.End()
	for {
		l := h.now()
		err := w.d.Queue.record(ctx, &l, job, attempt, o, last)
		switch {
		case err == nil:
			if w.d.Hooks.Recorded != nil {
				w.d.Hooks.Recorded(l.Board, o.Verdict, o.Ended.Sub(o.Started))
			}
			w.d.Log.Info("trial recorded", "board", l.Board, "fence", l.Fence, "sweep", job.Args.Sweep, "cell", job.Args.Cell,
				"repeat", job.Args.Repeat, "attempt", attempt, "verdict", o.Verdict, "took_s", o.Ended.Sub(o.Started).Seconds())
			w.d.tell(ctx, job.Args, "info", fmt.Sprintf("%s repeat %d: %s %s", job.Args.Cell, job.Args.Repeat+1, o.Verdict, o.Reason))
			return nil
		case errors.Is(err, ErrFenced):
			if w.d.Hooks.Refused != nil {
				w.d.Hooks.Refused(l.Board)
			}
			h.cancel(err)
			return err
		case ctx.Err() != nil || isConflict(err):
			return err
		}
		w.d.Log.Warn("trial cannot be recorded yet", "board", l.Board, "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// sweep reads a sweep once.
func (d *driver) sweep(ctx context.Context, id string) (Sweep, error) {
	d.mu.Lock()
	s, ok := d.plans[id]
	d.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := d.Queue.Sweep(ctx, id)
	if err != nil {
		return s, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.plans) >= 256 {
		clear(d.plans)
	}
	d.plans[id] = s
	return s, nil
}

// tell notes something in a sweep's log; what cannot be noted is told here only.
func (d *driver) tell(ctx context.Context, a trialArgs, level, text string) {
	if err := d.Queue.Tell(ctx, a.Sweep, a.Board, level, text); err != nil && ctx.Err() == nil {
		d.Log.Warn("the sweep's log cannot be written", "error", err, "text", text)
	}
}

// doing shows what is on the board.
func (d *driver) doing(ctx context.Context, h *holding, what string) {
	l := h.now()
	err := d.Queue.within(ctx, "showing what is on the board", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, d.Queue.dialect.sql("UPDATE lab_boards SET doing = $1 WHERE name = $2 AND holder = $3 AND fence = $4"), what, l.Board, l.Holder, l.Fence)
		return err
	})
	if err != nil && ctx.Err() == nil {
		d.Log.Warn("what is on the board cannot be shown", "board", l.Board, "error", err)
	}
}
