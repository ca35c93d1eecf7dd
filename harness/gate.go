package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// exitRegressed is the status of a gate that found one.
const exitRegressed = 2

// gateFlags are the flags of harness gate.
type gateFlags struct {
	store, run, baseline string
	policy               gate.Policy
	metrics              []string
	strict               bool
	live                 bool
	most                 int  // series
	open                 bool // also where nothing suggests a regression, and nothing rules it out
	from                 string
	to                   string
	junit                string
	sarif                string
	markdown             string
	inventory            string
	repo                 string
	rule                 gate.Rule
	resume               bool
}

func (a *app) gateCommand() *cobra.Command {
	f := &gateFlags{policy: gate.DefaultPolicy(), rule: gate.ConfirmRule(gate.DefaultPolicy().MarginPct)}
	c := &cobra.Command{
		Use:   "gate",
		Short: "Compare a run with a baseline: exit status 2 on a regression",
		Long: `Judges every metric of every cell of a stored run against a baseline: regressed,
improved, same, or cannot tell with the number of trials that would tell. The share of
false ones among all changes told is bounded, and a change is told only if it stands both
as measured and with the machine's own change taken out: its rate of int8 products or of
reading memory, whichever the cell hangs on, measured after every trial.

--live measures the suspects against the baseline's build, interleaved on their own
target, before it calls them, and profiles both: the series decides, and the kernel is
named. Then come cells in which nothing rules a regression out, up to --max-series. The
commits are those of the runs, or --from and --to.

The baseline is run:ID, a tag, or main~7d: all runs of the last seven days with tags that
begin with main/.

Exit status: 2 a regression; 0 none, also where it cannot tell (4 with --strict).`,
		Example: `  harness gate --baseline main~7d
  harness gate --run 20261128 --baseline run:20261127 --margin 2 --strict
  harness gate --baseline main --live --junit gate.xml --sarif gate.sarif --markdown gate.md`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.gate(c, f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.store, "store", store.Default, "database of runs")
	flags.StringVar(&f.run, "run", store.Last, "run under test: an id, a beginning of it, a tag, or last")
	flags.StringVar(&f.baseline, "baseline", "", "run:ID, a tag, or TAG~7d (h, d, w)")
	flags.Float64Var(&f.policy.MarginPct, "margin", f.policy.MarginPct, "change in per cent that matters")
	flags.Float64Var(&f.policy.FalseShare, "false-share", f.policy.FalseShare, "expected share of false ones among all changes told, at most")
	flags.StringSliceVar(&f.metrics, "metric", nil, "metrics to judge (default all)")
	flags.BoolVar(&f.strict, "strict", false, "exit status 4 where it cannot tell of a metric")
	flags.BoolVar(&f.live, "live", false, "measure suspects interleaved against the baseline's build before calling them")
	flags.IntVar(&f.most, "max-series", 4, "cells that are measured live, the worst first")
	flags.StringVar(&f.from, "from", "", "commit of the baseline for --live (default that of the run with its tag, which passed; else of its oldest run)")
	flags.StringVar(&f.to, "to", "", "commit under test for --live (default that of the run)")
	flags.Float64Var(&f.rule.Error, "error", f.rule.Error, "chance of a wrong decision of a live series")
	flags.IntVar(&f.rule.MaxBlocks, "max-blocks", f.rule.MaxBlocks, "blocks of four trials after which a live series ends")
	flags.StringVar(&f.repo, "repo", ".", "git work tree of this module, from which commits are built")
	flags.StringVar(&f.inventory, "targets", "", "inventory file (default ./targets.yaml, else the user's)")
	flags.BoolVar(&f.resume, "resume", false, "go on with the live series that the same command began")
	flags.StringVar(&f.junit, "junit", "", "JUnit XML file to write")
	flags.StringVar(&f.sarif, "sarif", "", "SARIF file to write")
	flags.StringVar(&f.markdown, "markdown", "", "Markdown file to write")
	complete(c, "metric", gate.MetricNames()...)
	return c
}

func (a *app) gate(c *cobra.Command, f *gateFlags) error {
	ctx := c.Context()
	if f.baseline == "" {
		return errors.New("--baseline: name what to compare with: run:ID, a tag, or main~7d")
	}
	baseline, err := gate.ParseBaseline(f.baseline)
	if err != nil {
		return fmt.Errorf("--baseline: %w", err)
	}
	if err := f.check(); err != nil {
		return err
	}
	s, err := store.OpenExisting(ctx, f.store)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it was only read
	run, err := readRun(ctx, s, f.run)
	if err != nil {
		return err
	}
	r, err := judge(ctx, s, run, baseline, f.policy)
	if err != nil {
		return err
	}
	if f.live {
		f.open = true
		if err := a.confirm(ctx, f, run, r); err != nil {
			return err
		}
	}
	r.Sort()
	if err := a.emitResult(r); err != nil {
		return err
	}
	if err := writeOutputs(r, f.junit, f.sarif, f.markdown); err != nil {
		return err
	}
	return verdict(r, f.strict)
}

// check refuses wrong flags before anything is read.
func (f *gateFlags) check() error {
	var err error
	if len(f.metrics) > 0 {
		if f.policy.Metrics, err = gate.FindMetrics(f.metrics); err != nil {
			return fmt.Errorf("--metric: %w", err)
		}
	}
	if err := f.policy.Validate(); err != nil {
		return fmt.Errorf("--margin or --false-share: %w", err)
	}
	f.rule.MarginPct = f.policy.MarginPct
	if err := f.rule.Validate(); err != nil {
		return fmt.Errorf("--error or --max-blocks: %w", err)
	}
	if f.most < 1 {
		return fmt.Errorf("--max-series %d: must be 1 or more", f.most)
	}
	for flag, path := range map[string]string{"junit": f.junit, "sarif": f.sarif, "markdown": f.markdown} {
		if path != "" {
			if err := writable(flag, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// verdict is the exit status that a result asks for.
func verdict(r *gate.Result, strict bool) error {
	switch {
	case r.Count(stat.Regressed) > 0:
		return exitCode(exitRegressed)
	case strict && r.Count(stat.CannotTell) > 0:
		return exitCode(exitNoValid)
	}
	return nil
}

// readRun reads a run by a tag, an id, a beginning of one or last.
func readRun(ctx context.Context, s *store.Store, name string) (*sweep.Record, error) {
	if r, ok, err := s.Tagged(ctx, name); err == nil && ok {
		name = r.ID
	}
	return sweep.Read(ctx, s, name)
}

// judge compares a run with its baseline.
func judge(ctx context.Context, s *store.Store, run *sweep.Record, b gate.Baseline, p gate.Policy) (*gate.Result, error) {
	base, err := b.Find(ctx, s, run.Run)
	if err != nil {
		return nil, err
	}
	r := &gate.Result{Run: run.Run.ID, Commit: run.Run.Commit, Time: run.Run.Started, Baseline: b.String(), Base: base.Commit}
	for _, x := range base.Runs {
		r.Runs = append(r.Runs, x.Run.ID)
	}
	r.Findings, r.Notes = gate.Compare(base.Runs, run, p)
	r.Notes = append(base.Notes, r.Notes...)
	if len(r.Findings) == 0 {
		return nil, fmt.Errorf("%w: %s", errNoValid, strings.Join(append(r.Notes, "the run and its baseline have no cell with valid trials in common"), "; "))
	}
	return r, nil
}

// confirm measures suspects in interleaved series and profiles what is confirmed.
func (a *app) confirm(ctx context.Context, f *gateFlags, run *sweep.Record, r *gate.Result) error {
	groups := r.Suspects(f.policy, f.most, f.open)
	if len(groups) == 0 {
		return nil
	}
	from, to := f.from, f.to
	if from == "" {
		from = r.Base
	}
	if to == "" {
		to = r.Commit
	}
	for flag, rev := range map[string]string{"from": from, "to": to} {
		if rev == "" || strings.HasSuffix(rev, "-dirty") {
			return fmt.Errorf("--live: the run's commit is %q, which cannot be built; name one by --%s", orNone(rev), flag)
		}
	}
	bar := a.progress()
	defer bar.Close()
	stop, ctx, release := interrupts(ctx, bar)
	defer release()
	for _, g := range groups {
		err := confirmOne(ctx, f, run, g, [2]string{from, to}, bar, stop)
		if errors.Is(err, errSameRunner) {
			if text := fmt.Sprintf("%.10s and %.10s, %s: %v", from, to, g[0].Target, err); !slices.Contains(r.Notes, text) {
				r.Notes = append(r.Notes, text)
			}
			continue
		}
		var invalid *gate.InvalidError
		var lacks *gate.LacksError
		if errors.As(err, &invalid) || errors.As(err, &lacks) {
			r.Notes = append(r.Notes, fmt.Sprintf("the series of %s was not carried out: %v", g[0].Cell, err))
			continue
		}
		if err != nil {
			return interrupted(ctx, err)
		}
	}
	return nil
}

// errSameRunner says that two revisions build the same runner, of which a series could
// only say that it is the same as itself.
var errSameRunner = errors.New("both commits build the same runner, so that no series was run and the nights decide")

// sides builds the runners of two revisions; equal ones are errSameRunner.
func (b *bench) sides(ctx context.Context, revs [2]string, bar progress) (builds [2]gate.Build, err error) {
	for i, rev := range revs {
		bar.Note(store.Info, "building "+rev)
		if builds[i], err = b.build(ctx, rev); err != nil {
			return builds, err
		}
	}
	if builds[0].Sum == builds[1].Sum {
		err = errSameRunner
	}
	return builds, err
}

func orNone(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// confirmOne measures one cell's suspects.
func confirmOne(ctx context.Context, f *gateFlags, run *sweep.Record, findings []*gate.Finding, revs [2]string, bar progress, stop <-chan struct{}) (err error) {
	axes, target, err := gate.ParseCell(findings[0].Cell)
	if err != nil {
		return err
	}
	live := &liveFlags{target: target, path: f.inventory, repo: f.repo, rule: f.rule, resume: f.resume}
	plan := gate.Only(run.Plan, axes)
	plan.Targets = []string{target}
	var deciding []gate.Metric
	for _, x := range findings {
		if m, err := gate.FindMetric(x.Metric); err == nil {
			deciding = append(deciding, m)
		}
	}
	// Without a sensor's long windows a pair is measured in slices.
	plan.Energy = plan.Energy && slices.ContainsFunc(deciding, gate.Metric.OfEnergy)
	b, err := live.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	builds, err := b.sides(ctx, revs, bar)
	if err != nil {
		return err
	}
	duels, err := gate.Duels(ctx, b.cache, target, [2]sweep.Plan{plan, plan}, bar)
	if err != nil {
		return err
	}
	var arms [2]*gate.Arm
	what := []string{"gate"}
	for i := range builds {
		what = append(what, builds[i].Sum)
		if arms[i], err = b.arm(builds[i].Commit.String(), &builds[i]); err != nil {
			return err
		}
	}
	s, err := b.series(arms, duels, f.rule, deciding, plan.Seed, what...)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // every block was synced
	s.Progress, s.Stop = bar, stop
	outcomes, err := s.Run(ctx)
	if err != nil {
		return err
	}
	var cause *gate.Cause
	profiled := false
	for _, x := range findings {
		j := outcomes[0].Find(x.Metric)
		if j == nil {
			continue
		}
		x.Live = &gate.Confirmed{Change: j.Change, Outcome: j.Outcome, Blocks: len(outcomes[0].Blocks)}
		if j.Outcome != stat.Regressed || !j.Metric.Timed {
			continue
		}
		if !profiled {
			profiled = true
			if cause, err = s.Attribute(ctx, duels[0], true, gate.DefaultEffort()); err != nil {
				bar.Note(store.Warning, "the kernel is not known: "+err.Error())
				cause = nil
			}
		}
		x.Live.Cause = cause
	}
	return nil
}
