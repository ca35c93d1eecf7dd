//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/datasets/builtin"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/virtual"
)

// TestKill kills controllers and runners of sweeps at random moments and resumes
// them, KILLS times in all (10 by default): a user who loses a finished trial,
// or has one counted twice, can trust no figure.
func TestKill(t *testing.T) {
	kills := 10
	if v := os.Getenv("KILLS"); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatalf("KILLS=%s: %v", v, err)
		}
	}
	seed := uint64(1)
	if v, err := strconv.ParseUint(os.Getenv("KILL_SEED"), 10, 64); err == nil {
		seed = v
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	train, test := writeSample(t, dir)
	sit := sitting{t: t, dir: dir, rng: rng, runners: children, within: 6 * time.Second}
	count := sit.all(kills, 2*2*2*3, "--dataset", "csv:"+train, "--test-file", test, "--bits", "16,8", "--batch", "1,4", "--threshold", "0,.5",
		"--repeats", "3", "--window", "60ms", "--warmup-limit", "300ms")
	t.Logf("seed %d: kills: %v", seed, count)
}

// TestKillWithABoard is TestKill where the runner is on a virtual board, which
// ends with its controller; a third as many kills, since each costs a board's start
// and an emulated trial.
func TestKillWithABoard(t *testing.T) {
	kills := 10
	if v, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		kills = v
	}
	dir := t.TempDir()
	train, test := writeSample(t, dir)
	inventory := filepath.Join(dir, "targets.yaml")
	if err := os.WriteFile(inventory, []byte("targets: [{name: toy, virtual: {kind: orin-nano}}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A sitting's own cache has neither the boards' shell nor compiled packages.
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{virtual.Shell: "harness/virtual/busybox-arm64", "GOCACHE": "go-build"} {
		if path = filepath.Join(cache, path); os.Getenv(name) == "" && exists(path) {
			t.Setenv(name, path)
		}
	}
	sit := sitting{t: t, dir: dir, rng: rand.New(rand.NewPCG(1, 0)), runners: boardRunners, within: 12 * time.Second}
	sit.also = []string{"--targets", inventory}
	count := sit.all(max(1, kills/3), 2*2, "--target", "toy", "--dataset", "csv:"+train, "--test-file", test, "--bits", "8,4", "--threads", "1",
		"--repeats", "2", "--window", "60ms", "--warmup-limit", "1s")
	t.Logf("kills: %v", count)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// all lets sweeps run over their sittings until so many kills met a live process,
// and counts them by who was killed.
func (s sitting) all(kills, slots int, plan ...string) map[string]int {
	count := map[string]int{}
	done := 0
	for n := 0; done < kills; n++ {
		s := s // a run of its own
		s.store = filepath.Join(s.dir, fmt.Sprintf("run%d.db", n))
		s.also = append(slices.Clone(s.also), "--store", s.store, "--report", filepath.Join(s.dir, "report.html"))
		s.begin = slices.Concat([]string{"sweep", "--retries", strconv.Itoa(killRetries), "--energy=false"}, plan, s.also)
		for finished := false; !finished; {
			who := ""
			if done < kills {
				who = []string{"controller", "runner", "both"}[done%3]
			}
			var hit bool
			finished, hit = s.sit(who)
			if hit {
				done++
				count[who]++
			}
		}
		s.check(slots)
	}
	return count
}

// killRetries are the further attempts of a trial that was not valid.
const killRetries = 1

// writeSample writes a small part of the built-in data as csv files, so that a
// sweep spends its time in trials.
func writeSample(t *testing.T, dir string) (train, test string) {
	c := builtin.Generate()
	write := func(name string, items []builtin.Item, perClass int) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w := csv.NewWriter(f)
		rows := [][]string{{"text", "label"}}
		seen := map[int]int{}
		for _, it := range items {
			if seen[it.Label]++; seen[it.Label] <= perClass {
				rows = append(rows, []string{it.Text, c.Labels[it.Label]})
			}
		}
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("train.csv", c.Train, 8), write("test.csv", c.Test, 2)
}

// sitting is one run over all its sittings.
type sitting struct {
	t          *testing.T
	dir, store string
	begin      []string
	also       []string // flags of a resumed sweep
	rng        *rand.Rand
	within     time.Duration         // a kill comes so soon
	runners    func(pid int) []int   // of a controller
	known      map[int64]store.Trial // every trial that was ever seen in the store
}

// sit starts or resumes the run and kills who ("" = nobody) after a random time.
// It says whether the run is finished and whether the kill met a live process.
func (s *sitting) sit(who string) (finished, hit bool) {
	args := s.begin
	if s.hasRun() {
		args = append([]string{"sweep", "--resume", "last"}, s.also...)
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asHarness+"=1", "XDG_CACHE_HOME="+filepath.Join(s.dir, "cache"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	pid := cmd.Process.Pid
	if who != "" {
		select {
		case err := <-ended:
			return s.ended(err, out.String()), false
		case <-time.After(time.Duration(s.rng.Int64N(int64(s.within)))):
		}
		runners := s.runners(pid)
		switch who {
		case "controller":
			hit = syscall.Kill(pid, syscall.SIGKILL) == nil
		case "runner":
			for _, p := range runners {
				hit = syscall.Kill(p, syscall.SIGKILL) == nil || hit
			}
		case "both":
			for _, p := range append(runners, pid) {
				hit = syscall.Kill(p, syscall.SIGKILL) == nil || hit
			}
		}
		if who != "runner" {
			<-ended
			s.orphans(runners)
			s.compare()
			return false, hit
		}
	}
	select {
	case err := <-ended:
		return s.ended(err, out.String()), hit
	case <-time.After(3 * time.Minute):
		cmd.Process.Kill()
		s.t.Fatalf("the sweep hangs after killing %q; it printed:\n%s", who, out.String())
	}
	return false, hit
}

// ended says whether a controller that was left alone finished its run.
func (s *sitting) ended(err error, printed string) bool {
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == exitNoValid) { // which a busy machine makes of the best sweep
		s.t.Fatalf("a sweep ended by %v; it printed:\n%s", err, printed)
	}
	s.compare()
	return true
}

// orphans fails if a runner outlives its controller by more than a moment.
func (s *sitting) orphans(runners []int) {
	for _, p := range runners {
		for until := time.Now().Add(10 * time.Second); alive(p); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(until) {
				s.t.Fatalf("runner %d still runs 10 s after its controller was killed", p)
			}
		}
	}
}

func (s *sitting) hasRun() bool {
	db, err := store.OpenExisting(context.Background(), s.store)
	if err != nil {
		return false
	}
	defer db.Close()
	_, err = db.Run(context.Background(), store.Last)
	return err == nil
}

func (s *sitting) trials() []store.Trial {
	db, err := store.OpenExisting(context.Background(), s.store)
	if err != nil {
		return nil // killed before the database was there
	}
	defer db.Close()
	r, err := db.Run(context.Background(), store.Last)
	if err != nil {
		return nil
	}
	trials, err := db.Trials(context.Background(), r.ID)
	if err == nil {
		err = db.AddSamples(context.Background(), r.ID, trials)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return trials
}

// compare fails if a trial that was in the store is gone or changed.
func (s *sitting) compare() {
	now := map[int64]store.Trial{}
	for _, t := range s.trials() {
		now[t.ID] = t
	}
	for id, was := range s.known {
		got, ok := now[id]
		if !ok {
			s.t.Fatalf("trial %s repeat %d attempt %d is lost", was.Cell, was.Repeat, was.Attempt)
		}
		if diff := cmp.Diff(was, got); diff != "" {
			s.t.Fatalf("a stored trial changed:\n%s", diff)
		}
	}
	s.known = now
}

// check fails unless every slot of the finished run was measured as often as it
// should: once, if that was valid, and else until an attempt was valid or the
// retries were used up; with attempts numbered without a gap, and every valid
// trial whole.
func (s *sitting) check(slots int) {
	type slot struct {
		cell   string
		repeat int
	}
	attempts := map[slot][]store.Trial{}
	for _, t := range s.trials() {
		at := slot{t.Cell, t.Repeat}
		attempts[at] = append(attempts[at], t)
	}
	if len(attempts) != slots {
		s.t.Errorf("%d slots have trials, want %d", len(attempts), slots)
	}
	for at, ts := range attempts {
		slices.SortFunc(ts, func(a, b store.Trial) int { return a.Attempt - b.Attempt })
		invalid := 0
		for i, t := range ts {
			if t.Attempt != i {
				s.t.Errorf("slot %v: attempt %d is stored in place %d", at, t.Attempt, i)
			}
			switch t.Result.Verdict {
			case wire.Valid:
				if i != len(ts)-1 {
					s.t.Errorf("slot %v was measured again after its valid attempt %d", at, i)
				}
				if n := len(t.Result.Samples); n == 0 || t.Result.Items == 0 || t.Result.WindowS <= 0 {
					s.t.Errorf("slot %v: the valid trial is incomplete: %d samples, %d items, %g s", at, n, t.Result.Items, t.Result.WindowS)
				}
			case wire.Faulted:
			default:
				invalid++
			}
		}
		if last := ts[len(ts)-1]; last.Result.Verdict != wire.Valid && invalid != killRetries+1 {
			s.t.Errorf("slot %v ended with %d invalid attempts of %d and none valid", at, invalid, killRetries+1)
		}
	}
}

// children are the processes started by pid.
func children(pid int) []int {
	var out []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		f := strings.Fields(rest)
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && len(f) > 1 && f[1] == strconv.Itoa(pid) {
			out = append(out, id)
		}
	}
	return out
}

// boardRunners are the runners on virtual boards of the process pid: emulators below it
// that serve.
func boardRunners(pid int) []int {
	var out []int
	for _, child := range children(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child))
		if argv := strings.Split(string(text), "\x00"); err == nil && strings.HasPrefix(filepath.Base(argv[0]), "qemu-") && slices.Contains(argv, "serve") {
			out = append(out, child)
		}
		out = append(out, boardRunners(child)...)
	}
	return out
}

// alive says whether a process runs; a zombie does not.
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(raw), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}
