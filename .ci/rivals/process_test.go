package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

func TestRunProcessTakesTheTimeOfTheResult(t *testing.T) {
	start := time.Now()
	o, err := runProcess(context.Background(), t.TempDir(), shell(`echo '['; sleep 0.2; echo '"samples_ns": [1]'; sleep 0.3; pwd >&2`))
	if err != nil {
		t.Fatal(err)
	}
	if all := time.Since(start); o.Result < 200*time.Millisecond || o.Result > all-250*time.Millisecond {
		t.Errorf("the result came after %v of %v, want about 200 ms: not the first line, not the end", o.Result, all)
	}
	if !strings.Contains(string(o.Stdout), "samples_ns") || len(o.Stderr) == 0 {
		t.Errorf("output %q, %q", o.Stdout, o.Stderr)
	}
	if o.PeakRSSBytes < 100<<10 {
		t.Errorf("peak memory of %d bytes", o.PeakRSSBytes)
	}
}

// The reason in the table is all that a user has of a rival's crash.
func TestRunProcessSaysWhatWentWrong(t *testing.T) {
	for name, c := range map[string]struct {
		argv []string
		want string
	}{
		"exit status": {shell("echo first >&2; echo no such model >&2; exit 3"), "exit status 3: no such model"},
		"signal":      {shell("kill -SEGV $$"), "segmentation fault"},
		"no program":  {[]string{"/nowhere/llama-bench"}, "llama-bench"},
	} {
		if _, err := runProcess(context.Background(), t.TempDir(), c.argv); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestRunProcessStopsWhatHangs(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := runProcess(ctx, t.TempDir(), []string{"/bin/sleep", "60"}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

// A file that stays in memory would make a cold start warm.
func TestDropFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if share, err := residentShare(f); err != nil || share != 1 {
		t.Errorf("a file just written is in memory to %v, %v", share, err)
	}
	if err := dropFile(path); err != nil {
		if strings.Contains(err.Error(), "stayed in memory") {
			t.Skip("the folder of temporary files keeps them in memory")
		}
		t.Fatal(err)
	}
	if share, err := residentShare(f); err != nil || share > 0.01 {
		t.Errorf("a dropped file is in memory to %v, %v", share, err)
	}
	if err := dropFile(path + "x"); err == nil {
		t.Error("a missing file was dropped")
	}
}

func TestLastLineIsShort(t *testing.T) {
	if got := lastLine([]byte("a\nb\n\n")); got != "b" {
		t.Errorf("%q", got)
	}
	if got := lastLine([]byte(strings.Repeat("x", 1000))); len(got) > 220 {
		t.Errorf("%d bytes", len(got))
	}
}
