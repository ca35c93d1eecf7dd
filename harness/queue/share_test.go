package queue

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// seen is a bench that notes whose trials it gets.
type seen struct {
	mu     sync.Mutex
	owners []string
	each   chan struct{} // one for each trial
}

func (s *seen) Measure(ctx context.Context, t Trial) (Outcome, error) {
	s.mu.Lock()
	s.owners = append(s.owners, t.Owner)
	s.mu.Unlock()
	select {
	case s.each <- struct{}{}:
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
	now := time.Now()
	return Outcome{Verdict: wire.Valid, Started: now, Ended: now, Record: json.RawMessage("{}")}, nil
}

func (*seen) Close(context.Context) {}

func (s *seen) whose() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.owners...)
}

// A reserved board that measures another's trials, or a drained one that goes on,
// disturbs what somebody does on it by hand.
func TestReservedAndDrained(t *testing.T) {
	both(t, func(t *testing.T, q *Queue) {
		ctx := t.Context()
		submit(t, q, "ada", 3)
		bens := submit(t, q, "ben", 3)
		r, err := q.Reserve(ctx, Reservation{Board: "pi5", Owner: "ben", From: time.Now().Add(-time.Second), Until: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		b := &seen{each: make(chan struct{})}
		stop, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- Controller{
				Queue: q, Name: "bench", Boards: []string{"pi5"}, TTL: 4 * time.Second, Open: func(string) Bench { return b }, Log: slog.New(slog.DiscardHandler),
			}.Run(ctx, stop)
		}()
		for range 2 {
			<-b.each
		}
		if err := q.Drain(ctx, "pi5", true); err != nil {
			t.Fatal(err)
		}
		// At most what was begun before the board heard of it is finished.
		quiet := false
		for !quiet {
			select {
			case <-b.each:
			case <-time.After(5 * time.Second):
				quiet = true
			}
		}
		for _, owner := range b.whose() {
			if owner != "ben" {
				t.Errorf("the board of ben measured for %s", owner)
			}
		}
		if err := q.Unreserve(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		if err := q.Drain(ctx, "pi5", false); err != nil {
			t.Fatal(err)
		}
		for s := bens; s.Counted < 3; {
			select {
			case <-b.each:
			case <-time.After(100 * time.Millisecond):
			}
			if s, err = q.Sweep(ctx, bens.ID); err != nil {
				t.Fatal(err)
			}
		}
		go func() { // whatever is begun may end
			for range b.each {
			}
		}()
		close(stop)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		boards, err := q.Boards(ctx)
		if err != nil || boards[0].Held() {
			t.Errorf("a controller that ended in order holds its board: %+v %v", boards, err)
		}
		close(b.each)
	})
}
