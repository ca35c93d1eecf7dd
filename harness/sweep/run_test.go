package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// options of a run of the tiny plan by fake runners.
func options(t *testing.T, s script) Options {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return Options{Store: db, Cache: Cache{Root: t.TempDir()}, Launch: s.launch(t), Progress: newListener(t), Command: "harness sweep"}
}

func record(t *testing.T, o Options) *Record {
	t.Helper()
	r, err := Read(t.Context(), o.Store, store.Last)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A run that was interrupted loses nothing, and goes on to the same end.
func TestARunIsInterruptedAndResumed(t *testing.T) {
	p := tinyPlan(t)
	p.Bits, p.Batch, p.Repeats = []int{16, 8}, []int{1, 3}, 2
	o := options(t, script{})
	stop := make(chan struct{})
	o.Stop = stop
	n := 0
	o.Started = func(int) {
		if n++; n == 3 {
			close(stop)
		}
	}
	id, err := Begin(t.Context(), p, o)
	if !errors.Is(err, ErrInterrupted) || id == "" {
		t.Fatalf("run %q: %v, want ErrInterrupted", id, err)
	}
	before := record(t, o)
	if before.Run.State != store.Interrupted || before.ValidTrials() != 3 || len(before.Cells) != 4 || len(before.Artefacts) != 2 {
		t.Fatalf("%s, %d valid trials, %d cells, %d artefacts", before.Run.State, before.ValidTrials(), len(before.Cells), len(before.Artefacts))
	}
	o.Stop, o.Started = nil, nil
	if again, err := Resume(t.Context(), id, o); again != id || err != nil {
		t.Fatalf("resumed %s as %s: %v", id, again, err)
	}
	after := record(t, o)
	if after.Run.State != store.Done || after.ValidTrials() != 8 || len(after.Trials) != 8 {
		t.Errorf("%s, %d trials of which %d are valid, want done, 8, 8", after.Run.State, len(after.Trials), after.ValidTrials())
	}
	if diff := cmp.Diff(before.Trials, after.Trials[:3]); diff != "" {
		t.Errorf("the trials of the first sitting changed:\n%s", diff)
	}
	// Baseline, reference, and each artefact once, over both sittings.
	var subjects []string
	for _, q := range after.Qualities {
		subjects = append(subjects, q.Subject)
	}
	want := []string{store.Baseline, store.Reference, after.Artefacts[0].Key, after.Artefacts[1].Key}
	if diff := cmp.Diff(want[:2], subjects[:2]); diff != "" || len(subjects) != 4 {
		t.Errorf("qualities of %v, want %v", subjects, want)
	}
	if _, err := Resume(t.Context(), id, o); !errors.Is(err, ErrComplete) {
		t.Errorf("resuming a complete run: %v, want ErrComplete", err)
	}
}

// Time that runs out after the last trial has cost nothing; before, the user is
// told how to go on.
func TestTheBudget(t *testing.T) {
	p := tinyPlan(t)
	p.Repeats = 1
	o := options(t, script{})
	o.Budget = 1
	id, err := Begin(t.Context(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	if r := record(t, o); r.Run.State != store.Interrupted || !strings.Contains(r.Run.Detail, "budget") || len(r.Trials) != 0 {
		t.Errorf("%s (%s) with %d trials, want interrupted by its budget with none", r.Run.State, r.Run.Detail, len(r.Trials))
	}
	if !o.Progress.(listener).heard("--resume " + id) {
		t.Error("nobody was told how to go on")
	}
}

// How a run ended decides the exit status and whether it can be resumed.
func TestOutcome(t *testing.T) {
	sick := errors.New("disk\nfull")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	closed := make(chan struct{})
	close(closed)
	for name, c := range map[string]struct {
		ctx      context.Context
		stop     chan struct{}
		late     bool // the budget is over
		complete bool
		err      error
		state    store.State
		detail   string
		want     error
	}{
		"complete":                 {complete: true, state: store.Done},
		"complete at the stop":     {complete: true, stop: closed, state: store.Done},
		"complete after its time":  {complete: true, late: true, state: store.Done},
		"stopped":                  {stop: closed, late: true, state: store.Interrupted, detail: "stopped by the user", want: ErrInterrupted},
		"canceled":                 {ctx: canceled, err: context.Canceled, state: store.Interrupted, detail: "stopped by the user", want: ErrInterrupted},
		"out of time":              {late: true, state: store.Interrupted, detail: "the time budget ran out"},
		"failed":                   {err: sick, state: store.Failed, detail: "disk full", want: sick},
		"failed while it stopped":  {err: sick, stop: closed, state: store.Failed, detail: "disk full", want: sick},
		"failed when time was out": {err: sick, late: true, state: store.Failed, detail: "disk full", want: sick},
	} {
		t.Run(name, func(t *testing.T) {
			r := runOf(t, script{}, nil)
			r.stop, r.complete = c.stop, c.complete
			if c.late {
				r.end = time.Now().Add(-time.Hour)
			}
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			state, detail, err := r.outcome(c.ctx, c.err)
			if state != c.state || detail != c.detail || !errors.Is(err, c.want) {
				t.Errorf("got %s (%s), %v; want %s (%s), %v", state, detail, err, c.state, c.detail, c.want)
			}
		})
	}
}

// Speed and quality are of one model only if the batch changes no answer.
func TestABatchThatChangesAnswersIsRefused(t *testing.T) {
	o := options(t, script{Fickle: true})
	_, err := Begin(t.Context(), tinyPlan(t), o)
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.Harness || !strings.Contains(err.Error(), "the batch changes predictions") {
		t.Errorf("got %v", err)
	}
	if r := record(t, o); r.Run.State != store.Failed || r.Run.Detail == "" || len(r.Trials) > 0 {
		t.Errorf("the run is %s (%q) with %d trials, want failed with its reason and none", r.Run.State, r.Run.Detail, len(r.Trials))
	}
}

// One stray kill must not cost the night, a runner that always dies must not
// take it.
func TestEvaluationsOutliveARunner(t *testing.T) {
	for name, c := range map[string]struct {
		script []string
		fails  bool
	}{
		"dies once":   {[]string{"die"}, false},
		"always dies": {[]string{"die", "die", "die", "die", "die", "die", "die", "die"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := tinyPlan(t)
			p.Repeats = 1
			o := options(t, script{Evaluate: c.script})
			_, err := Begin(t.Context(), p, o)
			if (err != nil) != c.fails || err != nil && !strings.Contains(err.Error(), "out of memory") {
				t.Errorf("got %v", err)
			}
			noted := false
			for _, e := range record(t, o).Events {
				noted = noted || e.Code == "runner-died" && e.Level == store.Warning
			}
			if !noted {
				t.Error("no event tells of the death")
			}
		})
	}
}

func TestExamineComparesWithDense(t *testing.T) {
	p := tinyPlan(t)
	p.Bits = []int{8}
	s := script{}
	x, err := Examine(t.Context(), Cache{Root: t.TempDir()}, s.launch(t), p, "test", newListener(t))
	if err != nil {
		t.Fatal(err)
	}
	if x.Quality.F1Macro.Value != 1 || x.Quality.F1Macro.N != 10 || x.Floor == nil || x.Floor.N != 10 {
		t.Errorf("quality %+v, floor %+v", x.Quality.F1Macro, x.Floor)
	}
	if x.Against == nil || x.Against.Name != "8-bit" || x.Against.Delta != 0 || x.Against.P != 1 {
		t.Errorf("against dense: %+v", x.Against)
	}
	p.Bits = []int{8, 4}
	if _, err := Examine(t.Context(), Cache{Root: t.TempDir()}, s.launch(t), p, "test", newListener(t)); err == nil {
		t.Error("two variants were evaluated as one")
	}
}

// Figures of two builds in one median would hide what changed between them.
func TestAnotherBuildDoesNotResume(t *testing.T) {
	o := options(t, script{})
	raw, err := json.Marshal(tinyPlan(t))
	if err != nil {
		t.Fatal(err)
	}
	lease, err := o.Store.Create(t.Context(), store.Run{Plan: raw, Model: "m", Dataset: "d", ToolVersion: "v0.0.1", Commit: "abc"})
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Close(t.Context(), store.Interrupted, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(t.Context(), lease.Run(), o); err == nil || !strings.Contains(err.Error(), "begun by harness v0.0.1 abc") {
		t.Errorf("resumed a run of another build: %v", err)
	}
}
