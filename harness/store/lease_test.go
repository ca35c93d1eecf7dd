package store_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// alter runs a statement past the store, as another machine on a shared folder
// would leave the file.
func alter(t *testing.T, path, text string, args ...any) {
	t.Helper()
	if _, err := past(t, path).Exec(text, args...); err != nil {
		t.Fatal(err)
	}
}

// Whether an owner lives decides between two controllers on one run and a run
// that nobody can resume.
func TestALeaseOfAnotherOwner(t *testing.T) { each(t, testALeaseOfAnotherOwner) }

func testALeaseOfAnotherOwner(t *testing.T, path string) {
	host, err := os.Hostname()
	if err != nil {
		t.Skip("this machine has no name: ", err)
	}
	const layout = "2006-01-02T15:04:05.000000Z"
	for name, c := range map[string]struct {
		host string
		pid  int
		born int64
		beat time.Duration // ago
		busy bool
	}{
		"another machine, beating":        {"elsewhere", 1, 1, time.Second, true},
		"another machine, late by a beat": {"elsewhere", 1, 1, 2 * store.Beat, true},
		"another machine, silent":         {"elsewhere", 1, 1, store.Stale + time.Minute, false},
		"here, another process's number":  {host, os.Getpid(), 12345, time.Second, false},
		"here, no such process":           {host, 1 << 30, 1, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, path)
			l := start(t, s)
			defer l.Close(context.Background(), store.Done, "") //nolint:errcheck // it has lost the lease
			alter(t, path, "UPDATE leases SET owner = 'other', host = $1, pid = $2, born_ms = $3, beat_at = $4",
				c.host, c.pid, c.born, time.Now().Add(-c.beat).UTC().Format(layout))
			if err := l.AddTrial(t.Context(), trial("a", 0, 0, wire.Valid)); !errors.Is(err, store.ErrLost) {
				t.Errorf("the old owner still writes: %v", err)
			}
			want := store.Interrupted
			if c.busy {
				want = store.Running
			}
			if r, err := s.Run(t.Context(), l.Run()); err != nil || r.State != want {
				t.Errorf("the run reads as %s, %v; want %s", r.State, err, want)
			}
			second, err := s.Claim(t.Context(), l.Run())
			if c.busy {
				var busy *store.BusyError
				if !errors.As(err, &busy) || busy.Host != c.host || !strings.Contains(err.Error(), "stop it before you resume") {
					t.Errorf("got %v, want a refusal that names %s", err, c.host)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := second.Close(t.Context(), store.Done, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// A beginning of an id that fits two runs must not resume either.
func TestAmbiguousNames(t *testing.T) { each(t, testAmbiguousNames) }

func testAmbiguousNames(t *testing.T, path string) {
	s := open(t, path)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var ids []string
	for i := range 2 {
		l, err := s.Create(t.Context(), store.Run{Started: at.Add(time.Duration(i) * time.Hour)})
		if err == nil {
			err = l.Close(t.Context(), store.Done, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, l.Run())
	}
	for _, c := range []struct{ name, want, err string }{
		{"20260102-03", ids[0], ""},
		{ids[1], ids[1], ""},
		{"last", ids[1], ""},
		{"", ids[1], ""},
		{"20260102-0", "", "ambiguous"},
		{"2026%", "", "holds no run"},
	} {
		r, err := s.Run(t.Context(), c.name)
		if r.ID != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("run %q is %q, %v; want %q %s", c.name, r.ID, err, c.want, c.err)
		}
	}
	if r, err := s.Run(t.Context(), ids[0]); err != nil || r.Started != at {
		t.Errorf("started at %v, %v; want %v", r.Started, err, at)
	}
}

// Two processes that write at once wait for each other: neither loses a trial.
func TestTwoConnectionsTakeTurns(t *testing.T) { each(t, testTwoConnectionsTakeTurns) }

func testTwoConnectionsTakeTurns(t *testing.T, path string) {
	a, b := open(t, path), open(t, path)
	done := make(chan error, 2)
	for _, l := range []*store.Lease{start(t, a), start(t, b)} {
		go func() {
			var err error
			for i := 0; i < 20 && err == nil; i++ {
				err = l.AddTrial(context.Background(), trial("a", i, 0, wire.Valid))
			}
			done <- errors.Join(err, l.Close(context.Background(), store.Done, ""))
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	runs, err := a.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		if trials, err := b.Trials(t.Context(), r.ID); err != nil || len(trials) != 20 {
			t.Errorf("run %s has %d trials, %v; want 20", r.ID, len(trials), err)
		}
	}
}
