// Command rivals runs this repository's runner and other engines on the same GGUF
// files, in turns, and writes a table with the ratios. docs/rivals.md says what
// is measured and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed-c6f48606/harness/runners/measure"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == convertCommand {
		os.Exit(convertMain(os.Args[2:], os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "rivals:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	s, err := parseSettings(args, getenv, stderr)
	if err != nil {
		return err
	}
	work, err := selectTasks(s.Tasks)
	if err != nil {
		return err
	}
	runner, err := filepath.Abs(s.Runner) // programs run in another folder
	if err != nil {
		return fmt.Errorf("finding the runner: %w", err)
	}
	if !isFile(runner) {
		return fmt.Errorf("no runner at %s: make build makes it", s.Runner)
	}
	if err := os.MkdirAll(s.Cache, 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	scratch, err := os.MkdirTemp(s.Cache, "session") // not in /tmp, which may lie in memory
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	in := installer{Cache: s.Cache, Platform: runtime.GOOS + "/" + runtime.GOARCH, lookPath: exec.LookPath, execute: runProcess}
	programs, absent, err := s.programs(ctx, in, runner, scratch)
	if err != nil {
		return err
	}
	models, err := s.models(ctx, in, runner)
	if err != nil {
		return err
	}
	meter := &session{
		Programs: programs, Rounds: s.Rounds, Dir: scratch, Timeout: s.Timeout, Log: stderr,
		Apart: s.Apart, placed: measure.CoreToCore, wait: waitPlaced, execute: runProcess, drop: dropFile,
	}
	r := &report{
		CPU: cpuName(), System: system(), Processors: runtime.NumCPU(), Rounds: s.Rounds,
		Time: time.Now().UTC().Format(time.RFC3339), Models: models, Versions: map[string]string{},
		Absent: absent,
	}
	for _, p := range programs {
		r.Programs = append(r.Programs, p.Name)
	}
	samples, stopped := r.measure(ctx, meter, plan(models, s.Threads, work))
	if s.Trained != "" && stopped == nil {
		if t, err := export(s.Trained, scratch, s.Kinds, perplexityTokens); err != nil {
			r.Absent = append(r.Absent, "Perplexity: not measured: "+err.Error())
		} else {
			r.Perplexities = meter.perplexities(ctx, runner, t)
		}
	}
	// What was measured before an interruption is worth having.
	if err := r.markdown(stdout); err != nil {
		return err
	}
	if err := r.save(s.Out, samples); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "written to %s\n", s.Out)
	if stopped != nil {
		return stopped
	}
	return oursFailed(samples, r.Programs[0])
}

// measure fills in the rows and versions. Its only error is that of ctx.
func (r *report) measure(ctx context.Context, s *session, cells []cell) ([]sample, error) {
	var samples []sample
	for _, c := range cells {
		got, err := s.measure(ctx, c)
		samples = append(samples, got...)
		for _, g := range got {
			if g.Version != "" {
				r.Versions[g.Program] = g.Version
			}
			for _, ns := range g.CoreToCoreNS {
				if g.Error == "" && ns > 0 {
					r.Apart = append(r.Apart, ns)
				}
			}
		}
		if err != nil {
			return samples, err
		}
		r.Rows = append(r.Rows, summarize(c, r.Programs, got)...)
	}
	return samples, nil
}

// perplexityTokens is enough for the difference of two engines: it is paired.
const perplexityTokens = 1024

// save writes rivals.md and rivals.jsonl.
func (r *report) save(dir string, samples []sample) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the tables: %w", err)
	}
	for name, write := range map[string]func(io.Writer) error{
		"rivals.md":    r.markdown,
		"rivals.jsonl": func(w io.Writer) error { return r.jsonl(w, samples) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			return fmt.Errorf("writing the tables: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o644); err != nil {
			return fmt.Errorf("writing the tables: %w", err)
		}
	}
	return nil
}

// oursFailed is an error where our own program failed: a rival's failure is a
// fact of the table, ours is one to mend.
func oursFailed(samples []sample, ours string) error {
	var n int
	var last string
	for _, s := range samples {
		if s.Program == ours && s.Error != "" && !s.Skipped {
			n++
			last = s.Error
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d runs of our own program failed, the last: %s", n, last)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func system() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS + " " + runtime.GOARCH
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}
