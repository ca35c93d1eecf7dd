package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// folder is a target that runs real runner processes on this machine, in a
// folder of its own to which everything is copied.
type folder struct {
	stand *stand
	dir   string
}

// stand is what lies behind the connections to one target, and what goes wrong
// with it.
type stand struct {
	t      *testing.T
	root   string
	script script

	mu      sync.Mutex
	asleep  int   // further connections that fail
	full    int   // further deployments that find no space
	cut     []int // numbers of the runners whose link drops while they measure
	opened  int
	started int
	put     []string
	cleaned int
	closed  int
}

func (b *stand) open(context.Context) (Target, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asleep > 0 {
		b.asleep--
		return nil, errors.New("no route to host")
	}
	b.opened++
	return &folder{b, b.root}, nil
}

func (f *folder) Put(_ context.Context, path string, progress func(done, total int64)) (string, error) {
	f.stand.mu.Lock()
	defer f.stand.mu.Unlock()
	if f.stand.full > 0 {
		f.stand.full--
		return "", errors.New("no space left on device")
	}
	at := filepath.Join(f.dir, filepath.Base(filepath.Dir(path))+"-"+filepath.Base(path))
	f.stand.put = append(f.stand.put, at)
	if _, err := os.Stat(at); err == nil {
		return at, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if progress(0, info.Size()); info.IsDir() {
		return at, os.CopyFS(at, os.DirFS(path))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return at, os.WriteFile(at, raw, 0o600)
}

func (f *folder) Start(ctx context.Context) (*Process, error) {
	b := f.stand
	b.mu.Lock()
	b.started++
	cut := slices.Contains(b.cut, b.started)
	b.mu.Unlock()
	launch := b.script.launch(b.t)
	launch.Dir = f.dir
	p, err := launch.Start(ctx)
	if err == nil && cut {
		p.Kill()
		b.mu.Lock()
		b.asleep += 2
		b.mu.Unlock()
	}
	return p, err
}

func (f *folder) Clean(context.Context) error {
	f.stand.mu.Lock()
	defer f.stand.mu.Unlock()
	if f.stand.asleep > 0 {
		return errors.New("the link is down")
	}
	f.stand.cleaned++
	return nil
}

func (f *folder) Close() error {
	f.stand.mu.Lock()
	defer f.stand.mu.Unlock()
	f.stand.closed++
	return nil
}

// boardsOf gives a run targets beside this machine.
func boardsOf(t *testing.T, names ...string) (map[string]*stand, func(context.Context, string) (Target, error)) {
	boards := map[string]*stand{}
	for _, n := range names {
		boards[n] = &stand{t: t, root: t.TempDir(), script: script{Dir: t.TempDir(), Board: n}}
	}
	return boards, func(ctx context.Context, name string) (Target, error) {
		b := boards[name]
		if b == nil {
			return nil, &wire.Error{Kind: wire.Harness, Text: "target " + name + " is not in the inventory"}
		}
		return b.open(ctx)
	}
}

// onBoards is a run of the cells of batches 1 and 2 on targets.
func onBoards(t *testing.T, open func(context.Context, string) (Target, error), targets ...string) *run {
	t.Helper()
	dir := t.TempDir()
	items, artefact := filepath.Join(dir, "items.jsonl"), filepath.Join(dir, "m")
	if err := errors.Join(os.WriteFile(items, []byte("{}\n"), 0o600), os.Mkdir(artefact, 0o700), os.WriteFile(filepath.Join(artefact, "w"), []byte("w"), 0o600)); err != nil {
		t.Fatal(err)
	}
	r := runOf(t, script{}, func(p *Plan) { p.Targets = targets })
	r.source.Items, r.open, r.cells = items, open, nil
	var rows []store.Cell
	for _, target := range targets {
		for _, axes := range r.plan.CellsOn(target) {
			c := cell{target, axes, store.Artefact{Key: "k", Path: artefact}}
			r.cells = append(r.cells, c)
			rows = append(rows, store.Cell{ID: c.id(), Target: target, Position: len(rows), Artefact: "k"})
		}
	}
	if err := r.lease.AddCells(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	return r
}

// verdicts lists what was stored by cell and repeat, in the order of attempts.
func verdicts(t *testing.T, r *run) map[string]string {
	t.Helper()
	trials, err := r.store.Trials(t.Context(), r.lease.Run())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, x := range trials {
		key := fmt.Sprintf("%s/%d", x.Cell, x.Repeat)
		out[key] = strings.TrimSpace(out[key] + " " + string(x.Result.Verdict))
	}
	return out
}

// count says how many of the slots ended in a verdict on a target.
func count(got map[string]string, target string, ends wire.Verdict) int {
	n := 0
	for key, v := range got {
		if strings.Contains(key, "@"+target+"/") && strings.HasSuffix(v, string(ends)) {
			n++
		}
	}
	return n
}

// One sweep over several machines must give every one of them its own trials,
// from its own copy of the files.
func TestTargetsMeasureBesideEachOther(t *testing.T) {
	boards, open := boardsOf(t, "pi5", "nano")
	r := onBoards(t, open, "pi5", Local, "nano")
	if err := r.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := verdicts(t, r)
	if len(got) != 12 || count(got, "pi5", wire.Valid) != 4 || count(got, "nano", wire.Valid) != 4 || !r.complete {
		t.Errorf("complete %v, trials %v", r.complete, got)
	}
	for name, b := range boards {
		if b.opened != 1 || b.closed != 1 || b.cleaned == 0 {
			t.Errorf("%s: opened %d times, closed %d, cleaned %d", name, b.opened, b.closed, b.cleaned)
		}
		if len(b.put) != 2 {
			t.Errorf("%s: %v were put, want the items and the model once", name, b.put)
		}
	}
	for _, c := range []string{"pi5", "nano"} {
		trials, err := r.store.Trials(t.Context(), r.lease.Run())
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range trials {
			if strings.HasSuffix(x.Cell, "@"+c) && x.Result.Env.Board != c {
				t.Errorf("a trial of %s was measured on %q", x.Cell, x.Result.Env.Board)
			}
		}
	}
}

// A trial that can never end must not hold the others up for ever, and its place in
// the table must not be empty without a word.
func TestATrialThatNeverEndsIsLeftOut(t *testing.T) {
	boards, open := boardsOf(t, "pi5")
	boards["pi5"].script.Measure = map[int][]string{1: {"die"}}
	r := onBoards(t, open, "pi5")
	if err := r.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := verdicts(t, r); count(got, "pi5", wire.Valid) != 2 || count(got, "pi5", wire.Faulted) != 2 || !r.complete {
		t.Errorf("complete %v, trials %v", r.complete, got)
	}
	events, err := r.store.Events(t.Context(), r.lease.Run())
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range events {
		if e.Code == "trial-dropped" && strings.Contains(e.Text, "n1-c1@pi5 repeat") && strings.Contains(e.Text, "is left out: 4 attempts ended without a result") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("%d of 2 trials are said to be left out: %+v", told, events)
	}
}

// A board that drops its link, sleeps or has a full disk costs the trial that it
// hit and no other, here or elsewhere.
func TestFaultsOfATargetAreRedone(t *testing.T) {
	for name, c := range map[string]struct {
		fault  func(*stand)
		faults int    // attempts stored without a result
		why    string // in their reason
		opened int
	}{
		"asleep at first": {func(b *stand) { b.asleep = 3 }, 0, "", 1},
		"link drops":      {func(b *stand) { b.cut = []int{3} }, 1, "talking to the runner", 2},
		"link drops twice": {
			func(b *stand) { b.cut = []int{2, 5} }, 2, "talking to the runner", 3,
		},
		"disk full":   {func(b *stand) { b.full = 6 }, 1, "no space left on device", 1},
		"runner dies": {func(b *stand) { b.script.Measure = map[int][]string{1: {"die", "valid"}} }, 1, "out of memory", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			boards, open := boardsOf(t, "pi5", "nano")
			c.fault(boards["pi5"])
			r := onBoards(t, open, "pi5", "nano")
			if err := r.measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := verdicts(t, r)
			if count(got, "pi5", wire.Valid) != 4 || count(got, "nano", wire.Valid) != 4 || !r.complete {
				t.Errorf("complete %v, trials %v", r.complete, got)
			}
			trials, err := r.store.Trials(t.Context(), r.lease.Run())
			if err != nil {
				t.Fatal(err)
			}
			faults := 0
			for _, x := range trials {
				if x.Result.Verdict != wire.Faulted {
					continue
				}
				faults++
				if !strings.HasSuffix(x.Cell, "@pi5") || !strings.Contains(x.Result.Reason, c.why) {
					t.Errorf("%s is faulted: %s", x.Cell, x.Result.Reason)
				}
			}
			if b := boards["pi5"]; faults != c.faults || b.opened != c.opened || b.closed != c.opened {
				t.Errorf("%d faulted attempts, opened %d times, closed %d; want %d, %d", faults, b.opened, b.closed, c.faults, c.opened)
			}
		})
	}
}

// A board that stays away must cost neither the night nor the others' results.
func TestATargetThatStaysAwayIsGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		targets []string
		fault   func(*stand)
		want    string
	}{
		"away":              {[]string{"pi5", "nano"}, func(b *stand) { b.asleep = 1 << 30 }, "it did not answer for"},
		"not known":         {[]string{"pi6", "nano"}, func(*stand) {}, "not in the inventory"},
		"another build":     {[]string{"pi5", "nano"}, func(b *stand) { b.script.Version = "v0.0.1" }, "version"},
		"disk stays full":   {[]string{"pi5", "nano"}, func(b *stand) { b.full = 1 << 30 }, "no trial could be begun on it"},
		"every trial fails": {[]string{"pi5", "nano"}, func(b *stand) { b.script.Measure = map[int][]string{1: {"die"}, 2: {"die"}} }, "trials in a row ended without a result"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			boards, open := boardsOf(t, "pi5", "nano")
			c.fault(boards["pi5"])
			r := onBoards(t, open, c.targets...)
			r.patience = 20 * time.Millisecond
			r.plan.Repeats = 4
			err := r.measure(t.Context())
			var gone *LostError
			if !errors.As(err, &gone) || gone.Target != c.targets[0] || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s to be lost: %s", err, c.targets[0], c.want)
			}
			var e *wire.Error
			if !errors.As(err, &e) {
				t.Errorf("%v has no kind, which decides the exit status", err)
			}
			if got := verdicts(t, r); count(got, "nano", wire.Valid) != 8 || r.complete {
				t.Errorf("complete %v, trials %v", r.complete, got)
			}
			record, err := Read(t.Context(), r.store, r.lease.Run())
			if err != nil {
				t.Fatal(err)
			}
			if n, m := record.Unmeasured(c.targets[0]), record.Unmeasured("nano"); n != 2 || m != 0 {
				t.Errorf("%d and %d cells without a result, want 2 and 0", n, m)
			}
			if !slices.ContainsFunc(record.Events, func(e store.Event) bool { return e.Code == "target-lost" && e.Target == c.targets[0] }) {
				t.Errorf("no event tells of the loss: %v", record.Events)
			}
		})
	}
}

// A stop while a board is waited for must not take as long as the patience.
func TestAStopEndsTheWaitingForATarget(t *testing.T) {
	boards, open := boardsOf(t, "pi5")
	boards["pi5"].asleep = 1 << 30
	r := onBoards(t, open, "pi5")
	stop := make(chan struct{})
	r.stop, r.unit = stop, time.Hour
	tries := 0
	r.open = func(ctx context.Context, name string) (Target, error) {
		if tries++; tries == 1 {
			close(stop)
		}
		return open(ctx, name)
	}
	if err := r.measure(t.Context()); err != nil || r.complete {
		t.Errorf("complete %v, error %v", r.complete, err)
	}
}

// Boards on one machine that measure at once would take each other for load.
func TestTargetsTakeTurns(t *testing.T) {
	boards, open := boardsOf(t, "pi5", "nano", "rb3")
	var lock sync.Mutex
	most, now := 0, 0
	turns := func(ctx context.Context, name string) (Target, error) {
		f, err := open(ctx, name)
		if err != nil {
			return nil, err
		}
		return turning{f, func() func() {
			lock.Lock()
			now++
			most = max(most, now)
			return func() { now--; lock.Unlock() }
		}}, nil
	}
	r := onBoards(t, turns, "pi5", "nano", "rb3")
	if err := r.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if most != 1 || !r.complete {
		t.Errorf("%d trials at a time, complete %v", most, r.complete)
	}
	for name, b := range boards {
		if b.started != 5 { // the question what it is, and four trials
			t.Errorf("%s started %d runners, want 5", name, b.started)
		}
	}
}

type turning struct {
	Target
	take func() func()
}

func (t turning) Turn(context.Context) (func(), error) { return t.take(), nil }

// What lies on one target is no reason to believe that it lies on another, or on
// the same after it was set up anew.
func TestEveryTargetHasItsOwnFiles(t *testing.T) {
	boards, open := boardsOf(t, "pi5", "nano")
	r := onBoards(t, open, "pi5", "nano")
	if err := r.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, b := range boards {
		n := 0
		if err := fs.WalkDir(os.DirFS(b.root), ".", func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				n++
			}
			return err
		}); err != nil || n != 2 {
			t.Errorf("%s holds %d files, want 2 (%v)", name, n, err)
		}
	}
}

// A night on several boards that was interrupted must go on where it stood, on
// each of them.
func TestARunOnTargetsIsResumed(t *testing.T) {
	_, open := boardsOf(t, "pi5")
	p := tinyPlan(t)
	p.Targets, p.Threads, p.Cores = []string{Local, "pi5"}, nil, map[string]int{Local: 1}
	p.Bits, p.Repeats = []int{16, 8}, 3
	o := options(t, script{})
	stop := make(chan struct{})
	o.Open, o.Stop = open, stop
	var mu sync.Mutex
	n := 0
	o.Started = func(int) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == 5 {
			close(stop)
		}
	}
	id, err := Begin(t.Context(), p, o)
	if !errors.Is(err, ErrInterrupted) {
		t.Fatalf("run %q: %v, want ErrInterrupted", id, err)
	}
	before := record(t, o)
	o.Stop, o.Started = nil, nil
	if _, err := Resume(t.Context(), id, o); err != nil {
		t.Fatal(err)
	}
	after := record(t, o)
	if after.Run.State != store.Done || len(after.Trials) != 12 || after.ValidTrials() != 12 || len(before.Trials) < 5 || len(before.Trials) > 6 {
		t.Errorf("%s, %d trials before, %d after of which %d are valid", after.Run.State, len(before.Trials), len(after.Trials), after.ValidTrials())
	}
	rows := after.Rows()
	cells := map[string]string{}
	for _, r := range rows {
		cells[r.Cell] = r.Target
	}
	want := map[string]string{
		"16b-r1-p0-t0-n1-c1": Local, "8b-r1-p0-t0-n1-c1": Local, "16b-r1-p0-t0-n1-c0@pi5": "pi5", "8b-r1-p0-t0-n1-c0@pi5": "pi5",
	}
	if diff := cmp.Diff(want, cells); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if len(after.Artefacts) != 2 {
		t.Errorf("%d artefacts, want each built once for both targets", len(after.Artefacts))
	}
}
