package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed-c6f48606/harness/runners/command"
)

var update = flag.Bool("update", false, "rewrite golden files")

// asHarness makes the test binary be the harness, so that tests start real
// processes of it.
const asHarness = "HARNESS_TEST_BINARY"

// asRunner makes it be the runner, on a stand-in for a board.
const asRunner = "HARNESS_TEST_RUNNER"

func TestMain(m *testing.M) {
	// The harness starts itself again by its executable's path, which is this
	// binary's under any name.
	if os.Getenv(asHarness) != "" || len(os.Args) > 1 && os.Args[1] == "runner" {
		main()
	}
	if os.Getenv(asRunner) != "" {
		os.Exit(command.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){"harness": main, "harness-or-4": orNoValid})
}

// orNoValid is the harness where "no valid measurement" is as good as done: on a
// machine that is busy with other tests every trial may rightly be contended.
func orNoValid() {
	code := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if code == exitNoValid {
		code = exitDone
	}
	os.Exit(code)
}

// TestScripts types commands as a user does.
func TestScripts(t *testing.T) {
	cache := t.TempDir() // shared by the scripts: built-in models and artefacts are unpacked once
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", cache)
			e.Setenv("HARNESS_SHARED", filepath.Join(e.WorkDir, "none"))
			return nil
		},
	})
}

// TestHelp asks every command for its help: each has examples or says what it
// is for, and none fails.
func TestHelp(t *testing.T) {
	a := &app{out: os.Stdout, err: os.Stderr}
	for _, c := range a.root().Commands() {
		if c.Short == "" {
			t.Errorf("%s has no description", c.Name())
		}
		if c.HasFlags() && !c.Hidden && c.Runnable() && c.Example == "" && c.Name() != "version" {
			t.Errorf("%s has flags and no example", c.Name())
		}
	}
	if code := run(context.Background(), []string{"help"}, nil, discard{}, discard{}); code != exitDone {
		t.Errorf("help ends with status %d", code)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
