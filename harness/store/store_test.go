package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func start(t *testing.T, s *store.Store) *store.Lease {
	t.Helper()
	l, err := s.Create(t.Context(), store.Run{Plan: json.RawMessage(`{"bits":[8]}`), Command: "harness sweep", Model: "m", Dataset: "d", ToolVersion: "devel"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AddCells(t.Context(), []store.Cell{{ID: "a", Axes: json.RawMessage(`{"bits":8}`)}, {ID: "b", Position: 1}}); err != nil {
		t.Fatal(err)
	}
	return l
}

func trial(cell string, repeat, attempt int, v wire.Verdict) store.Trial {
	return store.Trial{
		Cell: cell, Repeat: repeat, Attempt: attempt,
		Started: time.Unix(100, 5000), Ended: time.Unix(101, 0),
		Result: wire.MeasureResult{Verdict: v, PeakRSSBytes: 7, Samples: []wire.Sample{{TimeS: 0, LatencyMS: 1.5, Items: 1, Tokens: 9}, {TimeS: .01, LatencyMS: 2, Items: 1, Tokens: 3}}},
	}
}

// A user who looks at last week's run sees exactly what was measured.
func TestRoundTrip(t *testing.T) { each(t, testRoundTrip) }

func testRoundTrip(t *testing.T, path string) {
	s := open(t, path)
	l := start(t, s)
	want := trial("a", 0, 0, wire.Valid)
	quality := store.Quality{Subject: "k", Threshold: .5, Result: wire.EvalResult{Predictions: []int{1, 0}, Truth: []int{1, 1}}}
	artefact := store.Artefact{Key: "k", Bits: 8, RankRatio: 1, Path: "/x", Hash: "h", BuildS: 1, Report: json.RawMessage(`{"seconds":1}`)}
	for _, err := range []error{
		l.AddTrial(t.Context(), want),
		l.AddQuality(t.Context(), quality),
		l.AddQuality(t.Context(), quality),
		l.AddArtefact(t.Context(), artefact),
		l.AddEvent(t.Context(), store.Event{Level: store.Warning, Code: "x", Text: "y"}),
		l.Close(t.Context(), store.Done, ""),
		s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.OpenExisting(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run, err := s.Run(t.Context(), store.Last)
	if err != nil || run.State != store.Done || run.ID != l.Run() || run.Ended.IsZero() {
		t.Fatalf("run %+v, %v", run, err)
	}
	trials, err := s.Trials(t.Context(), run.ID)
	if err == nil {
		err = s.AddSamples(t.Context(), run.ID, trials)
	}
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]store.Trial{want}, trials, cmpopts.IgnoreFields(store.Trial{}, "ID")); d != "" {
		t.Error(d)
	}
	qualities, err := s.Qualities(t.Context(), run.ID)
	if d := cmp.Diff([]store.Quality{quality}, qualities); d != "" || err != nil {
		t.Error(d, err)
	}
	artefacts, err := s.Artefacts(t.Context(), run.ID)
	if d := cmp.Diff([]store.Artefact{artefact}, artefacts); d != "" || err != nil {
		t.Error(d, err)
	}
	cells, err := s.Cells(t.Context(), run.ID)
	if err != nil || len(cells) != 2 || cells[0].ID != "a" {
		t.Errorf("cells %v, %v", cells, err)
	}
	events, err := s.Events(t.Context(), run.ID)
	if err != nil || len(events) != 1 || events[0].Text != "y" {
		t.Errorf("events %v, %v", events, err)
	}
}

// A resumed sweep must not be able to store a trial twice, nor lose half of one.
func TestTrialOnce(t *testing.T) { each(t, testTrialOnce) }

func testTrialOnce(t *testing.T, path string) {
	s := open(t, path)
	l := start(t, s)
	if err := l.AddTrial(t.Context(), trial("a", 0, 0, wire.Faulted)); err != nil {
		t.Fatal(err)
	}
	if err := l.AddTrial(t.Context(), trial("a", 0, 1, wire.Valid)); err != nil {
		t.Fatal(err)
	}
	for name, again := range map[string]store.Trial{
		"same attempt": trial("a", 0, 1, wire.Contended),
		"second valid": trial("a", 0, 2, wire.Valid),
		"unknown cell": trial("z", 0, 0, wire.Valid),
	} {
		if err := l.AddTrial(t.Context(), again); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	trials, err := s.Trials(t.Context(), l.Run())
	if err != nil || len(trials) != 2 {
		t.Fatalf("%d trials, %v", len(trials), err)
	}
	if err := s.AddSamples(t.Context(), l.Run(), trials); err != nil || len(trials[1].Result.Samples) != 2 {
		t.Errorf("samples %v, %v", trials[1].Result.Samples, err)
	}
}

// Evidence that can be edited is none.
func TestAppendOnly(t *testing.T) { each(t, testAppendOnly) }

func testAppendOnly(t *testing.T, path string) {
	s := open(t, path)
	l := start(t, s)
	for _, err := range []error{
		l.AddTrial(t.Context(), trial("a", 0, 0, wire.Valid)),
		l.AddQuality(t.Context(), store.Quality{Subject: "k"}),
		l.AddArtefact(t.Context(), store.Artefact{Key: "k"}),
		l.AddEvent(t.Context(), store.Event{Level: store.Info}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	db := past(t, path)
	for _, table := range []string{"runs", "run_states", "artefacts", "cells", "trials", "samples", "qualities", "events"} {
		column := "run"
		if table == "runs" {
			column = "id"
		}
		for _, text := range []string{"DELETE FROM " + table, fmt.Sprintf("UPDATE %s SET %s = 'x'", table, column)} {
			if _, err := db.Exec(text); err == nil || !strings.Contains(err.Error(), table+" is append-only") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// Two controllers on one run would interleave their measurements.
func TestClaim(t *testing.T) { each(t, testClaim) }

func testClaim(t *testing.T, path string) {
	s, other := open(t, path), open(t, path)
	l := start(t, s)
	var busy *store.BusyError
	if _, err := other.Claim(t.Context(), l.Run()); !errors.As(err, &busy) || busy.PID != os.Getpid() {
		t.Fatalf("claimed a running run: %v", err)
	}
	if r, err := other.Run(t.Context(), l.Run()); err != nil || r.State != store.Running {
		t.Fatalf("%+v %v", r, err)
	}
	if err := l.Close(t.Context(), store.Interrupted, "ctrl-c"); err != nil {
		t.Fatal(err)
	}
	second, err := other.Claim(t.Context(), l.Run())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(t.Context(), store.Done, "") //nolint:errcheck
	if err := l.AddTrial(t.Context(), trial("a", 0, 0, wire.Valid)); !errors.Is(err, store.ErrLost) {
		t.Errorf("a controller without the lease stored a trial: %v", err)
	}
}

// A controller that was killed leaves a lease behind that must not lock the run.
func TestClaimAfterKill(t *testing.T) {
	if path := os.Getenv("STORE_TEST_HOLD"); path != "" {
		s, err := store.Open(context.Background(), path)
		if err == nil {
			_, err = s.Create(context.Background(), store.Run{})
		}
		fmt.Println("held", err)
		select {}
	}
	each(t, testClaimAfterKill)
}

func testClaimAfterKill(t *testing.T, path string) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestClaimAfterKill$")
	cmd.Env = append(os.Environ(), "STORE_TEST_HOLD="+path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	if n, _ := out.Read(line); !strings.HasPrefix(string(line[:n]), "held <nil>") {
		t.Fatalf("helper said %q", line[:n])
	}
	s := open(t, path)
	if _, err := s.Claim(t.Context(), runID(t, s)); err == nil {
		t.Error("claimed from a living process")
	}
	cmd.Process.Kill() //nolint:errcheck
	cmd.Wait()         //nolint:errcheck
	r, err := s.Run(t.Context(), store.Last)
	if err != nil || r.State != store.Interrupted {
		t.Errorf("killed run reads as %s, %v", r.State, err)
	}
	l, err := s.Claim(t.Context(), r.ID)
	if err != nil {
		t.Fatalf("run of a dead process: %v", err)
	}
	if err := l.Close(t.Context(), store.Done, ""); err != nil {
		t.Error(err)
	}
}

func runID(t *testing.T, s *store.Store) string {
	t.Helper()
	r, err := s.Run(t.Context(), store.Last)
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// Several laptops and a nightly job open one file.
func TestConcurrentOpen(t *testing.T) { each(t, testConcurrentOpen) }

func testConcurrentOpen(t *testing.T, path string) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			l, err := s.Create(t.Context(), store.Run{})
			if err == nil {
				err = l.AddCells(t.Context(), []store.Cell{{ID: "a"}})
			}
			if err == nil {
				err = l.AddTrial(t.Context(), trial("a", 0, 0, wire.Valid))
			}
			if err == nil {
				err = l.Close(t.Context(), store.Done, "")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	runs, err := open(t, path).Runs(t.Context())
	if err != nil || len(runs) != 4 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}

// What is wrong with a store is said in words that mend it.
func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database at all\n", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	if err == nil {
		_, err = db.Exec("CREATE TABLE notes (x)")
	}
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	future := filepath.Join(dir, "future.db")
	if err := open(t, future).Close(); err != nil {
		t.Fatal(err)
	}
	db, err = sql.Open("sqlite", future)
	if err == nil {
		_, err = db.Exec("INSERT INTO schema_version VALUES (999, 'x', 'x')")
	}
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	for _, c := range []struct{ name, path, want string }{
		{"not a database", text, "is not a database"},
		{"another program's", foreign, "another program's database"},
		{"newer schema", future, "newer harness"},
		{"folder", dir, "is a folder"},
		{"no such folder", filepath.Join(dir, "no", "x.db"), "cannot be written: no such file"},
		{"file as folder", filepath.Join(text, "x.db"), "cannot be written: not a directory"},
		{"postgres address", "postgres://u:secret@h:x/db", "is no address of a Postgres database"},
		{"no postgres server", "postgres://u:secret@127.0.0.1:1/db", "start the server"},
		{"another kind", "mysql://u@h/db", "postgres://USER@HOST/DATABASE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if s, err := store.Open(t.Context(), c.path); err == nil {
				s.Close()
				t.Fatal("opened")
			} else if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v: lacks %q, or shows a password", err, c.want)
			}
		})
	}
	if _, err := store.OpenExisting(t.Context(), filepath.Join(dir, "absent.db")); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "absent.db")); err == nil {
		t.Error("reading made an empty store")
	}
}

// Asking for a run that is not there is answered with those that are.
func TestRunNames(t *testing.T) { each(t, testRunNames) }

func testRunNames(t *testing.T, path string) {
	s := open(t, path)
	if _, err := s.Run(t.Context(), store.Last); err == nil || !strings.Contains(err.Error(), "no run yet") {
		t.Error(err)
	}
	l := start(t, s)
	if r, err := s.Run(t.Context(), l.Run()[:12]); err != nil || r.ID != l.Run() {
		t.Error(r.ID, err)
	}
	if _, err := s.Run(t.Context(), "1999"); err == nil || !strings.Contains(err.Error(), l.Run()) {
		t.Error(err)
	}
}
