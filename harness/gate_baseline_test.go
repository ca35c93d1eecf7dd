package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// A regression that lasts must be told every night, against what was good before it,
// and a series must measure against that too.
func TestLastingRegression(t *testing.T) {
	ctx := context.Background()
	db := filepath.Join(t.TempDir(), "h.db")
	at := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	// Every night ends by its budget.
	plant := func(day int, commit string) string {
		t.Helper()
		s, err := store.Open(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		lease, err := s.Create(ctx, store.Run{Plan: json.RawMessage(`{"targets":["local"]}`), Commit: commit, Started: at.Add(time.Duration(day) * 24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if err := lease.Close(ctx, store.Interrupted, "the time budget ran out"); err != nil {
			t.Fatal(err)
		}
		return lease.Run()
	}
	var last gate.Found
	for day := range 14 {
		bad := day >= 3
		commit := "good"
		if bad {
			commit = "bad"
		}
		id := plant(day, commit)
		s, err := store.Open(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetTag(ctx, id, "main/"+id, true); err != nil {
			t.Fatal(err)
		}
		run, err := s.Run(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := gate.ParseBaseline("main~7d")
		last, err = b.Find(ctx, s, run)
		if (day == 0) != errors.Is(err, gate.ErrNoBaseline) || day > 0 && err != nil {
			t.Fatalf("night %d: %v", day, err)
		}
		if err := settle(ctx, s, id, "main", !bad); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if last.Commit != "good" || len(last.Runs) != 3 {
		t.Errorf("after 11 nights of it the baseline is of commit %s with %d runs, want the 3 good ones", last.Commit, len(last.Runs))
	}
	for _, r := range last.Runs {
		if r.Run.Commit != "good" {
			t.Errorf("a night that regressed is baseline: %s", r.Run.ID)
		}
	}
}

// A series of a runner against itself could only acquit it.
func TestSameRunnerIsNotMeasured(t *testing.T) {
	dir := t.TempDir()
	must := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	must("git", "init", "-q")
	if err := os.MkdirAll(filepath.Join(dir, "runners", "runner"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"go.mod": "module example.com/r\n\ngo 1.21\n", "runners/runner/main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		if err := os.WriteFile(filepath.Join(dir, "README"), []byte{byte('0' + i)}, 0o644); err != nil {
			t.Fatal(err)
		}
		must("git", "add", "-A")
		must("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "a page")
	}
	b := &bench{repo: &gate.Repository{Dir: dir, Cache: sweep.Cache{Root: t.TempDir()}}, goos: runtime.GOOS, goarch: runtime.GOARCH}
	bar := (&app{err: io.Discard}).progress()
	defer bar.Close()
	if _, err := b.sides(context.Background(), [2]string{"HEAD~1", "HEAD"}, bar); !errors.Is(err, errSameRunner) {
		t.Errorf("a page changed: %v", err)
	}
}
