package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Workers of a lab measure one run on several boards at once; nobody else may, and
// a worker that lost its board must not.
func TestShare(t *testing.T) { each(t, testShare) }

func testShare(t *testing.T, location string) {
	a, b := open(t, location), open(t, location)
	l := start(t, a)
	if _, err := b.Share(t.Context(), l.Run(), "q", nil); err == nil {
		t.Fatal("shared a run that a sweep works on")
	}
	if err := l.Close(t.Context(), store.Interrupted, "queued"); err != nil {
		t.Fatal(err)
	}
	stale := errors.New("the board is another's by now")
	var fence error
	first, err := a.Share(t.Context(), l.Run(), "q", func(context.Context, *sql.Tx) error { return fence })
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.Share(t.Context(), l.Run(), "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		first.AddTrial(t.Context(), trial("a", 0, 0, wire.Valid)),
		second.AddTrial(t.Context(), trial("b", 0, 0, wire.Valid)),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	var busy *store.BusyError
	if _, err := b.Claim(t.Context(), l.Run()); !errors.As(err, &busy) {
		t.Errorf("a laptop took up a shared run: %v", err)
	}
	if _, err := b.Share(t.Context(), l.Run(), "other", nil); !errors.As(err, &busy) {
		t.Errorf("another lab took up a shared run: %v", err)
	}
	fence = stale
	if err := first.AddTrial(t.Context(), trial("a", 1, 0, wire.Valid)); !errors.Is(err, stale) {
		t.Errorf("a trial of a lost board: %v", err)
	}
	if trials, err := b.Trials(t.Context(), l.Run()); err != nil || len(trials) != 2 {
		t.Errorf("%d trials, %v; want 2", len(trials), err)
	}
	first.Leave()
	if r, err := b.Run(t.Context(), l.Run()); err != nil || r.State != store.Running {
		t.Errorf("after one left the run reads as %s, %v", r.State, err)
	}
	if err := second.Close(t.Context(), store.Done, ""); err != nil {
		t.Error(err)
	}
	if r, err := a.Run(t.Context(), l.Run()); err != nil || r.State != store.Done {
		t.Errorf("the run reads as %s, %v", r.State, err)
	}
	if _, err := a.Claim(t.Context(), "no-such"); err == nil {
		t.Error("claimed a run that is not there")
	}
}

// Two processes that claim a run at the same time: one gets it.
func TestOneOfManyClaims(t *testing.T) { each(t, testOneOfManyClaims) }

func testOneOfManyClaims(t *testing.T, location string) {
	s := open(t, location)
	l := start(t, s)
	if err := l.Close(t.Context(), store.Interrupted, ""); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	got := make(chan *store.Lease, 8)
	for range cap(got) {
		wg.Go(func() {
			var busy *store.BusyError
			l, err := s.Claim(context.Background(), l.Run())
			if err == nil {
				got <- l
			} else if !errors.As(err, &busy) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Errorf("%d of %d got the run", len(got), cap(got))
	}
	for range len(got) {
		(<-got).Leave()
	}
}

// What one database takes and the other does not would be lost on the way to the
// lab; what it changes is no evidence.
func TestOddValues(t *testing.T) { each(t, testOddValues) }

func testOddValues(t *testing.T, location string) {
	s := open(t, location)
	plan := json.RawMessage("{\"a\":  1.0, \"b\": \"\\u0000\\ud83d\\ude00 <&>\", \"big\": 18446744073709551615, \"s\": \"" + strings.Repeat("x", 1<<20) + "\"}")
	started := time.Date(2026, 11, 28, 3, 4, 5, 123456789, time.FixedZone("x", 3600))
	l, err := s.Create(t.Context(), store.Run{
		Plan: plan, Started: started, Model: "zero \x00 and \xff", Dataset: "'; DROP TABLE runs; --",
		Command: "harness sweep --store postgres://me:geheim@db/x?sslmode=disable&password=geheim",
	})
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.Run(t.Context(), l.Run())
	if err != nil {
		t.Fatal(err)
	}
	want := store.Run{
		ID: l.Run(), Plan: plan, Started: time.Date(2026, 11, 28, 2, 4, 5, 123456000, time.UTC), Model: "zero \uFFFD and \uFFFD", Dataset: "'; DROP TABLE runs; --",
		Command: "harness sweep --store postgres://me@db/x?sslmode=disable&password=xxx", State: store.Running,
	}
	if diff := cmp.Diff(want, run); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	if err := l.AddCells(t.Context(), []store.Cell{{ID: "ä/b c", Axes: json.RawMessage(`[1,  2]`)}}); err != nil {
		t.Fatal(err)
	}
	x := trial("ä/b c", 1<<40, 1<<40, wire.Valid)
	x.Result.DenseMAC, x.Result.Work.To = 1<<64-1, time.Duration(1<<62)
	x.Result.WindowS = 5e-324
	for i := range 3_000 {
		x.Result.Samples = append(x.Result.Samples, wire.Sample{TimeS: float64(i) / 3, LatencyMS: 1 / float64(i+1)})
	}
	if err := l.AddTrial(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if err := l.AddTrial(t.Context(), x); err != nil {
		t.Errorf("the very same trial, as after a lost answer: %v", err)
	}
	c := read(t, s, l.Run())
	if diff := cmp.Diff([]store.Trial{x}, c.Trials, cmpopts.IgnoreFields(store.Trial{}, "ID")); diff != "" {
		t.Errorf("trial (-want +got):\n%.2000s", diff)
	}
	nan := 0.0
	nan /= nan
	for what, err := range map[string]error{
		"plan":      func() error { _, err := s.Create(t.Context(), store.Run{Plan: json.RawMessage("{")}); return err }(),
		"axes":      l.AddCells(t.Context(), []store.Cell{{ID: "z", Axes: json.RawMessage("{]")}}),
		"threshold": l.AddQuality(t.Context(), store.Quality{Subject: "k", Threshold: nan}),
		"ratio":     l.AddArtefact(t.Context(), store.Artefact{Key: "k", RankRatio: nan}),
		"level":     l.AddEvent(t.Context(), store.Event{Level: "loud"}),
		"sample": func() error {
			x := trial("ä/b c", 5, 0, wire.Valid)
			x.Result.Samples[1].LatencyMS = nan
			return l.AddTrial(t.Context(), x)
		}(),
		"result": func() error {
			x := trial("ä/b c", 5, 0, wire.Valid)
			x.Result.WindowS = nan
			return l.AddTrial(t.Context(), x)
		}(),
	} {
		if err == nil {
			t.Errorf("a wrong %s was stored", what)
		}
	}
	if err := l.Close(t.Context(), store.Failed, "x\x00"); err != nil {
		t.Error(err)
	}
}

// A table beside the store's, as a lab's queue has, is no reason to refuse a
// database; another program's runs are.
func TestPostgresWithOtherTables(t *testing.T) {
	location := postgres(t)
	db := past(t, location)
	if _, err := db.Exec("CREATE TABLE river_job (id BIGINT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenExisting(t.Context(), location); err == nil || !strings.Contains(err.Error(), "holds no runs") {
		t.Errorf("a database without a store was opened for reading: %v", err)
	}
	s := open(t, location)
	l := start(t, s)
	err := s.Transact(t.Context(), "queueing", func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO river_job VALUES (1)"); err != nil {
			return err
		}
		return errors.New("thought better of it")
	})
	var n int
	if e := db.QueryRow("SELECT count(*) FROM river_job").Scan(&n); err == nil || e != nil || n != 0 {
		t.Errorf("a transaction that failed left %d rows, %v, %v", n, err, e)
	}
	l.Leave()
	if s, err := store.OpenExisting(t.Context(), location); err != nil {
		t.Error(err)
	} else {
		s.Close()
	}
	foreign := postgres(t)
	if _, err := past(t, foreign).Exec("CREATE TABLE runs (id INT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), foreign); err == nil || !strings.Contains(err.Error(), "another program's") {
		t.Errorf("another program's tables: %v", err)
	}
}

// A password on the command line must not be kept.
func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://u:p@h/d":                          "postgres://u@h/d",
		"postgresql://u:p%40%2f@h:5432/d?sslmode=off": "postgresql://u@h:5432/d?sslmode=off",
		"--store=postgres://u:p@h/d --store x@y:z":    "--store=postgres://u@h/d --store x@y:z",
		"postgres://:p@h/d":                           "postgres://@h/d",
		"postgres://h/d?user=u&password=p&sslmode=x":  "postgres://h/d?user=u&password=xxx&sslmode=x",
		"postgres://u:p@a@h/d":                        "postgres://u@h/d",
		"ssh://u:p@h":                                 "ssh://u:p@h",
		"harness sweep --bits 8 a:b@c":                "harness sweep --bits 8 a:b@c",
	} {
		if got := store.Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}
