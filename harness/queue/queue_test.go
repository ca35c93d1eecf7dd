package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// both runs a test on either database.
func both(t *testing.T, f func(t *testing.T, q *Queue)) {
	for name, location := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "lab.db") },
		"postgres": server,
	} {
		t.Run(name, func(t *testing.T) {
			q, err := Open(t.Context(), location(t), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { q.Close() }) //nolint:errcheck // the test is over
			if err := q.AddBoard(t.Context(), "pi5"); err != nil {
				t.Fatal(err)
			}
			f(t, q)
		})
	}
}

// submit submits a sweep of one cell on the board pi5.
func submit(t *testing.T, q *Queue, owner string, repeats int) Sweep {
	t.Helper()
	s := Sweep{ID: NewSweepID(), Owner: owner, Plan: json.RawMessage("{}"), Priority: Normal}
	var tasks []Task
	for r := range repeats {
		tasks = append(tasks, Task{Board: "pi5", Cell: "c", Axes: json.RawMessage("{}"), Repeat: r})
	}
	if err := q.Submit(t.Context(), s, tasks); err != nil {
		t.Fatal(err)
	}
	return s
}

// A board that two controllers drive gives figures of two trials at once.
func TestLease(t *testing.T) {
	both(t, func(t *testing.T, q *Queue) {
		ctx := t.Context()
		first, err := q.Acquire(ctx, "pi5", "one", time.Hour)
		if err != nil || first == nil {
			t.Fatal(first, err)
		}
		if l, err := q.Acquire(ctx, "pi5", "two", time.Hour); l != nil || err != nil {
			t.Fatalf("a held board is leased again: %v, %v", l, err)
		}
		if _, err := q.Acquire(ctx, "moon", "two", time.Hour); !errors.Is(err, ErrNotFound) {
			t.Errorf("a board that is not known: %v", err)
		}
		if err := q.Renew(ctx, first, time.Microsecond); err != nil { // expires at once
			t.Fatal(err)
		}
		var second *Lease
		for second == nil {
			if second, err = q.Acquire(ctx, "pi5", "two", time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if second.Fence != first.Fence+1 {
			t.Errorf("fences %d and %d", first.Fence, second.Fence)
		}
		if err := q.Renew(ctx, first, time.Hour); !errors.Is(err, ErrFenced) {
			t.Errorf("renewing a lost lease: %v", err)
		}
		if err := q.Release(ctx, first); err != nil {
			t.Error(err)
		}
		if l, err := q.Acquire(ctx, "pi5", "three", time.Hour); l != nil || err != nil {
			t.Errorf("giving back a lost lease freed the board: %v, %v", l, err)
		}
		if err := q.Release(ctx, second); err != nil {
			t.Error(err)
		}
		third, err := q.Acquire(ctx, "pi5", "three", time.Hour)
		if err != nil || third == nil {
			t.Fatalf("a board that was given back: %v, %v", third, err)
		}
		spans, err := q.Leases(ctx, "pi5")
		if err != nil || len(spans) != 3 {
			t.Fatalf("%d leases: %v", len(spans), err)
		}
		for i, s := range spans {
			if open := s.Until.IsZero(); open != (i == 2) || i > 0 && spans[i-1].Until.After(s.From) {
				t.Errorf("leases overlap: %+v", spans)
			}
		}
	})
}

// job returns the job of a repeat as River hands it out.
func job(t *testing.T, q *Queue, s Sweep, repeat int) *river.Job[trialArgs] {
	t.Helper()
	list, err := q.insert.JobList(t.Context(), river.NewJobListParams().Kinds(kind).TagsAny(s.ID).First(1000))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range list.Jobs {
		j := &river.Job[trialArgs]{JobRow: row}
		if err := json.Unmarshal(row.EncodedArgs, &j.Args); err != nil {
			t.Fatal(err)
		}
		if j.Args.Repeat == repeat {
			return j
		}
	}
	t.Fatalf("no job of repeat %d", repeat)
	return nil
}

// A result that comes after another controller has taken the board is of a trial
// that may have been disturbed, and a second result of a trial would count twice.
func TestRecord(t *testing.T) {
	both(t, func(t *testing.T, q *Queue) {
		ctx := t.Context()
		s := submit(t, q, "ada", 2)
		old, err := q.Acquire(ctx, "pi5", "one", time.Microsecond)
		if err != nil || old == nil {
			t.Fatal(old, err)
		}
		var lease *Lease
		for lease == nil {
			if lease, err = q.Acquire(ctx, "pi5", "two", time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		o := Outcome{Verdict: wire.Contended, Started: time.Now(), Ended: time.Now(), Record: json.RawMessage("{}")}
		j := job(t, q, s, 0)
		if err := q.record(ctx, old, j, 0, o, false); !errors.Is(err, ErrFenced) {
			t.Errorf("a result under an old lease: %v", err)
		}
		if err := q.record(ctx, lease, j, 0, o, false); err != nil {
			t.Fatal(err)
		}
		if err := q.record(ctx, lease, j, 0, o, false); !isConflict(err) {
			t.Errorf("the same attempt again: %v", err)
		}
		p, err := q.past(ctx, j.Args)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]wire.Verdict{wire.Contended}, p.verdicts); diff != "" || p.done || !p.active {
			t.Errorf("past %+v %s", p, diff)
		}
		if err := q.Cancel(ctx, s.ID); err != nil {
			t.Fatal(err)
		}
		if p, err = q.past(ctx, j.Args); err != nil || p.active {
			t.Errorf("a canceled sweep is wanted still: %v", err)
		}
		if row := job(t, q, s, 1); row.State != rivertype.JobStateCancelled {
			t.Errorf("a job of a canceled sweep is %s", row.State)
		}
		if err := q.Cancel(ctx, s.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("canceling twice: %v", err)
		}
	})
}

// The tables can be taken away and made again: an upgrade that goes wrong must not
// leave half of it.
func TestMigrations(t *testing.T) {
	both(t, func(t *testing.T, q *Queue) {
		submit(t, q, "ada", 1)
		for _, version := range []int{0, newest, newest, 0, newest} {
			if err := q.to(t.Context(), version); err != nil {
				t.Fatalf("to %d: %v", version, err)
			}
		}
		if err := q.within(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE lab_version SET version = 99")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := q.to(t.Context(), newest); err == nil {
			t.Error("a database of a later version is used")
		}
	})
}

// Ends must be the store's own rule: else a run made of the results would go on.
func TestEnds(t *testing.T) {
	v, c, f := wire.Valid, wire.Contended, wire.Faulted
	for _, test := range []struct {
		verdicts []wire.Verdict
		want     bool
	}{
		{nil, false},
		{[]wire.Verdict{v}, true},
		{[]wire.Verdict{c, c}, false},
		{[]wire.Verdict{c, c, c}, true},
		{[]wire.Verdict{f, c, f, c, f}, false},
		{[]wire.Verdict{f, f, f, f}, true},
	} {
		if got := ends(test.verdicts, 2); got != test.want {
			t.Errorf("%v: %v", test.verdicts, got)
		}
	}
}

// queueUp has a user wait n times at a turnstile and returns the channel on which
// his turns arrive.
func queueUp(t *testing.T, at *turnstile, owner string, priority, n int, turns chan<- string, done <-chan struct{}) {
	t.Helper()
	for range n {
		go func() {
			leave, err := at.enter(t.Context(), owner, priority)
			if err != nil {
				return
			}
			turns <- owner
			<-done
			leave()
		}()
	}
}

// A user with a thousand trials must not keep another from the board.
func TestFairShare(t *testing.T) {
	at := &turnstile{served: map[string]time.Duration{}}
	rng := rand.New(rand.NewPCG(1, 1))
	took := map[string]time.Duration{"ada": 10 * time.Millisecond, "ben": 40 * time.Millisecond, "cyd": 20 * time.Millisecond}
	total := map[string]time.Duration{}
	add := func(owner string) {
		at.arrive(owner)
		at.waiting = append(at.waiting, &visitor{owner: owner, priority: Normal, in: make(chan struct{})})
	}
	for owner := range took {
		add(owner)
		add(owner)
	}
	// The turnstile alone, without clocks: each takes what his trials take.
	for range 2000 {
		rng.Shuffle(len(at.waiting), func(i, j int) { at.waiting[i], at.waiting[j] = at.waiting[j], at.waiting[i] })
		at.admit()
		owner := at.busy
		at.served[owner] += took[owner]
		total[owner] += took[owner]
		at.busy = ""
		add(owner)
	}
	for owner, got := range total {
		if share := got.Seconds() / (total["ada"] + total["ben"] + total["cyd"]).Seconds(); share < 0.32 || share > 0.35 {
			t.Errorf("%s had %.3f of the board", owner, share)
		}
	}
}

func TestPriorityAndTurningAway(t *testing.T) {
	at := &turnstile{}
	turns, done := make(chan string), make(chan struct{})
	queueUp(t, at, "first", Low, 1, turns, done)
	if got := <-turns; got != "first" {
		t.Fatal(got)
	}
	waits := func(n int) {
		for {
			at.mu.Lock()
			m := len(at.waiting)
			at.mu.Unlock()
			if m == n {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	queueUp(t, at, "low", Low, 1, turns, done)
	waits(1)
	queueUp(t, at, "high", High, 1, turns, done)
	waits(2)
	refused := make(chan error)
	go func() {
		_, err := at.enter(t.Context(), "away", Urgent)
		refused <- err
	}()
	waits(3)
	at.close(func(owner string) bool { return owner == "away" })
	if err := <-refused; !errors.Is(err, errTurnedAway) {
		t.Errorf("who is turned away gets %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := at.enter(ctx, "gone", Urgent)
		refused <- err
	}()
	waits(3)
	cancel()
	if err := <-refused; !errors.Is(err, context.Canceled) {
		t.Errorf("who is canceled gets %v", err)
	}
	done <- struct{}{}
	if got := <-turns; got != "high" {
		t.Errorf("after the first comes %s", got)
	}
	close(done)
	if got := <-turns; got != "low" {
		t.Errorf("last comes %s", got)
	}
}
