//go:build e2e

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/remote"
	"github.com/seed-c6f48606/harness/targets/virtual"
)

// Phases of a trial on a board.
const (
	deploying  = "deploy"  // the model is on its way
	warming    = "warm-up" // the runner warms up
	working    = "work"    // the work window
	collecting = "collect" // after the window, before the answer is here
)

var phases = []string{deploying, warming, working, collecting}

// faultRow is a fault of the matrix.
type faultRow struct {
	faults string // as --fault takes them
	kind   string // of the board: one on which the fault shows
	energy bool
	window time.Duration
	// hit are the verdicts that the first attempt may get, by phase and divided
	// by "|". Where it may be valid it may also be unsettled or contended, as the
	// emulator's host may have it.
	hit [4]string
	// refused: the target is given up, and reached again with its new key by a
	// resumed run.
	refused bool
}

var faultMatrix = []faultRow{
	// After the window a throttled clock touches no figure, and before it the board cools.
	{faults: "throttle+8s", kind: "rb3gen2", window: 4 * time.Second, hit: [4]string{"valid|throttled", "throttled", "throttled", "valid"}},
	{faults: "linkdown+8s", kind: "phone", hit: [4]string{"faulted", "faulted", "faulted", "faulted"}},
	{faults: "undervolt", kind: "pi4", hit: [4]string{"valid|undervolted", "valid|undervolted", "undervolted", "valid"}},
	{faults: "cable+8s", kind: "pi5", window: 4 * time.Second, hit: [4]string{"valid|undervolted", "valid|undervolted", "undervolted", "valid|undervolted"}},
	{faults: "gap+4s", kind: "orin-nano", energy: true, window: 6 * time.Second, hit: [4]string{"valid|sensor", "valid|sensor", "sensor", "sensor"}},
	{faults: "reboot", kind: "rb3gen2", hit: [4]string{"faulted", "faulted", "faulted", "faulted"}},
	{faults: "enospc+6s", kind: "pi5", hit: [4]string{"faulted", "valid", "valid", "valid"}},
	{faults: "oom", kind: "orin-nano", hit: [4]string{"valid|faulted", "faulted", "faulted", "faulted"}},
	{faults: "hostkey", kind: "pi4", hit: [4]string{"valid", "valid", "valid", "valid"}},
	{faults: "hostkey,linkdown+8s", kind: "phone", refused: true, hit: [4]string{"faulted", "faulted", "faulted", "faulted"}},
	{faults: "clockjump", kind: "phone", hit: [4]string{"valid", "valid", "valid", "valid"}},
}

const (
	matrixRepeats = 2
	matrixRetries = 5
	// The link is found dead after three times that, before it is back.
	matrixKeepAlive = time.Second
)

// TestFaultMatrix injects every fault into every phase of a trial, on a virtual
// board each: a user whose board fails must lose no trial, get no figure of a
// trial that the fault touched, and find nothing left on the board. OUT keeps the
// stores and the table; FAULTS names rows, divided by ";", to make it in pieces;
// -update rewrites docs/boards-faults.md.
func TestFaultMatrix(t *testing.T) {
	out := os.Getenv("OUT")
	if out == "" {
		out = t.TempDir()
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	shared := &matrix{out: out, cache: sweep.Cache{Root: dir}, turn: make(chan struct{}, 1)}
	shared.model, shared.train, shared.test = writeQuick(t, dir, 64, 128, 2)
	shared.finder.Cache = dir
	for _, kind := range virtual.FaultKinds() {
		if !slices.ContainsFunc(faultMatrix, func(r faultRow) bool { return strings.HasPrefix(r.faults, kind) }) {
			t.Errorf("no row has the fault %s", kind)
		}
	}
	t.Run("rows", func(t *testing.T) {
		for _, row := range faultMatrix {
			if only := os.Getenv("FAULTS"); only != "" && !slices.Contains(strings.Split(only, ";"), row.faults) {
				continue
			}
			t.Run(row.faults, func(t *testing.T) { t.Parallel(); shared.sweep(t, row) })
		}
	})
	text := shared.table(t)
	fmt.Print(text)
	paths := []string{filepath.Join(out, "faults.md")}
	if *update {
		paths = append(paths, filepath.Join("..", "docs", "boards-faults.md"))
	}
	for _, path := range paths {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// matrix is what the rows share.
type matrix struct {
	out                string // folder
	cache              sweep.Cache
	model, train, test string
	finder             remote.Finder
	sums               remote.Sums
	turn               chan struct{} // one place
}

// sweep carries out a row: one sweep over four boards, of which each meets the
// fault in another phase.
func (m *matrix) sweep(t *testing.T, row faultRow) {
	faults, err := virtual.ParseFaults(row.faults)
	if err != nil {
		t.Fatal(err)
	}
	p := sweep.Reference()
	p.Model, p.CalibSamples = m.model, 1
	p.Data = sweep.Data{Spec: "csv:" + m.train, TestFile: m.test, TextColumn: "text", LabelColumn: "label"}
	p.Threads, p.Targets = []int{1}, nil
	p.Repeats, p.Retries, p.Energy = matrixRepeats, matrixRetries, row.energy
	p.Window, p.IdleWindow, p.Batch = max(row.window, 1500*time.Millisecond), 400*time.Millisecond, []int{4}
	if row.energy {
		p.IdleWindow = 2 * time.Second // as where none is asked for: long enough to miss readings
	}
	// The chain of additions shows the host's clock, which no fault of a board moves.
	limits := wire.DefaultLimits()
	limits.FreqRel, p.Limits = 0, &limits
	boards := map[string]*trialBoard{}
	for i, phase := range phases {
		b := startTrialBoard(t, row, phase, faults)
		b.may, boards[b.name] = row.hit[i], b
		p.Targets = append(p.Targets, b.name)
	}
	db, err := store.Open(t.Context(), m.path(row)+".db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	launch, err := sweep.Self()
	if err != nil {
		t.Fatal(err)
	}
	o := sweep.Options{
		Store: db, Cache: m.cache, Launch: launch, Progress: &injector{t, boards}, Patience: time.Minute, Command: "harness sweep",
		Open: func(ctx context.Context, name string) (sweep.Target, error) { return boards[name].open(ctx, m) },
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	id, err := sweep.Begin(ctx, p, o)
	if row.refused {
		m.refused(t, boards, err)
		id, err = sweep.Resume(ctx, id, o)
	}
	if err != nil {
		t.Errorf("the sweep ended with: %v", err)
	}
	record, err := sweep.Read(ctx, db, id)
	if err != nil {
		t.Fatal(err)
	}
	if record.Run.State != store.Done {
		t.Errorf("the run is %s: %s", record.Run.State, record.Run.Detail)
	}
	var lines []string
	for _, name := range p.Targets {
		if n := record.Unmeasured(name); n > 0 {
			t.Errorf("%s: %d cells have no result", name, n)
		}
		b := boards[name]
		slots := b.slots(record)
		b.check(t, row, slots)
		clean := b.clean(t)
		if row.faults == "hostkey" {
			b.refuses(t, m)
		}
		lines = append(lines, b.line(row, slots, record.Events, clean))
	}
	m.keep(t, row, lines)
}

// refused makes sure that every board with another host key was given up by an
// error that shows both keys, and takes the new keys as theirs.
func (m *matrix) refused(t *testing.T, boards map[string]*trialBoard, err error) {
	t.Helper()
	var lost *sweep.LostError
	if !errors.As(err, &lost) {
		t.Errorf("the sweep ended with %v, want targets given up", err)
	}
	for name, b := range boards {
		for _, key := range []string{b.pinned, b.board.HostKeyNow()} {
			if print := fingerprint(t, key); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), print) {
				t.Errorf("%s: the error lacks the target or fingerprint %s: %v", name, print, err)
			}
		}
		b.pinned = b.board.HostKeyNow()
	}
}

// check fails unless every trial of the plan came to a valid result, once, and
// no valid one was touched by the fault.
func (b *trialBoard) check(t *testing.T, row faultRow, slots [][]store.Trial) {
	t.Helper()
	if b.struck.IsZero() {
		t.Errorf("%s: the fault never came: the phase was not seen", b.name)
		return
	}
	if len(slots) != matrixRepeats {
		t.Errorf("%s: %d slots have trials, want %d", b.name, len(slots), matrixRepeats)
	}
	for i, tries := range slots {
		for n, x := range tries {
			if x.Attempt != n {
				t.Errorf("%s: repeat %d: attempt %d stands in place %d", b.name, i, x.Attempt, n)
			}
			if valid := x.Result.Verdict == wire.Valid; valid != (n == len(tries)-1) {
				t.Errorf("%s: repeat %d: attempt %d of %d is %s: %s", b.name, i, n+1, len(tries), x.Result.Verdict, x.Result.Reason)
			}
			if x.Result.Verdict == wire.Valid && (x.Result.Items == 0 || row.energy && x.Result.Energy == nil) {
				t.Errorf("%s: repeat %d: a valid trial of %d items, energy %v", b.name, i, x.Result.Items, x.Result.Energy)
			}
			if why := b.touched(x); why != "" && x.Result.Verdict == wire.Valid {
				t.Errorf("%s: repeat %d: a trial is valid though %s", b.name, i, why)
			}
		}
	}
	hit := b.hit(slots)
	may := strings.Split(b.may, "|")
	if slices.Contains(may, string(wire.Valid)) {
		may = append(may, string(wire.Unsettled), string(wire.Contended))
	}
	switch {
	case hit == nil:
		t.Errorf("%s: no trial was on when the fault came", b.name)
	case !slices.Contains(may, string(hit.Result.Verdict)):
		t.Errorf("%s: the trial that was hit is %s (%s), want %s", b.name, hit.Result.Verdict, hit.Result.Reason, b.may)
	}
}

// keep writes the lines of a row, so that a matrix made in pieces has one table.
func (m *matrix) keep(t *testing.T, row faultRow, lines []string) {
	t.Helper()
	if err := os.WriteFile(m.path(row)+".md", []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Error(err)
	}
}

// path is what the files of a row in OUT begin with.
func (m *matrix) path(row faultRow) string {
	return filepath.Join(m.out, "faults-"+strings.ReplaceAll(row.faults, ",", "-"))
}

// table is the matrix in markdown, of the rows that were made in this folder.
func (m *matrix) table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Faults of boards\n\n" +
		"Every fault that a virtual board can have, injected into every phase of a trial. `make e2e-faults` makes this table and fails\n" +
		"where a trial is lost or stored twice, where a valid one was touched by the fault, or where something is left on the board.\n" +
		"Each pair is a board of its own that owes two trials. Verdicts stand in the order of attempts, the trials divided by `;`, the\n" +
		"one that was hit in bold.\n\n" +
		"| fault | phase | board | verdicts | why not valid | what was redone | board afterwards |\n|---|---|---|---|---|---|---|\n")
	for _, row := range faultMatrix {
		lines, err := os.ReadFile(m.path(row) + ".md")
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		b.Write(lines)
	}
	return b.String()
}
