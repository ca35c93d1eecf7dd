package queue

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
	"time"
)

// A queue that was let go too slowly, or that River refuses, must not keep the
// board's jobs waiting for ever.
func TestTendAfterSlowRelease(t *testing.T) {
	ctx := t.Context()
	q, err := Open(ctx, filepath.Join(t.TempDir(), "lab.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close() //nolint:errcheck // the test is over
	if err := q.AddBoard(ctx, "pi5"); err != nil {
		t.Fatal(err)
	}
	if err := q.within(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO lab_queues (name, board, owner) VALUES ('No Name', 'pi5', 'cyd')")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	sweeps := []Sweep{submit(t, q, "ada", 1), submit(t, q, "ben", 1)}
	d := &driver{
		Controller: Controller{Queue: q, Name: "bench", Boards: []string{"pi5"}, Log: slog.New(slog.DiscardHandler), TTL: time.Hour, Cooldown: 50 * time.Millisecond},
		held:       map[string]*holding{}, plans: map[string]Sweep{}, stop: make(chan struct{}),
	}
	if err := d.start(ctx); err != nil {
		t.Fatal(err)
	}
	defer d.client.StopAndCancel(context.WithoutCancel(ctx)) //nolint:errcheck // the test is over
	lease, err := q.Acquire(ctx, "pi5", "bench", time.Hour)
	if err != nil || lease == nil {
		t.Fatal(lease, err)
	}
	hold := func() *holding {
		h := &holding{lease: *lease, bench: &seen{each: make(chan struct{}, 9)}, flight: map[int64]bool{}, queues: map[string]bool{}}
		h.ctx, h.cancel = context.WithCancelCause(ctx)
		t.Cleanup(func() { h.cancel(nil) })
		return h
	}
	first := hold() // it is nobody's: its jobs are put off
	if err := d.tend(first); err == nil || len(first.queues) != 2 {
		t.Errorf("of three queues, one of them none, jobs are taken from %d: %v", len(first.queues), err)
	}
	late, cancel := context.WithCancel(ctx)
	cancel()
	d.letGo(late, first)
	second := hold()
	d.mu.Lock()
	d.held["pi5"] = second
	d.mu.Unlock()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		d.tend(second) //nolint:errcheck // of the queue without a name
		done := 0
		for _, s := range sweeps {
			x, err := q.Sweep(ctx, s.ID)
			if err != nil {
				t.Fatal(err)
			}
			done += x.Counted
		}
		if done == 2 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%d of 2 trials are measured after a slow release", done)
		}
	}
}
