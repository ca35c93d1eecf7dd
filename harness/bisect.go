package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

func (a *app) bisectCommand() *cobra.Command {
	f := newLiveFlags()
	var good, bad, cell string
	var explain bool
	c := &cobra.Command{
		Use:   "bisect --good REV --bad REV",
		Short: "Find the commit that made a cell slower, by measuring builds on the target",
		Long: `Builds commits between a good and a bad one (along first parents) and measures them
against the good one, interleaved on the same target: first the bad one, then whichever
halves what is left. A step ends as soon as its interval lies on one side of half the
whole change; --error is the chance that any step is wrong. Commits that build the same
runner as one that is known are not measured, and those that do not build are stepped
around.

At the end the commit's build and its parent's are profiled and the kernel is named.
Ctrl-C saves; the same command with --resume goes on.`,
		Example: `  harness bisect --good v1.2 --bad main --cell 8b-r1-p0-t0-n16-c2
  harness bisect --good main~16 --bad main --bits 8 --metric latency_ms_p50 --target pi5`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if good == "" || bad == "" {
				return errors.New("--good and --bad: name both revisions, an older good one and a newer bad one")
			}
			return a.bisect(c, f, good, bad, cell, explain)
		},
	}
	c.Flags().StringVar(&good, "good", "", "older revision that is good")
	c.Flags().StringVar(&bad, "bad", "", "newer revision that is bad")
	c.Flags().StringVar(&cell, "cell", "", "cell to measure by its name in rows, in place of --bits, --batch and so on")
	c.Flags().BoolVar(&explain, "attribute", true, "profile the commit that is found against its parent")
	f.addTarget(a, c)
	f.addPlan(c)
	return c
}

// bisected is what -o json prints.
type bisected struct {
	Commit   string      `json:"commit"` // empty where several are left
	Suspects []string    `json:"suspects"`
	Parent   string      `json:"parent"`
	Metric   string      `json:"metric"`
	Cell     string      `json:"cell"`
	Effect   effect      `json:"effect"`
	Steps    []gate.Step `json:"steps"`
	Blocks   int         `json:"blocks"`
	Kernel   string      `json:"kernel,omitempty"`
	Layer    string      `json:"layer,omitempty"`
	Cause    string      `json:"cause,omitempty"`
}

func (a *app) bisect(c *cobra.Command, f *liveFlags, good, bad, cell string, explain bool) (err error) {
	ctx := c.Context()
	rule, deciding, err := f.decide()
	if err != nil {
		return err
	}
	if len(deciding) != 1 {
		return fmt.Errorf("--metric: a bisection follows one metric, not %d", len(deciding))
	}
	plan, err := f.build(c, f.recipe)
	if err != nil {
		return err
	}
	if cell != "" {
		axes, target, err := gate.ParseCell(cell)
		if err != nil {
			return fmt.Errorf("--cell: %w", err)
		}
		if target != f.target {
			return fmt.Errorf("--cell %s is on target %s and --target is %s", cell, target, f.target)
		}
		plan = gate.Only(plan, axes)
		if err := f.placeOn(&plan); err != nil {
			return err
		}
	}
	if n := len(plan.Cells()); n != 1 {
		return fmt.Errorf("a bisection measures one cell and the flags make %d; name one by --cell", n)
	}
	b, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	bar := a.progress()
	defer bar.Close()
	stop, ctx, release := interrupts(ctx, bar)
	defer release()
	duels, err := gate.Duels(ctx, b.cache, f.target, [2]sweep.Plan{plan, plan}, bar)
	if err != nil {
		return err
	}
	x := &gate.Bisect{
		Repo: b.repo, Goos: b.goos, Goarch: b.goarch, Cell: duels[0].Cell, Metric: deciding[0], Rule: rule, Progress: bar,
	}
	for _, rev := range []struct {
		name string
		to   *gate.Commit
	}{{good, &x.Good}, {bad, &x.Bad}} {
		if *rev.to, err = b.repo.Find(ctx, rev.name); err != nil {
			return err
		}
	}
	x.Series = func(_ context.Context, from, to gate.Build) (*gate.Series, error) {
		var arms [2]*gate.Arm
		for i, build := range []gate.Build{from, to} {
			if arms[i], err = b.arm(build.Commit.String(), &build); err != nil {
				return nil, err
			}
		}
		s, err := b.series(arms, duels, rule, deciding, plan.Seed, "bisect", from.Sum, to.Sum)
		if err == nil {
			s.Progress, s.Stop = bar, stop
		}
		return s, err
	}
	found, err := x.Run(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	var cause *gate.Cause
	if explain && x.Metric.Timed {
		if cause, err = attribute(ctx, x, found, duels[0]); err != nil {
			bar.Note(store.Warning, "the kernel is not known: "+err.Error())
		}
	}
	bar.Close()
	return a.emitCulprit(x, found, cause)
}

// attribute profiles the commit that was found against its parent.
func attribute(ctx context.Context, x *gate.Bisect, found *gate.Culprit, d gate.Duel) (*gate.Cause, error) {
	s, err := x.Series(ctx, found.Builds[0], found.Builds[1])
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // the figures are there
	return s.Attribute(ctx, d, (found.Whole.Value > 0) == x.Metric.Less, gate.DefaultEffort())
}

// interrupted says how an interrupted series goes on.
func interrupted(ctx context.Context, err error) error {
	if errors.Is(err, sweep.ErrInterrupted) || ctx.Err() != nil {
		return fmt.Errorf("%w: what was measured is kept; go on with the same command and --resume", sweep.ErrInterrupted)
	}
	var invalid *gate.InvalidError
	if errors.As(err, &invalid) {
		return fmt.Errorf("%w: %w", errNoValid, err)
	}
	return err
}

func (a *app) emitCulprit(x *gate.Bisect, found *gate.Culprit, cause *gate.Cause) error {
	r := bisected{
		Parent: found.Parent.Hash, Metric: x.Metric.Name, Cell: x.Cell, Effect: effectOf(found.Whole), Steps: found.Steps,
	}
	t := table{header: []string{"commit", "is", "because", "blocks"}, right: []int{3}}
	for _, s := range found.Steps {
		r.Blocks += s.Blocks
		t.rows = append(t.rows, []string{s.Commit.String(), s.State, s.Why, fmt.Sprint(s.Blocks)})
	}
	for _, c := range found.Suspects {
		r.Suspects = append(r.Suspects, c.Hash)
	}
	if len(found.Suspects) == 1 {
		r.Commit = found.Suspects[0].Hash
	}
	if cause != nil {
		r.Cause = cause.String()
		if cause.Kernel != nil {
			r.Kernel, r.Layer = cause.Kernel.Name, cause.Layer
		}
	}
	if a.format != "table" {
		return a.emit(t, []any{r})
	}
	if err := t.print(a.out); err != nil {
		return err
	}
	if len(found.Suspects) == 1 {
		fmt.Fprintf(a.out, "\n%v changed %s of %s (%s from good to bad)\n", found.Suspects[0], x.Metric.Name, x.Cell, gate.Percent(found.Whole))
	} else {
		fmt.Fprintf(a.out, "\none of %d commits changed %s of %s (%s from good to bad); those beside the last do not build:\n", len(found.Suspects), x.Metric.Name, x.Cell, gate.Percent(found.Whole))
		for _, c := range found.Suspects {
			fmt.Fprintln(a.out, " ", c)
		}
	}
	if cause != nil {
		fmt.Fprintln(a.out, "kernel:", cause)
	}
	return nil
}
