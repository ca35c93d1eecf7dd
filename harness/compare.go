package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

func (a *app) compareCommand() *cobra.Command {
	f := newLiveFlags()
	var live bool
	var location string
	c := &cobra.Command{
		Use:   "compare A B",
		Short: "Effects with intervals: two stored runs, or two commits, models or recipes measured live",
		Long: `Two stored runs (ids, beginnings of ids, tags or last): the change of every metric in
every cell that both have, with its interval. Nothing is measured.

commit:REV, model:PATH or recipe:FILE for both: measures them on one target in an
interleaved series, ABBA or BAAB by chance, each trial in a process of its own and
the windows of two in slices that take turns, and ends as soon as every deciding
metric is regressed, improved or the same within the margin. Commits are built from
the repository around the working folder, without
changing it, and each build's own runner is driven as what it is. The interval holds
however often it was looked at.

Ctrl-C finishes the running block and saves; the same command with --resume goes on.`,
		Example: `  harness compare 20261127 last
  harness compare commit:main~1 commit:HEAD --bits 8 --batch 16
  harness compare model:service-nano model:./pruned --metric latency_ms_p50,peak_rss_bytes
  harness compare recipe:q8.yaml recipe:q4.yaml --target pi5 -o json`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			pair, measured, err := gate.ParseContenders(args[0], args[1], live)
			if err != nil {
				return err
			}
			if measured {
				return a.compareLive(c, f, pair)
			}
			return a.compareStored(c, location, args[0], args[1])
		},
	}
	c.Flags().BoolVar(&live, "live", false, "measure; refuses names that are not commit:, model: or recipe:")
	c.Flags().StringVar(&location, "store", store.Default, "database of stored runs")
	f.addTarget(a, c)
	f.addPlan(c)
	return c
}

// compareLive measures two contenders.
func (a *app) compareLive(c *cobra.Command, f *liveFlags, pair [2]gate.Contender) (err error) {
	ctx := c.Context()
	rule, deciding, err := f.decide()
	if err != nil {
		return err
	}
	plans, err := f.plans(c, pair)
	if err != nil {
		return err
	}
	b, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	bar := a.progress()
	defer bar.Close()
	var builds [2]*gate.Build
	var arms [2]*gate.Arm
	what := []string{"compare"}
	for i, x := range pair {
		if x.Kind == gate.KindCommit {
			bar.Note(store.Info, "building "+x.String())
			build, err := b.build(ctx, x.Value)
			if err != nil {
				return err
			}
			builds[i] = &build
			what = append(what, build.Sum)
		}
		if arms[i], err = b.arm(x.String(), builds[i]); err != nil {
			return err
		}
		defer arms[i].Close() //nolint:errcheck // the figures are there
	}
	if builds[0] != nil && builds[0].Sum == builds[1].Sum {
		bar.Note(store.Info, "both commits build the same runner, byte for byte: there is nothing to tell apart, what is found is chance")
	}
	duels, err := gate.Duels(ctx, b.cache, f.target, plans, bar)
	if err != nil {
		return err
	}
	s, err := b.series(arms, duels, rule, deciding, plans[0].Seed, what...)
	if err != nil {
		return err
	}
	defer s.Journal.Close() //nolint:errcheck // every block was synced
	outcomes, err := a.run(ctx, s, bar)
	bar.Close()
	if errors.Is(err, sweep.ErrInterrupted) {
		err = fmt.Errorf("%w: what was measured is kept; go on with the same command and --resume", err)
	}
	return errors.Join(a.emitOutcomes(outcomes, [2]string{shorten(pair[0], builds[0]), shorten(pair[1], builds[1])}), err)
}

// plans are those of both sides.
func (f *liveFlags) plans(c *cobra.Command, pair [2]gate.Contender) (plans [2]sweep.Plan, err error) {
	for i, x := range pair {
		recipe := f.recipe
		if x.Kind == gate.KindRecipe {
			recipe = x.Value
		}
		if plans[i], err = f.build(c, recipe); err != nil {
			return plans, err
		}
		if x.Kind == gate.KindModel {
			plans[i].Model = x.Value
		}
	}
	return plans, nil
}

// run carries out a series with what the user sees of it.
func (a *app) run(ctx context.Context, s *gate.Series, bar progress) ([]gate.Outcome, error) {
	stop, ctx, release := interrupts(ctx, bar)
	defer release()
	s.Progress, s.Stop = bar, stop
	outcomes, err := s.Run(ctx)
	var invalid *gate.InvalidError
	switch {
	case errors.As(err, &invalid):
		err = fmt.Errorf("%w: %w", errNoValid, err)
	case err != nil && ctx.Err() != nil:
		err = sweep.ErrInterrupted
	}
	return outcomes, err
}

// comparison is a figure of a live comparison as -o json prints it.
type comparison struct {
	Cell     string  `json:"cell"`
	Metric   string  `json:"metric"`
	Unit     string  `json:"unit"`
	A        string  `json:"a"`
	B        string  `json:"b"`
	ValueA   float64 `json:"value_a"`
	ValueB   float64 `json:"value_b"`
	Effect   effect  `json:"effect"`
	Verdict  string  `json:"verdict"`
	Deciding bool    `json:"deciding"`
	Blocks   int     `json:"blocks"`
	Trials   int     `json:"trials"`
	Redone   int     `json:"redone"`
	// Further pairs of trials are expected to decide it.
	Further int `json:"further"`
}

func (a *app) emitOutcomes(outcomes []gate.Outcome, names [2]string) error {
	t := table{header: []string{"cell", "metric", names[0], names[1], "change", "verdict", "blocks"}, right: []int{2, 3, 6}}
	var records []any
	for _, o := range outcomes {
		redone := 0
		for _, b := range o.Blocks {
			redone += b.Redone
		}
		for _, j := range o.Metrics {
			verdict := string(j.Outcome)
			if j.Outcome == stat.CannotTell {
				verdict += ", " + j.Reason
			}
			t.rows = append(t.rows, []string{
				o.Cell, j.Metric.Name + " " + j.Metric.Unit, digits(j.Before), digits(j.After), gate.Percent(j.Change), verdict, fmt.Sprint(len(o.Blocks)),
			})
			records = append(records, comparison{
				Cell: o.Cell, Metric: j.Metric.Name, Unit: j.Metric.Unit, A: names[0], B: names[1], ValueA: j.Before, ValueB: j.After,
				Effect: effectOf(j.Change), Verdict: string(j.Outcome),
				Deciding: j.Deciding, Blocks: len(o.Blocks), Trials: 4 * len(o.Blocks), Redone: redone, Further: j.Further,
			})
		}
	}
	if len(records) == 0 {
		return nil
	}
	return a.emit(t, records)
}

// compareStored sets two runs of the store beside each other.
func (a *app) compareStored(c *cobra.Command, location, from, to string) error {
	s, err := store.OpenExisting(c.Context(), location)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it was only read
	var runs [2]*sweep.Record
	for i, name := range []string{from, to} {
		if runs[i], err = readRun(c.Context(), s, name); err != nil {
			return err
		}
	}
	findings, notes := gate.Compare(runs[:1], runs[1], gate.DefaultPolicy())
	for _, text := range notes {
		fmt.Fprintln(a.err, note(store.Warning, text))
	}
	if len(findings) == 0 {
		return fmt.Errorf("%w: runs %s and %s have no cell with valid trials in common", errNoValid, runs[0].Run.ID, runs[1].Run.ID)
	}
	return a.emitFindings(findings, false)
}

// effect is a relative change as -o json prints it. An end that is null is not known.
type effect struct {
	Pct   *float64 `json:"pct"`
	LoPct *float64 `json:"lo_pct"`
	HiPct *float64 `json:"hi_pct"`
	N     int      `json:"n"`
}

func effectOf(i stat.Interval) effect {
	finite := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) || v <= -100 {
			return nil
		}
		return &v
	}
	return effect{finite(i.Value), finite(i.Lo), finite(i.Hi), i.N}
}
