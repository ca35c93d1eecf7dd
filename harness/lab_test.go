package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/datasets/builtin"
)

// labProcess starts a service of the lab and returns what it says first on stderr
// behind a text that it must say.
func labProcess(t *testing.T, dir, says string, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), asHarness+"=1")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	ended := make(chan struct{})
	var all strings.Builder
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
			if _, rest, ok := strings.Cut(lines.Text(), says); ok {
				select {
				case found <- rest:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
		late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer late.Stop()
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("harness %s: %v", strings.Join(args, " "), err)
		}
		if t.Failed() {
			t.Logf("harness %s:\n%s", strings.Join(args, " "), all.String())
		}
	})
	select {
	case rest := <-found:
		return rest
	case <-ended:
		t.Fatalf("harness %s: it ended:\n%s", strings.Join(args, " "), all.String())
	case <-time.After(time.Minute):
		t.Fatalf("harness %s does not say %q", strings.Join(args, " "), says)
	}
	return ""
}

// tinyData writes a data set of a few items a class, whose quality is evaluated in
// moments, and returns its folder.
func tinyData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := builtin.Generate()
	for name, items := range map[string][]builtin.Item{"train.csv": c.Train, "test.csv": c.Test} {
		rows, seen := [][]string{{"text", "label"}}, map[int]int{}
		for _, it := range items {
			if seen[it.Label]++; seen[it.Label] <= 3 {
				rows = append(rows, []string{it.Text, c.Labels[it.Label]})
			}
		}
		var text strings.Builder
		if err := csv.NewWriter(&text).WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A sweep that is submitted must come back as a run like one of harness sweep: the
// lab is no use if its figures cannot be read with the rest.
func TestLabCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("measures")
	}
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	at := func(name string) string { return filepath.Join(dir, name) }
	say := func(args ...string) (int, string, string) {
		var out, err strings.Builder
		code := run(context.Background(), args, strings.NewReader(""), &out, &err)
		return code, out.String(), err.String()
	}
	code, token, text := say("lab", "token", "ada", "--tokens", at("tokens.yaml"))
	if code != exitDone {
		t.Fatal(text)
	}
	t.Setenv("HARNESS_LAB_TOKEN", strings.TrimSpace(token))
	data := tinyData(t)
	t.Setenv("HARNESS_LAB", labProcess(t, dir, "lab at ", "lab", "serve", "--listen", "127.0.0.1:0", "--database", at("lab.db"), "--tokens", at("tokens.yaml"), "--files", data))
	labProcess(t, dir, "lease taken", "lab", "work", "--database", at("lab.db"), "--this-machine", "bench", "--files", data)
	if err := os.WriteFile(at("plan.yaml"), []byte("dataset: "+data+"\nbits: [16, 4]\nthreads: [1]\nrepeats: 2\nretries: 0\nenergy: false\nwindow: 50ms\nwarmup_limit: 200ms\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, text := say("lab", "submit", at("plan.yaml"), "--target", "moon"); code != exitFault || !strings.Contains(text, "moon") {
		t.Errorf("an unknown board ends with %d: %s", code, text)
	}
	code, id, text := say("lab", "submit", at("plan.yaml"), "--target", "bench", "--watch")
	if id = strings.TrimSpace(id); code != exitDone || id == "" {
		t.Fatalf("submitting ends with %d: %s", code, text)
	}
	code, table, text := say("lab", "status")
	if code != exitDone || !strings.Contains(table, id) || !strings.Contains(table, "4/4") {
		t.Errorf("status ends with %d: %s %s", code, table, text)
	}
	// A busy machine may call every trial contended.
	code, _, text = say("lab", "fetch", id, "--store", at("harness.db"), "--report", at("report.html"), "--quiet")
	if code != exitDone && code != exitNoValid {
		t.Fatalf("fetching ends with %d: %s", code, text)
	}
	code, rows, text := say("export", "--store", at("harness.db"))
	if code != exitDone || strings.Count(rows, `"f1_macro"`) != 2 || !strings.Contains(rows, "@bench") {
		t.Errorf("export ends with %d: %.400s %s", code, rows, text)
	}
}
