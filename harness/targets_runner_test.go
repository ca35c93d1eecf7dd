//go:build e2e

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// TestTheRunnerOfEveryBuild sweeps a virtual board by programs that were built in
// different ways: a user whose program and runner do not match measures nothing. A
// program without a stamp, in its source, is that of the other tests.
func TestTheRunnerOfEveryBuild(t *testing.T) {
	dir := t.TempDir()
	build := func(to, pkg string, env []string, args ...string) {
		t.Helper()
		cmd := exec.Command("go", append(append([]string{"build", "-trimpath", "-o", to}, args...), "github.com/seed-c6f48606/harness/"+pkg)...)
		cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v: %s", pkg, err, out)
		}
	}
	const release = "-X github.com/seed-c6f48606/harness/runners/wire.release=v9.8.7"
	stamp := "-buildvcs=true"
	if !exists("../.git") {
		t.Log("the source is in no repository: no build of a commit is tried")
		stamp = "-buildvcs=false"
	}
	model, train, test := writeQuick(t, dir, 64, 128, 2)
	runners, inventory := filepath.Join(dir, "runners"), filepath.Join(dir, "targets.yaml")
	if err := os.WriteFile(inventory, []byte("targets: [{name: toy, virtual: {kind: pi5}}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	build(filepath.Join(runners, "runner-linux-arm64"), "runners/runner", []string{"GOOS=linux", "GOARCH=arm64"}, "-buildvcs=false", "-ldflags", release)
	// A go command that does nothing comes before any other.
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\necho there is no Go here >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	noGo := []string{"PATH=" + dir + string(filepath.ListSeparator) + os.Getenv("PATH")}
	for _, c := range []struct {
		name    string
		how     []string // the program is built
		work    string   // the folder in which it is started
		env     []string
		flags   []string
		version string // of the runner, and whether it tells a commit
		commit  bool
		fault   string
	}{
		{name: "a commit", how: []string{stamp}, work: ".", commit: stamp == "-buildvcs=true"},
		{name: "a release in its source", how: []string{"-buildvcs=false", "-ldflags", release}, work: ".", version: "v9.8.7"},
		{name: "a folder of runners, without Go", how: []string{"-buildvcs=false", "-ldflags", release}, work: dir, env: noGo, flags: []string{"--runner-dir", runners}, version: "v9.8.7"},
		{name: "a runner of another version", how: []string{"-buildvcs=false"}, work: dir, env: noGo, flags: []string{"--runner-dir", runners}, fault: "deploy the runner"},
		{name: "no source and no Go", how: []string{"-buildvcs=false"}, work: dir, env: noGo, fault: "there is no runner for linux/arm64: source: go list: there is no Go here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := t.TempDir()
			program, db := filepath.Join(own, "harness"), filepath.Join(own, "harness.db")
			build(program, "harness", nil, c.how...)
			cmd := exec.Command(program, append([]string{
				"sweep", "--targets", inventory, "--target", "toy", "--model", model, "--dataset", "csv:" + train, "--test-file", test,
				"--bits", "16", "--threads", "1", "--repeats", "1", "--retries", "0", "--window", "100ms", "--energy=false", "--store", db, "--report", "",
			}, c.flags...)...)
			cmd.Dir, cmd.Env = c.work, append(os.Environ(), c.env...)
			out, err := cmd.CombinedOutput()
			if c.fault != "" {
				if err == nil || !strings.Contains(string(out), c.fault) {
					t.Errorf("it ended with %v, want %q in\n%s", err, c.fault, out)
				}
				return
			}
			// The verdict is the host's: what counts is that the runner was there and ran.
			record := readRecord(t, db)
			if len(record.Trials) != 1 || record.Trials[0].Result.Verdict == wire.Faulted {
				t.Fatalf("%v, %d trials:\n%s", err, len(record.Trials), out)
			}
			env := record.Trials[0].Result.Env
			if env.Arch != "arm64" || !strings.HasPrefix(env.ToolVersion, c.version) || (env.Commit != "") != c.commit {
				t.Errorf("the trial was made by %s %q for %s", env.ToolVersion, env.Commit, env.Arch)
			}
		})
	}
}
