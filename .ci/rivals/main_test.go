package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func env(pairs ...string) func(string) string {
	return func(key string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == key {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestSettings(t *testing.T) {
	bench := stockScript(t, "")
	s, err := parseSettings([]string{"--threads", "2, 1", "--kinds", "q4_0", "--tasks", "pp128,tg128", "--core-to-core", "100-300"},
		env("RIVAL_CACHE", "/c", "RIVAL_BENCH", bench, "RIVAL_ARGS", "-rtr 1", "RIVAL_BATCHED", bench), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if s.Cache != "/c" || s.Rounds != 5 || len(s.Kinds) != 1 || s.Apart != [2]float64{100, 300} {
		t.Errorf("%+v", s)
	}
	if diff := cmp.Diff([]int{2, 1}, s.Threads); diff != "" {
		t.Errorf("threads (-want +got):\n%s", diff)
	}
	if s.Stock.Name != "llama-bench" || s.Stock.Batched != bench || len(s.Stock.Args) != 2 {
		t.Errorf("%+v", s.Stock)
	}
	for want, c := range map[string]struct {
		args []string
		env  func(string) string
	}{
		"want numbers of 1":   {[]string{"--threads", "0"}, env()},
		"want two numbers":    {[]string{"--core-to-core", "300-100"}, env()},
		"want NAME=FILE":      {[]string{"--models", "x.gguf"}, env()},
		"nothing to measure":  {[]string{"--rounds", "0"}, env()},
		"unknown argument":    {[]string{"extra"}, env()},
		"set RIVAL_BENCH":     {[]string{"--without-llama", "--without-onnx"}, env()},
		"not defined":         {[]string{"--nonsense"}, env()},
		"RIVAL_BENCH: no":     {nil, env("RIVAL_BENCH", "/nowhere/llama-bench")},
		"RIVAL_BATCHED: no f": {nil, env("RIVAL_BENCH", bench, "RIVAL_BATCHED", "/nowhere/b")},
	} {
		if _, err := parseSettings(c.args, c.env, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", c.args, err, want)
		}
	}
}

// The whole of it with programs that are shell scripts: a rival that crashes in
// one task, and ours that is right.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const result = `echo "{\"n_threads\": 1, \"n_prompt\": $2, \"n_gen\": $4, \"samples_ns\": [$5]}"`
	runner := script("runner", `shift 3; set -- "$1" "$3" -n "$5" 1000000`+"\n"+result)
	bench := script("llama-bench", `case "$*" in *--help*) echo --n-prompt; exit;; *"-n 128"*) kill -SEGV $$;; esac
shift; set -- "$1" "$3" -n "$5" 2000000
`+result)
	model := script("model.gguf", "")
	var out, log bytes.Buffer
	args := []string{
		"--without-llama", "--without-onnx", "--runner", runner, "--models", "m=" + model, "--threads", "1", "--rounds", "2",
		"--tasks", "pp128,tg128", "--trained", "", "--out", filepath.Join(dir, "out"),
	}
	if err := run(context.Background(), args, env("RIVAL_BENCH", bench, "RIVAL_CACHE", dir), &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, want := range []string{
		"| m | 1 | prefill 128 | 128000 (128000–128000) | 64000 (64000–64000) | **2.00** [2.00, 2.00] |",
		"| m | 1 | decode 128 | 128000 (128000–128000) | – see notes | – |",
		"- llama-bench, m, threads 1, decode 128: 2 of 2 runs: failed: llama-bench: signal: segmentation fault",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %s in\n%s", want, out.String())
		}
	}
	saved, err := os.ReadFile(filepath.Join(dir, "out", "rivals.md"))
	if err != nil || !bytes.Equal(saved, out.Bytes()) {
		t.Errorf("the file differs from what was printed: %v", err)
	}

	script("runner", "echo out of memory >&2; exit 1\n")
	if err := run(context.Background(), args, env("RIVAL_BENCH", bench, "RIVAL_CACHE", dir), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "4 runs of our own program failed") {
		t.Errorf("ours failed, yet %v", err)
	}
	for want, c := range map[string]struct{ args, bench string }{
		"make build":        {"--runner /nowhere/runner", bench},
		"no task":           {"--tasks pp1", bench},
		"finding a model":   {"--without-llama --without-onnx --runner " + runner + " --models m=/nowhere/m.gguf", bench},
		"is no llama-bench": {"--without-llama --without-onnx --runner " + runner, model},
	} {
		err := run(context.Background(), strings.Fields(c.args), env("RIVAL_BENCH", c.bench, "RIVAL_CACHE", dir), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", c.args, err, want)
		}
	}
}
