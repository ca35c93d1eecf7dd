package sweep

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// runOf is a run of two cells, of batches 1 and 2, whose artefacts are there.
func runOf(t *testing.T, s script, change func(*Plan)) *run {
	t.Helper()
	p := Reference()
	p.Batch, p.Threads, p.Repeats = []int{1, 2}, []int{1}, 2
	if change != nil {
		change(&p)
	}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	lease, err := db.Create(t.Context(), store.Run{Model: "m", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lease.Close(context.Background(), store.Done, "") }) //nolint:errcheck // the store may be closed
	r := &run{plan: p, source: &Source{}, store: db, lease: lease, launch: s.launch(t), progress: newListener(t), patience: DefaultPatience, unit: time.Millisecond}
	var rows []store.Cell
	for i, axes := range p.Cells() {
		r.cells = append(r.cells, cell{target: Local, axes: axes, artefact: store.Artefact{Key: "k", Path: "m"}})
		rows = append(rows, store.Cell{ID: axes.ID(), Position: i, Artefact: "k"})
	}
	if err := lease.AddCells(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	return r
}

// stored lists what a run stored by cell as "batch/repeat/attempt verdict".
func stored(t *testing.T, r *run) map[string]string {
	t.Helper()
	trials, err := r.store.Trials(t.Context(), r.lease.Run())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, x := range trials {
		out[fmt.Sprintf("%d/%d/%d", x.Result.Batch, x.Repeat, x.Attempt)] = string(x.Result.Verdict)
	}
	return out
}

// A trial lost or measured twice makes every figure of the run doubtful.
func TestTrialsAreRetried(t *testing.T) {
	r := runOf(t, script{Measure: map[int][]string{
		1: {"contended", "die", "valid"},
		2: {"throttled"},
	}}, func(p *Plan) { p.Retries = 1 })
	if err := r.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"1/0/0": "contended", "1/0/1": "faulted", "1/0/2": "valid", "1/1/0": "valid",
		"2/0/0": "throttled", "2/0/1": "throttled", "2/1/0": "throttled", "2/1/1": "throttled",
	}
	if diff := cmp.Diff(want, stored(t, r)); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
	if !r.complete {
		t.Error("a run with nothing left to do is not complete")
	}
	trials, err := r.store.Trials(t.Context(), r.lease.Run())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range trials {
		if x.Result.Verdict == wire.Faulted && !strings.Contains(x.Result.Reason, "out of memory") {
			t.Errorf("the reason of a fault is %q: it lacks what the runner said last", x.Result.Reason)
		}
	}
}

func TestMeasureGoesOnWithWhatIsStored(t *testing.T) {
	r := runOf(t, script{}, func(p *Plan) { p.Retries = 1 })
	ids := []string{r.cells[0].axes.ID(), r.cells[1].axes.ID()}
	add := func(cell string, batch, repeat, attempt int, v wire.Verdict) {
		t.Helper()
		x := store.Trial{Cell: cell, Repeat: repeat, Attempt: attempt, Started: time.Unix(1, 0), Ended: time.Unix(2, 0)}
		x.Result = wire.MeasureResult{Verdict: v, Batch: batch}
		if err := r.lease.AddTrial(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	add(ids[0], 1, 0, 0, wire.Valid)
	add(ids[1], 2, 0, 0, wire.Contended)
	add(ids[1], 2, 1, 0, wire.Contended)
	add(ids[1], 2, 1, 1, wire.Unsettled)
	if err := r.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"1/0/0": "valid", "1/1/0": "valid",
		"2/0/0": "contended", "2/0/1": "valid", "2/1/0": "contended", "2/1/1": "unsettled",
	}
	if diff := cmp.Diff(want, stored(t, r)); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
}

// A runner that can never work must not cost a night of attempts.
func TestHopelessRunsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		outcome string
		kind    wire.ErrorKind
		trials  int
	}{
		"every trial faults":   {"refuse", wire.Target, maxFaultsInARow},
		"the request is wrong": {"unsupported", wire.Unsupported, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := map[int][]string{1: {c.outcome}, 2: {c.outcome}}
			r := runOf(t, script{Measure: fault}, func(p *Plan) { p.Repeats = 4 })
			err := r.measure(t.Context())
			var e *wire.Error
			if !errors.As(err, &e) || e.Kind != c.kind {
				t.Errorf("got %v, want an error of kind %s", err, c.kind)
			}
			if n := len(stored(t, r)); n != c.trials || r.complete {
				t.Errorf("%d trials stored, complete %v; want %d, not complete", n, r.complete, c.trials)
			}
		})
	}
}

// Ctrl-C must neither lose the running trial nor begin another.
func TestStopFinishesTheTrial(t *testing.T) {
	r := runOf(t, script{}, nil)
	stop := make(chan struct{})
	r.stop = stop
	started := 0
	r.started = func(int) {
		if started++; started == 2 {
			close(stop)
		}
	}
	if err := r.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(stored(t, r)); n != 2 || started != 2 || r.complete {
		t.Errorf("%d trials stored of %d started, complete %v; want 2 of 2, not complete", n, started, r.complete)
	}
}

// A canceled trial says nothing about its cell: nothing of it may be stored.
func TestCanceledTrialsLeaveNoTrace(t *testing.T) {
	r := runOf(t, script{Measure: map[int][]string{1: {"hang"}, 2: {"hang"}}}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	r.started = func(int) { cancel() }
	if err := r.measure(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got := stored(t, r); len(got) > 0 {
		t.Errorf("a canceled trial was stored: %v", got)
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine(errors.New("a\n\tb  c")); got != "a b c" {
		t.Errorf("got %q", got)
	}
	if got := []rune(oneLine(errors.New(strings.Repeat("ü", 1000)))); len(got) != 400 || got[399] != '…' {
		t.Errorf("%d characters, the last %q", len(got), got[len(got)-1])
	}
}
