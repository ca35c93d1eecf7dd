package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Bench measures trials on one board. It is used by one goroutine at a time.
type Bench interface {
	// Measure measures one attempt. An error says that the board could not be
	// reached, so that there is nothing to record: it is asked again. At the end of
	// ctx it must have let go of the board when it returns.
	Measure(ctx context.Context, t Trial) (Outcome, error)
	// Close lets go of the board for good.
	Close(ctx context.Context)
}

// Controller drives boards: it keeps their leases and measures the trials of
// their queues, one at a time on each. Several controllers may have the same
// boards; one of them drives each.
type Controller struct {
	Queue  *Queue
	Name   string // of the holder of leases, unique among the controllers
	Boards []string
	Open   func(board string) Bench
	Log    *slog.Logger
	Hooks  Hooks

	TTL      time.Duration // of a lease; 0 = DefaultTTL
	Cooldown time.Duration // least pause between two fetches of a queue; 0 = 50 ms
}

// DefaultTTL is how long a board waits for a controller that is gone. A lease is
// renewed four times in that.
const DefaultTTL = 20 * time.Second

// Hooks hear what a controller does, for its metrics. Each may be nil.
type Hooks struct {
	Recorded func(board string, v wire.Verdict, took time.Duration)
	Refused  func(board string) // a result that came after the lease was lost
	Lost     func(board string) // a lease that was lost
	Waited   func(board string, waited time.Duration)
}

// Run drives the boards until ctx ends, or until stop is closed and the running
// trials are finished.
func (c Controller) Run(ctx context.Context, stop <-chan struct{}) error {
	c.TTL, c.Cooldown = cmp.Or(c.TTL, DefaultTTL), cmp.Or(c.Cooldown, 50*time.Millisecond)
	if c.Name == "" {
		return errors.New("a controller needs a name")
	}
	for _, board := range c.Boards {
		if !boardName.MatchString(board) {
			return usage("board %q: a name has up to 63 letters, digits, dots, dashes and underscores", board)
		}
	}
	d := &driver{Controller: c, held: map[string]*holding{}, plans: map[string]Sweep{}, stop: stop}
	for {
		err := d.start(ctx)
		if err == nil {
			break
		}
		c.Log.Warn("no jobs can be taken yet", "error", err) // its database may be away
		select {
		case <-ctx.Done():
			return fmt.Errorf("starting to take jobs: %w", err)
		case <-stop:
			return nil
		case <-time.After(time.Second):
		}
	}
	var group sync.WaitGroup
	for _, board := range c.Boards {
		group.Go(func() { d.keep(ctx, board) })
	}
	group.Go(func() { d.finish(ctx) })
	group.Wait()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*statementLimit)
	defer cancel()
	if err := d.client.StopAndCancel(limit); err != nil {
		return fmt.Errorf("stopping to take jobs: %w", err)
	}
	return nil
}
