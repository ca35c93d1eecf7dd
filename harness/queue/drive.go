package queue

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// driver is a controller that runs.
type driver struct {
	Controller
	client *river.Client[*sql.Tx]
	stop   <-chan struct{}

	mu    sync.Mutex
	held  map[string]*holding
	plans map[string]Sweep // by id
}

// start begins to take jobs, of no queue yet.
func (d *driver) start(ctx context.Context) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{d: d})
	var err error
	d.client, err = river.NewClient(d.Queue.driver, &river.Config{
		ID: d.Name, Logger: d.Log, Workers: workers,
		// The queues are those of the boards whose leases are held; River wants one.
		Queues:        map[string]river.QueueConfig{"controller-" + Token(8): {MaxWorkers: 1}},
		JobTimeout:    -1, // a trial has limits of its own
		FetchCooldown: d.Cooldown, FetchPollInterval: max(d.Cooldown, time.Second),
		RescueStuckJobsAfter: 24 * time.Hour, // jobs of lost leases are put back by who takes the lease
	})
	if err != nil {
		return err
	}
	return d.client.Start(context.WithoutCancel(ctx))
}

// holding is a lease and what is done under it.
type holding struct {
	ctx    context.Context // ends when the lease may no longer be relied on
	cancel context.CancelCauseFunc
	turn   turnstile
	bench  Bench

	mu     sync.Mutex
	lease  Lease
	expiry *time.Timer
	flight map[int64]bool // jobs that River has handed out to this process
	work   sync.WaitGroup
	// leaving says that no further job is begun.
	leaving bool

	queues map[string]bool // of this board that jobs are taken from; true = paused
}

func (h *holding) now() Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease
}

// holding returns what is held of a board; nil where another controller has it.
func (d *driver) holding(board string) *holding {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held[board]
}

func (d *driver) stopping() bool {
	select {
	case <-d.stop:
		return true
	default:
		return false
	}
}

// keep takes the board's lease whenever it can be had, and drives the board while
// it lasts.
func (d *driver) keep(ctx context.Context, board string) {
	for ctx.Err() == nil && !d.stopping() {
		lease, err := d.Queue.Acquire(ctx, board, d.Name, d.TTL)
		if errors.Is(err, ErrNotFound) {
			if err = d.Queue.AddBoard(ctx, board); err == nil {
				continue
			}
		}
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("lease cannot be taken", "board", board, "error", err)
		}
		if lease != nil {
			d.drive(ctx, *lease)
			continue
		}
		pause := d.TTL/8 + rand.N(d.TTL/8)
		select {
		case <-ctx.Done():
		case <-d.stop:
		case <-time.After(pause):
		}
	}
}

// errExpired ends what runs under a lease that could not be renewed in time.
var errExpired = errors.New("the board's lease could not be renewed in time")

// drive measures under one lease until it is lost, or the controller ends.
func (d *driver) drive(ctx context.Context, lease Lease) {
	board := lease.Board
	h := &holding{lease: lease, bench: d.Open(board), flight: map[int64]bool{}, queues: map[string]bool{}}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	h.expiry = time.AfterFunc(time.Until(lease.Until), func() { h.cancel(errExpired) })
	d.Log.Info("lease taken", "board", board, "fence", lease.Fence)
	d.mu.Lock()
	d.held[board] = h
	d.mu.Unlock()

	rescued := false
	var looked time.Time
	for h.ctx.Err() == nil && !d.stopping() {
		if !rescued || time.Since(looked) > d.TTL {
			horizon := time.Now().Add(-2 * d.TTL)
			if !rescued {
				horizon = time.Now().Add(time.Hour) // nobody else can have begun one
			}
			if err := d.rescue(h, horizon); err == nil {
				rescued, looked = true, time.Now()
			} else if h.ctx.Err() == nil {
				d.Log.Warn("jobs of the lease before cannot be put back", "board", board, "error", err)
			}
		}
		if rescued {
			if err := d.tend(h); err != nil && h.ctx.Err() == nil {
				d.Log.Warn("queues cannot be looked through", "board", board, "error", err)
			}
		}
		select {
		case <-h.ctx.Done():
		case <-d.stop:
		case <-time.After(min(d.TTL/8, time.Second)):
		}
		d.renew(h)
	}
	d.leave(ctx, h)
}

// renew renews the lease when a quarter of it is used, and ends the holding where
// that is refused.
func (d *driver) renew(h *holding) {
	l := h.now()
	if time.Until(l.Until) > d.TTL/2 || h.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithDeadline(h.ctx, l.Until)
	defer cancel()
	err := d.Queue.Renew(ctx, &l, d.TTL)
	switch {
	case err == nil:
		h.mu.Lock()
		if h.expiry.Stop() {
			h.expiry.Reset(time.Until(l.Until))
		}
		h.lease = l
		h.mu.Unlock()
	case errors.Is(err, ErrFenced):
		h.cancel(err)
	case h.ctx.Err() == nil:
		d.Log.Warn("lease cannot be renewed", "board", l.Board, "error", err)
	}
}

// leave ends a holding: the running trial is finished where the lease allows it,
// else broken off.
func (d *driver) leave(ctx context.Context, h *holding) {
	board := h.lease.Board
	h.mu.Lock()
	h.leaving = true
	h.mu.Unlock()
	h.turn.close(func(string) bool { return true })
	idle := make(chan struct{})
	go func() { h.work.Wait(); close(idle) }()
	for done := false; !done; {
		select {
		case <-idle:
			done = true
		case <-time.After(min(d.TTL/8, time.Second)):
			d.renew(h)
		}
	}
	if cause := context.Cause(h.ctx); cause != nil && ctx.Err() == nil {
		d.Log.Warn("lease lost", "board", board, "fence", h.lease.Fence, "error", cause)
		if d.Hooks.Lost != nil {
			d.Hooks.Lost(board)
		}
	}
	d.mu.Lock()
	delete(d.held, board)
	d.mu.Unlock()
	d.letGo(context.WithoutCancel(ctx), h)
	// Slow queues must not use up the time in which the board is given back.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementLimit)
	defer cancel()
	h.bench.Close(clean)
	l := h.now()
	if err := d.Queue.Release(clean, &l); err != nil {
		d.Log.Warn("lease cannot be given back; it will expire", "board", board, "error", err)
	}
	h.expiry.Stop()
	h.cancel(nil)
}

// letGo takes no more jobs of a holding's queues. One that does not end in time is
// let go by the next holding.
func (d *driver) letGo(ctx context.Context, h *holding) {
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	for name := range h.queues {
		if err := d.client.Queues().Remove(ctx, name); err != nil {
			d.Log.Warn("queue cannot be let go", "board", h.lease.Board, "queue", name, "error", err)
		}
	}
}

// finish closes sweeps whose trials are all done.
func (d *driver) finish(ctx context.Context) {
	for ctx.Err() == nil && !d.stopping() {
		if err := d.Queue.Finish(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("sweeps cannot be closed", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-d.stop:
		case <-time.After(2 * time.Second):
		}
	}
}

// keepLog is how long the log of a sweep that is over is kept. Its results stay.
const keepLog = 30 * 24 * time.Hour

// Finish closes the active sweeps all of whose trials are done, and forgets the
// logs of those that were over long ago.
func (q *Queue) Finish(ctx context.Context) error {
	return q.within(ctx, "closing sweeps", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, q.dialect.sql(`UPDATE lab_sweeps SET state = 'done', ended_us = {now} WHERE state = 'active'
			AND total = (SELECT count(*) FROM lab_trials t WHERE t.sweep = lab_sweeps.id AND t.last = 1)`))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, q.dialect.sql("DELETE FROM lab_log WHERE sweep IN (SELECT id FROM lab_sweeps WHERE ended_us > 0 AND ended_us < {now} - $1)"), keepLog.Microseconds())
		return err
	})
}
