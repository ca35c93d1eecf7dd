package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeInstaller has the named programs and records what is executed.
func fakeInstaller(t *testing.T, programs ...string) (*installer, *[][]string) {
	var calls [][]string
	return &installer{
		Cache: filepath.Join(t.TempDir(), "cache"), Platform: "linux/amd64",
		lookPath: func(name string) (string, error) {
			if !slices.Contains(programs, name) {
				return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
			}
			return "/bin/" + name, nil
		},
		execute: func(_ context.Context, dir string, argv []string) (outcome, error) {
			calls = append(calls, argv)
			switch filepath.Base(argv[0]) {
			case "npm":
				name := argv[len(argv)-1]
				home := filepath.Join(dir, "node_modules", name[:strings.LastIndex(name, "@")])
				if err := os.MkdirAll(home, 0o755); err != nil {
					return outcome{}, err
				}
				return outcome{}, os.WriteFile(filepath.Join(home, "package.json"), nil, 0o644)
			case "cc":
				return outcome{}, os.WriteFile(argv[slices.Index(argv, "-o")+1], nil, 0o755)
			}
			return outcome{}, os.WriteFile(argv[slices.Index(argv, "--write")+1], []byte("GGUF"), 0o644)
		},
	}, &calls
}

func TestInstallOnce(t *testing.T) {
	in, calls := fakeInstaller(t, "npm", "node", "cc")
	for range 2 {
		lib, err := in.library(context.Background())
		if err != nil || !strings.HasPrefix(lib, in.Cache) {
			t.Fatalf("library in %s, %v; want it in the cache", lib, err)
		}
		if _, err := in.driver(context.Background()); err != nil {
			t.Fatal(err)
		}
		m, err := in.shapeFile(context.Background(), "runner", "ernie-0.3b", "q4_0")
		if err != nil || m.Name != "q4_0" || m.SizeBytes != 4 {
			t.Fatalf("model %+v, %v", m, err)
		}
	}
	if len(*calls) != 3 {
		t.Errorf("%d commands for two installations, want 3: %q", len(*calls), *calls)
	}
	npm := strings.Join((*calls)[0], " ")
	for _, want := range []string{"--ignore-scripts", "@node-llama-cpp/linux-x64@" + llamaVersion} {
		if !strings.Contains(npm, want) {
			t.Errorf("npm runs without %s: %s", want, npm)
		}
	}
	if strings.Contains(npm, "registry") {
		t.Errorf("npm is sent to a registry of ours: %s", npm)
	}
}

// Who lacks a tool must read which one, not a stack of wrapped errors.
func TestInstallNamesWhatIsMissing(t *testing.T) {
	library := func(in *installer) error { _, err := in.library(context.Background()); return err }
	driver := func(in *installer) error { _, err := in.driver(context.Background()); return err }
	for name, c := range map[string]struct {
		programs []string
		platform string
		install  func(*installer) error
		want     string
	}{
		"npm":      {[]string{"node"}, "linux/amd64", library, "no npm in PATH: install Node.js with npm"},
		"node":     {[]string{"npm"}, "linux/amd64", library, "no node in PATH: install Node.js"},
		"cc":       {nil, "linux/amd64", driver, "no cc in PATH: install a C compiler"},
		"platform": {[]string{"node", "npm"}, "plan9/mips", library, "node-llama-cpp has no library for the CPU of plan9/mips that this program drives"},
	} {
		in, _ := fakeInstaller(t, c.programs...)
		in.Platform = c.platform
		if err := c.install(in); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}

func TestInstallFails(t *testing.T) {
	in, _ := fakeInstaller(t, "npm", "node", "cc")
	in.execute = func(context.Context, string, []string) (outcome, error) {
		return outcome{}, errors.New("npm: exit status 1: no network")
	}
	if _, err := in.library(context.Background()); err == nil || !strings.Contains(err.Error(), "no network") {
		t.Errorf("npm failed: %v", err)
	}
	if _, err := in.shapeFile(context.Background(), "runner", "s", "q8_0"); err == nil || !strings.Contains(err.Error(), "shape s as q8_0") {
		t.Errorf("the runner failed: %v", err)
	}
	if _, err := in.driver(context.Background()); err == nil || !strings.Contains(err.Error(), "compiling the driver") {
		t.Errorf("cc failed: %v", err)
	}
	in.execute = func(context.Context, string, []string) (outcome, error) { return outcome{}, nil }
	if _, err := in.library(context.Background()); err == nil || !strings.Contains(err.Error(), "npm left no such package") {
		t.Errorf("npm installed nothing: %v", err)
	}
}

// stockScript is a llama-bench by its help and one answer.
func stockScript(t *testing.T, help string) string {
	path := filepath.Join(t.TempDir(), "llama-bench")
	script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = --help ]; then echo '%s'; exit 0; fi\necho '%s'\n", help, jsonlRecord)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStockDialects(t *testing.T) {
	first := task{Prompt: 1, Sequences: 1, FirstToken: true}
	many := task{Gen: 32, Sequences: 16}
	for name, c := range map[string]struct {
		help, want string
		task       task
	}{
		"current":       {"--n-prompt --no-warmup -o <csv|json|jsonl|md>", "-r 1 -o jsonl --no-warmup -rtr 1", first},
		"older":         {"--n-prompt -w, --warmup <0|1> -o <csv|json|md>", "-r 1 -o json -w 0 -rtr 1", first},
		"cannot":        {"--n-prompt", "not measured: llama-bench cannot leave out its warm-up", first},
		"no companion":  {"--n-prompt", "not measured: llama-bench has no llama-batched-bench beside it (RIVAL_BATCHED names one)", many},
		"another tool":  {"--help", "is no llama-bench", first},
		"does not mind": {"--n-prompt", "-p 128 -n 0 -t 2 -r 1 -o json -rtr 1", task{Prompt: 128, Sequences: 1}},
	} {
		s := &stock{Name: "mine", Bench: stockScript(t, c.help), Args: []string{"-rtr", "1"}}
		var got string
		if err := s.probe(context.Background(), t.TempDir()); err != nil {
			got = err.Error()
		} else if cmd, err := s.program().command(context.Background(), "f.gguf", c.task, 2); err != nil {
			got = err.Error()
		} else {
			got = strings.Join(cmd.Argv, " ")
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
	s := &stock{Bench: "llama-bench", Batched: "llama-batched-bench", BatchedArgs: []string{"-rtr"}}
	argv, err := s.argv("f.gguf", many, 2)
	if got, want := strings.Join(argv, " "), "llama-batched-bench -m f.gguf -c 4096 -npp 1 -ntg 32 -npl 16 -t 2 -rtr"; err != nil || got != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}
