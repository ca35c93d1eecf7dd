package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// driven compiles the driver and the stand-in library. It returns the driver as a
// program whose stderr tells what the library was asked for.
func driven(t *testing.T) program {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	in := installer{Cache: t.TempDir(), Platform: "linux/amd64", lookPath: exec.LookPath, execute: runProcess}
	driver, err := in.driver(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	lib := t.TempDir()
	for _, name := range []string{"libggml-base.so", "libggml.v1.so", "libllama.v1.so"} {
		cmd := exec.Command(cc, "-shared", "-fPIC", "-O1", "-o", filepath.Join(lib, name), "testdata/fake.c")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return llama(driver, lib, nil)
}

// What the rival is asked to do must be what ours does: logits of the last prompt
// token only, of every generated token, from an empty cache.
func TestDriverDoesTheTask(t *testing.T) {
	p := driven(t)
	decodes := func(n int, line string) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf(line, i, i))
		}
		return out
	}
	for name, c := range map[string]struct {
		task task
		want []string
	}{
		"prefill": {
			task{Prompt: 3000, Sequences: 1, FirstToken: true},
			[]string{"clear", "decode 2048 tokens from 0 to 2047, 1 sequences, 0 rows", "decode 952 tokens from 2048 to 2999, 1 sequences, 1 rows"},
		},
		"decode": {
			task{Gen: 3, Sequences: 1, FirstToken: true},
			append([]string{"clear"}, decodes(3, "decode 1 tokens from %d to %d, 1 sequences, 1 rows")...),
		},
		"decode of 16": {
			task{Gen: 2, Sequences: 16, FirstToken: true},
			append([]string{"clear"}, decodes(2, "decode 16 tokens from %d to %d, 16 sequences, 16 rows")...),
		},
		"with a warm-up": {
			task{Prompt: 5, Sequences: 1},
			[]string{"clear", "decode 5 tokens from 0 to 4, 1 sequences, 1 rows", "clear", "decode 5 tokens from 0 to 4, 1 sequences, 1 rows"},
		},
	} {
		cmd, err := p.command(context.Background(), "f.gguf", c.task, 2)
		if err != nil {
			t.Fatal(err)
		}
		o, err := runProcess(context.Background(), t.TempDir(), cmd.Argv)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(append([]string{"load repack=1"}, c.want...), strings.Split(strings.TrimSpace(string(o.Stderr)), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		records, err := p.parse(o, c.task, 2)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, err := resultOf(records, c.task, 2)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.BuildCommit != `abc"\` || r.BuildVersion != "fake" || o.Result == 0 {
			t.Errorf("%s: %+v after %v", name, r, o.Result)
		}
	}
}

func TestDriverPerplexity(t *testing.T) {
	p := driven(t)
	s := session{Dir: t.TempDir(), execute: runProcess}
	// 600 tokens are three pieces; every one is the successor of the one before.
	var tokens []int32
	for i := range 600 {
		tokens = append(tokens, int32(i%8))
	}
	got, err := s.theirPerplexity(context.Background(), p, "f.gguf", tokens)
	if want := (math.E + 7) / math.E; err != nil || math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if _, err := s.theirPerplexity(context.Background(), p, "f.gguf", []int32{1, 8}); err == nil || !strings.Contains(err.Error(), "token 8 of a vocabulary of 8") {
		t.Errorf("a token of another vocabulary: %v", err)
	}
	if _, err := s.theirPerplexity(context.Background(), p, "f.gguf", []int32{1}); err == nil {
		t.Error("one token predicts nothing, yet there is a perplexity")
	}
}

// A structure of another layout would be read as nonsense; the driver must stop
// before it measures that.
func TestDriverRefuses(t *testing.T) {
	p := driven(t)
	cmd, err := p.command(context.Background(), "f.gguf", task{Prompt: 4, Sequences: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	good := cmd.Argv
	with := func(at int, value string) []string {
		argv := append([]string(nil), good...)
		argv[at] = value
		return argv
	}
	empty := t.TempDir()
	for want, c := range map[string]struct {
		argv []string
		env  string
	}{
		"default of n_batch is 1024, want 2048: the driver is written for another version": {good, "FAKE_N_BATCH=1024"},
		"runs on this CPU":             {good, "FAKE_NO_CPU=1"},
		"decode returned 1":            {good, "FAKE_DECODE=1"},
		"loading missing.gguf":         {with(4, "missing.gguf"), ""},
		"no libggml-base*.so":          {with(2, empty), ""},
		"no folder /nowhere":           {with(2, "/nowhere"), ""},
		"-p 4x: want a number":         {with(6, "4x"), ""},
		"unknown flag --what":          {append(with(0, good[0]), "--what", "1"), ""},
		"-o md: only jsonl":            {append(with(0, good[0]), "-o", "md"), ""},
		"-t needs a value":             {append(with(0, good[0]), "-t"), ""},
		"--lib DIR and -m FILE are":    {good[:1], ""},
		"-r 101: want a number from 1": {append(with(0, good[0]), "-r", strconv.Itoa(101)), ""},
	} {
		if name, value, ok := strings.Cut(c.env, "="); ok {
			t.Setenv(name, value)
		}
		if _, err := runProcess(context.Background(), empty, c.argv); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
		if name, _, ok := strings.Cut(c.env, "="); ok {
			os.Unsetenv(name)
		}
	}
}
