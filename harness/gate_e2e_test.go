//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// planted is how a kernel is made slower: every so many of its calls that can be made
// twice without another result are.
const planted = `
		if !o.Add && plantedCalls.Add(1)%%%d == 0 {
			m.mulWide(tier, o, o.A, n, p, false, nil, s)
		}`

// TestPlantedRegression: what the gate is for, on this machine, with real builds: one
// of 16 commits makes one kernel slower. Gate must find it in one interleaved series
// and name the kernel, bisect the commit. EVERY sets how slow: 13 repeats every
// thirteenth of the calls that can be, which are two thirds of the kernel's work, and so
// makes it 5 % slower. The model is wide enough that its time is the kernels', as that
// of the models is which the harness is for.
func TestPlantedRegression(t *testing.T) {
	every := 13
	if v := os.Getenv("EVERY"); v != "" {
		var err error
		if every, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	repo := filepath.Join(dir, "repo")
	must(t, "..", "git", "clone", "-q", "--no-hardlinks", ".", repo)
	const culprit = 11
	base := strings.TrimSpace(must(t, repo, "git", "rev-parse", "HEAD"))
	var hashes []string
	for i := 1; i <= 16; i++ {
		if i == culprit {
			plant(t, repo, every)
		} else {
			harmless(t, repo, i)
		}
		must(t, repo, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qam", fmt.Sprintf("change %d", i))
		hashes = append(hashes, strings.TrimSpace(must(t, repo, "git", "rev-parse", "HEAD")))
	}

	// Two nights, each by the harness of its commit.
	// One thread: on shared cores two that wait for each other make heavy tails.
	folder, train, test := writeQuick(t, dir, 512, 1536, 4)
	cell := []string{"--model", folder, "--dataset", "csv:" + train, "--test-file", test, "--bits", "8", "--batch", "16", "--threads", "1", "--window", "1s"}
	flags := append(cell[:len(cell):len(cell)], "--repeats", "10", "--store", filepath.Join(dir, "nights.db"), "--report", "")
	for i, rev := range []string{base, hashes[15]} {
		must(t, repo, "git", "checkout", "-q", rev)
		exe := filepath.Join(dir, fmt.Sprintf("harness-%d", i))
		must(t, repo, "go", "build", "-buildvcs=true", "-o", exe, "./harness") // a run names its commit
		must(t, dir, exe, append([]string{"sweep"}, flags...)...)
		if i == 0 {
			must(t, dir, exe, "store", "tag", "last", "main", "--store", filepath.Join(dir, "nights.db"))
		}
	}

	out, code := invoke(t, dir, "gate", "--baseline", "main", "--store", "nights.db", "--repo", repo, "--live", "--metric", "latency_ms_p50", "--max-blocks", "100", "-o", "json")
	t.Logf("gate, status %d: %s", code, out)
	var found []finding
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found) != 1 {
		t.Fatalf("the gate's findings: %v", err)
	}
	if f := found[0]; code != exitRegressed || f.Verdict != "regressed" || f.Live == nil {
		t.Errorf("the gate ends with status %d and calls the cell %s", code, f.Verdict)
	} else if !strings.Contains(f.Kernel, "/kernels.") {
		t.Errorf("the gate names the kernel %q", f.Kernel)
	}

	out, code = invoke(t, dir, append([]string{"bisect", "--good", base, "--bad", hashes[15], "--repo", repo, "--max-blocks", "100", "-o", "json"}, cell...)...)
	t.Logf("bisect, status %d: %s", code, out)
	var culprits []bisected
	if err := json.Unmarshal([]byte(out), &culprits); err != nil || len(culprits) != 1 {
		t.Fatalf("the bisection's result: %v", err)
	}
	if c := culprits[0]; c.Commit != hashes[culprit-1] || !strings.Contains(c.Kernel, "/kernels.") {
		t.Errorf("bisect names commit %q and kernel %q, want %s", c.Commit, c.Kernel, hashes[culprit-1])
	}
}

// plant makes a kernel slower.
func plant(t *testing.T, repo string, every int) {
	t.Helper()
	const call = "t := m.mulWide(tier, o, o.A, n, p, o.Add, m.nextPanel(p, hi), s)"
	edit(t, filepath.Join(repo, "kernels", "inttile.go"), call, call+fmt.Sprintf(planted, every))
	text := "package kernels\n\nimport \"sync/atomic\"\n\nvar plantedCalls atomic.Uint32\n"
	if err := os.WriteFile(filepath.Join(repo, "kernels", "planted.go"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, repo, "git", "add", "kernels/planted.go")
}

// harmless changes a word of the program, so that another runner is built, or one of
// its pages, so that the same one is.
func harmless(t *testing.T, repo string, i int) {
	t.Helper()
	if i%3 == 0 {
		edit(t, filepath.Join(repo, "README.md"), "\n", fmt.Sprintf("\n<!-- %d -->\n", i))
		return
	}
	word := "Serve a controller on standard input and output"
	edit(t, filepath.Join(repo, "runners", "command", "serve.go"), word, word+fmt.Sprintf(", %d", i))
}

func edit(t *testing.T, path, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), from, to, 1)
	if text == string(raw) {
		t.Fatalf("%s has no %q", path, from)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// must runs a program that has to succeed.
func must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// invoke runs this program as a user does.
func invoke(t *testing.T, dir string, args ...string) (string, int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), asHarness+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Logf("harness %s:\n%s", strings.Join(args, " "), stderr.String())
	return string(out), cmd.ProcessState.ExitCode()
}
