package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/store/bundle"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// replayResult is what a replay found, as -o json prints it.
type replayResult struct {
	Run         string             `json:"run"`
	WrittenBy   string             `json:"written_by"`
	Arch        string             `json:"arch"`
	Files       int                `json:"files"`
	Trials      int                `json:"trials"`
	Samples     int                `json:"samples"`
	Figures     int                `json:"figures"`
	Differences []sweep.Difference `json:"differences"`
}

func (a *app) replayCommand() *cobra.Command {
	var report string
	c := &cobra.Command{
		Use:   "replay BUNDLE",
		Short: "Check an evidence bundle and compute all its figures again",
		Long: `Checks every byte of an evidence bundle (harness export --format bundle), computes
every figure of its report again from the raw samples and compares them with the
published ones: bit for bit on the kind of processor that computed them, to nine
digits on another. A damaged file, and a figure that comes out other than it was
published, are named and end with status 1. No store is needed.`,
		Example: `  harness replay run.tar
  harness replay run.tar --report report.html`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.replayBundle(args[0], report) },
	}
	c.Flags().StringVar(&report, "report", "", "HTML report to write from the bundle")
	return c
}

func (a *app) replayBundle(path, report string) error {
	if report != "" {
		if err := writable("report", report); err != nil {
			return err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening bundle: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was read
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("opening bundle: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("opening bundle: %s is no plain file", path)
	}
	b, err := bundle.Open(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r, err := sweep.FromBundle(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	rows := r.Searched()
	m := b.Manifest
	result := replayResult{Run: r.Run.ID, WrittenBy: m.ToolVersion, Arch: m.Arch, Files: len(m.Members), Trials: len(r.Trials), Differences: []sweep.Difference{}}
	for _, t := range r.Trials {
		result.Samples += r.Timing(t).Samples
	}
	figures, diffs, err := sweep.Replay(b, r, rows)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	result.Figures, result.Differences = figures, append(result.Differences, diffs...)
	if report != "" {
		if err := writeReport(report, r, rows); err != nil {
			return err
		}
	}
	if err := a.emitReplay(result); err != nil {
		return err
	}
	switch {
	case len(diffs) == 0:
		return nil
	case m.Rules != sweep.Rules:
		return fmt.Errorf("%d of %d figures differ: they were computed by rules %d (harness %s) and this harness has rules %d; the samples are unchanged", len(diffs), figures, m.Rules, m.ToolVersion, sweep.Rules)
	}
	return fmt.Errorf("%d of %d figures differ from those published, though every file is as it was written", len(diffs), figures)
}

func (a *app) emitReplay(r replayResult) error {
	if a.format != "table" {
		t := table{header: []string{"figure", "published", "recomputed"}}
		for _, d := range r.Differences {
			t.rows = append(t.rows, []string{d.Figure, d.Published, d.Recomputed})
		}
		return a.emit(t, []any{r})
	}
	for _, d := range r.Differences {
		fmt.Fprintf(a.out, "%s\n  published   %s\n  recomputed  %s\n", d.Figure, d.Published, d.Recomputed)
	}
	how := "bit for bit"
	if r.Arch != runtime.GOARCH {
		how = fmt.Sprintf("to nine digits, as they were computed on %s", r.Arch)
	}
	_, err := fmt.Fprintf(a.out, "run %s: %s, %s and %s checked; %d of %d figures are as published, %s\n", r.Run,
		counted(r.Files, "file"), counted(r.Trials, "trial"), counted(r.Samples, "sample"), r.Figures-len(r.Differences), r.Figures, how)
	return err
}
