package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	pprof "github.com/google/pprof/profile"
	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/reports/profile"
	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// benchCommand is the runner's bench in a process of its own, so that a cold
// start is one and the memory is the model's alone.
func (a *app) benchCommand() *cobra.Command {
	var target, flame string
	c := command.Bench(func(ctx context.Context, args []string) error {
		if target != "local" {
			return fmt.Errorf("--target %q: must be local", target)
		}
		return a.bench(ctx, args, flame)
	})
	c.Example = strings.ReplaceAll(c.Example, "runner bench", "harness bench") +
		"\n  harness bench -m model.gguf -p 0 -n 256 --flame decode.svg"
	c.Flags().StringVar(&target, "target", "local", "machine to measure on")
	c.Flags().StringVar(&flame, "flame", "", "draw the CPU profile of the tests as a flame graph in this SVG file")
	for _, name := range []string{"target", "flame"} {
		// The flag exists, so this cannot fail.
		_ = c.Flags().SetAnnotation(name, command.NotOnBoard, []string{"true"})
	}
	return c
}

// bench runs the checked arguments and draws the profile where flame names a
// file.
func (a *app) bench(ctx context.Context, args []string, flame string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	said, samples := strings.Join(args, " "), ""
	for _, arg := range args {
		if path, ok := strings.CutPrefix(arg, "--cpuprofile="); ok {
			samples = path
		}
	}
	if flame != "" {
		if err := writable("flame", flame); err != nil {
			return err
		}
		if samples == "" {
			dir, err := os.MkdirTemp("", "harness-bench")
			if err != nil {
				return fmt.Errorf("making a place for the profile: %w", err)
			}
			defer os.RemoveAll(dir)
			samples = filepath.Join(dir, "cpu.pprof")
			args = append(args, "--cpuprofile="+samples)
		}
	}
	cmd := exec.CommandContext(ctx, exe, append([]string{"runner", "bench"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdout, cmd.Stderr = a.out, a.err
	err = cmd.Run()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		return exitCode(ended.ExitCode()) // it has said why
	case err != nil:
		return wire.Wrap(wire.Target, fmt.Errorf("running the bench: %w", err))
	}
	if flame == "" {
		return nil
	}
	return drawFlame(samples, flame, "harness bench "+said)
}

// modulePath is what the names of our functions begin with.
const modulePath = "github.com/seed-c6f48606/harness"

// drawFlame draws the profile in the file samples to path.
func drawFlame(samples, path, note string) error {
	f, err := os.Open(samples)
	if err != nil {
		return fmt.Errorf("reading the profile: %w", err)
	}
	defer f.Close()
	p, err := pprof.Parse(f)
	if err != nil {
		return fmt.Errorf("reading the profile: %w", err)
	}
	g := profile.Flame{
		Title: "CPU time by function", Note: note, Module: modulePath,
		From: modulePath + "/runners/measure.(*Bench).",
	}
	return replaceFile(path, func(w io.Writer) error { return g.Write(w, p) })
}
