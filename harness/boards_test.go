//go:build e2e

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// swept are the boards of TestBoards with the sensor that each is measured by, and
// what its model takes at rest and at full load, in watts at that sensor.
var swept = map[string]struct {
	source     string
	idle, full float64
}{
	"pi5": {"pmic", 2.7, 10.8}, "pi4": {"ina226", 2.7, 6.5}, "orin-nano": {"hwmon-ina3221", 4.6, 11},
	"rb3gen2": {"ina226", 3.6, 9.2}, "phone": {"battery", 0.7, 6},
}

// TestBoards sweeps five virtual boards at once, as a user with five boards does:
// each in namespaces of its own, reached by SSH, with the runner of its own
// architecture. Store and report stay in OUT; REPEATS is how many trials a cell
// has, 1 by default, since a round of all boards takes five minutes. A user whose
// boards are swept must get energy and a verdict of every one, must see that it is
// simulated, and must find nothing left.
func TestBoards(t *testing.T) {
	out := os.Getenv("OUT")
	if out == "" {
		var err error
		if out, err = os.MkdirTemp("", "harness-boards-"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Logf("store and report are in %s", out)
	names := []string{"pi5", "pi4", "orin-nano", "rb3gen2", "phone"}
	in := func(name string) string { return filepath.Join(out, name) }
	for _, name := range []string{"harness.db", "harness.db-wal", "harness.db-shm", "targets.yaml"} { // of an earlier time
		if err := os.Remove(in(name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		harness(t, io.Discard, nil, "targets", "add", name, "--virtual", name, "--targets", in("targets.yaml"))
	}
	table, err := os.Create(in("table.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	seen := watchBoards()
	// The chain of additions shows the host's clock, which is no board's.
	if err := os.WriteFile(in("recipe.yaml"), []byte("limits:\n  freq_rel: 0.5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// One thread of the emulator's leaves a core for the sensors. The windows are
	// those that each sensor needs: 10 s, and a minute for the phone's slow gauge.
	// Retries cost nothing where the host is idle.
	harness(t, table, seen, "sweep", "--targets", in("targets.yaml"), "--target", strings.Join(names, ","),
		"--bits", "8,4", "--threads", "1", "--repeats", cmp.Or(os.Getenv("REPEATS"), "1"), "--retries", "5", "--warmup-limit", "1m",
		"--recipe", in("recipe.yaml"), "--store", in("harness.db"), "--report", in("report.html"))
	printed, err := os.ReadFile(in("table.txt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", printed)
	for _, left := range seen.left(t) {
		t.Errorf("the sweep left %s", left)
	}
	record := readRecord(t, in("harness.db"))
	checkBoards(t, record, names)
	checkLabels(t, in("harness.db"), len(record.Cells))
	page, err := os.ReadFile(in("report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append([]string{"simulated", "emulated"}, names...) {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the report says nothing of %q", want)
		}
	}
}

// harness runs a command of the program, and shows what it says besides its result.
func harness(t *testing.T, out io.Writer, seen *boardsSeen, args ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asHarness+"=1")
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if seen != nil {
		seen.owner <- cmd.Process.Pid
	}
	err := cmd.Wait()
	if seen != nil {
		close(seen.owner)
		<-seen.done
	}
	if err != nil {
		t.Fatalf("harness %s: %v", strings.Join(args, " "), err)
	}
}

func readRecord(t *testing.T, path string) *sweep.Record {
	t.Helper()
	db, err := store.OpenExisting(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	record, err := sweep.Read(t.Context(), db, store.Last)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// checkBoards looks at every cell's trials.
func checkBoards(t *testing.T, record *sweep.Record, names []string) {
	cells := map[string]int{}
	for _, c := range record.Cells {
		cells[c.Target]++
		good := 0
		for _, trial := range record.Trials {
			if trial.Cell != c.ID {
				continue
			}
			r := trial.Result
			if r.Verdict != wire.Faulted {
				if r.Env.Arch != "arm64" || r.Env.Virtual != board.Emulated {
					t.Errorf("%s: a trial ran on %s in %q", c.ID, r.Env.Arch, r.Env.Virtual)
				}
				if !slices.ContainsFunc(r.Warnings, func(w wire.Warning) bool { return w.Code == stat.Emulated }) {
					t.Errorf("%s: a trial does not say that its times are emulated", c.ID)
				}
			}
			e := r.Energy
			if e != nil && !e.Simulated {
				t.Errorf("%s: a trial does not say that its energy is simulated", c.ID)
			}
			if r.Verdict != wire.Valid || e == nil {
				continue
			}
			good++
			b := swept[c.Target]
			if e.Source != b.source {
				t.Errorf("%s is measured by %s, want %s", c.ID, e.Source, b.source)
			}
			// Within a tenth, which is the worst that a sensor of these may be wrong by.
			if w := e.GrossJ / e.WindowS; w < 0.9*b.idle || w > 1.1*b.full {
				t.Errorf("%s takes %.2f W, which is not from %.2f W to %.2f W", c.ID, w, b.idle, b.full)
			}
		}
		if good == 0 {
			t.Errorf("%s has no valid trial with energy: %v", c.ID, record.Verdicts(c.Target))
		}
	}
	for _, name := range names {
		if cells[name] != 2 {
			t.Errorf("%s has %d cells, want 2", name, cells[name])
		}
		t.Logf("%s: %v", name, record.Verdicts(name))
	}
	for _, e := range record.Events {
		if e.Code == "not-clean" || e.Code == "not-restored" {
			t.Errorf("%s: %s", e.Code, e.Text)
		}
	}
}

// checkLabels looks at the rows that a user exports.
func checkLabels(t *testing.T, path string, cells int) {
	var out bytes.Buffer
	harness(t, &out, nil, "export", "--store", path)
	has := map[string]int{}
	for lines := json.NewDecoder(&out); ; {
		var row stat.Row
		if err := lines.Decode(&row); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if row.Value == nil {
			continue // a metric that nobody measured needs no label
		}
		energy := row.Metric == "energy_j" || row.Metric == "power_w" || row.Metric == "tops_per_w"
		time := strings.HasPrefix(row.Metric, "latency_ms") || row.Metric == "throughput_per_s"
		if energy && !slices.Contains(row.Warnings, stat.Simulated) {
			t.Errorf("%s of %s is not labelled %s", row.Metric, row.Cell, stat.Simulated)
		}
		if time && !slices.Contains(row.Warnings, stat.Emulated) {
			t.Errorf("%s of %s is not labelled %s", row.Metric, row.Cell, stat.Emulated)
		}
		if *row.Value > 0 {
			has[row.Metric]++
		}
	}
	for _, metric := range []string{"energy_j", "power_w", "tops_per_w", "latency_ms_p50"} {
		if has[metric] != cells {
			t.Errorf("%d of %d cells have %s", has[metric], cells, metric)
		}
	}
}

// boardsSeen are the virtual boards that a process was seen to run.
type boardsSeen struct {
	owner chan int // the process, then its end
	done  chan struct{}
	dirs  map[string]string // and their interfaces
}

// watchBoards collects the boards of the process that owner is told.
func watchBoards() *boardsSeen {
	s := &boardsSeen{owner: make(chan int), done: make(chan struct{}), dirs: map[string]string{}}
	go func() {
		defer close(s.done)
		owner := <-s.owner
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-s.owner:
				tick.Stop()
				return
			case <-tick.C:
			}
			for _, parent := range []string{"/dev/shm", os.TempDir()} {
				notes, _ := filepath.Glob(filepath.Join(parent, "harness-virtual-*", "state", "*.json"))
				for _, path := range notes {
					var note struct {
						Dir    string
						Owner  int
						Subnet struct{ Octet, Index int }
					}
					text, err := os.ReadFile(path)
					if err == nil && json.Unmarshal(text, &note) == nil && note.Owner == owner {
						s.dirs[note.Dir] = fmt.Sprintf("hv%d-%d", note.Subnet.Octet, note.Subnet.Index)
					}
				}
			}
		}
	}()
	return s
}

// left is what is still there of the boards.
func (s *boardsSeen) left(t *testing.T) []string {
	if len(s.dirs) != len(swept) {
		t.Errorf("%d boards were seen to run, want %d", len(s.dirs), len(swept))
	}
	var out []string
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for dir, link := range s.dirs {
		if _, err := os.Lstat(dir); err == nil {
			out = append(out, "the directory "+dir)
		}
		if _, err := net.InterfaceByName(link); err == nil {
			out = append(out, "the interface "+link)
		}
		for _, path := range lines {
			if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte(filepath.Base(dir))) {
				out = append(out, fmt.Sprintf("a process: %q", text))
			}
		}
	}
	return out
}
