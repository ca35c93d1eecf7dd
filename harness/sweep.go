package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// sweepFlags are the flags of harness sweep.
type sweepFlags struct {
	plan   sweep.Plan // values of the flags; which were given is known by name
	data   dataFlags
	search string
	recipe string
	budget time.Duration
	store  string
	report string
	resume string

	targets   []string // as typed: names, local, label=NAME
	inventory string
	runnerDir string
	patience  time.Duration
}

func (a *app) sweepCommand() *cobra.Command {
	f := &sweepFlags{plan: sweep.Reference()}
	c := &cobra.Command{
		Use:   "sweep",
		Short: "Measure a grid of compressed variants: latency, memory, size, F1, work",
		Long: `Builds every variant of the model that the grid asks for, evaluates each on the
test split, and times every cell in trials of its own process, interleaved in a
seeded random order. Prints a table and writes a report and a database.

Without a list of values for any axis it measures a small design over all five
axes (bits, rank ratio, prune ratio, threshold, batch) in a few minutes and
leaves energy sensors alone. With one, every combination of the listed values is
a cell and the axes without a list stay dense.

--target names machines of the inventory (harness targets list), local, or
label=NAME for all of a label. The artefacts are built and their quality is
evaluated here, once; runner, model and data are deployed by their content, and
the trials of the targets run beside each other. A target that does not answer is
waited for; given up, it costs no other target's results.

--search halving measures every cell once and goes on with those that may yet be
on the Pareto front of --objectives, given the noise of trials and test items.
It sees one half of the test split; the front is measured again at the end and
its F1 is of the other half.

Ctrl-C finishes the running trial and saves; --resume goes on.`,
		Example: `  harness sweep
  harness sweep --bits 16,8,4 --prune-ratio 0,.25,.5 --repeats 10
  harness sweep --dataset clinc150 --model clinc150-nano --bits 16,8,4 --rank-ratio 1,.5 --threshold 0,.5 --batch 1,16
  harness sweep --model ./my-model --dataset csv:train.csv --test-file test.csv --label-column intent
  harness sweep --target pi5,orin-nano,local --bits 16,8,4
  harness sweep --target label=edge --batch 1,16 --target-patience 20m
  harness sweep --bits 16,8,6,4,3 --rank-ratio 1,.5 --prune-ratio 0,.2,.4,.6 --threshold 0,.4,.8 --search halving
  harness sweep --bits 16,8,4 --batch 1,16 --objectives throughput_per_s,f1_macro --where 'f1_macro>=0.9 && latency_ms_p50<20'
  harness sweep --resume last`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.sweep(c, f) },
	}
	p, flags := &f.plan, c.Flags()
	flags.StringSliceVar(&f.targets, "target", p.Targets, "machines to measure on: names of the inventory, local, label=NAME")
	flags.StringVar(&f.inventory, "targets", "", "inventory file (default ./targets.yaml, else the user's)")
	flags.StringVar(&f.runnerDir, "runner-dir", "", "folder of built runners, runner-GOOS-GOARCH (default: built from source for the target)")
	flags.DurationVar(&f.patience, "target-patience", sweep.DefaultPatience, "how long a target that does not answer is waited for")
	flags.StringVar(&p.Model, "model", p.Model, "built-in name, model folder, .safetensors or .gguf")
	f.data.add(c, p.Data.Spec)
	flags.IntSliceVar(&p.Bits, "bits", nil, "stored weight bits: 16, 8, 6, 5, 4, 3 or 2")
	flags.Float64SliceVar(&p.RankRatio, "rank-ratio", nil, "share of each block matrix's parameters kept, 1 = dense")
	flags.Float64SliceVar(&p.PruneRatio, "prune-ratio", nil, "share of block parameters removed, 0 = dense")
	flags.Float64SliceVar(&p.Threshold, "threshold", nil, "routing threshold: skip where the gate says less, 0 = dense")
	flags.IntSliceVar(&p.Batch, "batch", nil, "items of one inference")
	flags.IntSliceVar(&p.Threads, "threads", nil, "worker threads (default every core of the target)")
	flags.IntVar(&p.GroupSize, "group-size", p.GroupSize, "weights that share a scale: 32, 64, 128 or 256")
	flags.StringVar(&p.Algorithm, "algorithm", p.Algorithm, "how weights are rounded: rtn")
	flags.IntVar(&p.CalibSamples, "calib-samples", p.CalibSamples, "train sequences that compression learns from")
	flags.StringVar(&p.Scenario, "scenario", p.Scenario, "single-stream or offline")
	flags.IntVar(&p.Repeats, "repeats", p.Repeats, "trials of a cell, each a process of its own; 6 reach a 95 % interval")
	flags.IntVar(&p.Retries, "retries", p.Retries, "further attempts of a trial that was not valid")
	flags.DurationVar(&p.Window, "window", 0, "least length of a trial's work window (default 0.5s; 10s with an energy sensor)")
	flags.DurationVar(&p.IdleWindow, "idle-window", 0, "length of the idle windows before and after it (default none; 2s with an energy sensor)")
	flags.DurationVar(&p.WarmupLimit, "warmup-limit", p.WarmupLimit, "end of a warm-up that does not settle (default 12 rounds of the texts, 3s to 30s)")
	flags.BoolVar(&p.Energy, "energy", p.Energy, "read the energy sensor, if there is one")
	flags.Uint64Var(&p.Seed, "seed", p.Seed, "decides the order of trials, the calibration sequences and the resampling")
	flags.StringVar(&f.search, "search", string(sweep.SearchGrid), "how the cells are chosen: grid (every combination), random (--sample of them), halving (every one once, then those that may be on the front)")
	flags.IntVar(&p.Sample, "sample", 0, "cells of each target that --search random measures (default a quarter of the grid)")
	flags.StringSliceVar(&p.Objectives, "objectives", nil, "metrics of the Pareto front (default "+strings.Join(search.Defaults(), ",")+")")
	flags.StringVar(&p.Where, "where", "", "constraint on the front's cells, such as 'f1_macro>=0.9 && energy_j<0.5'")
	flags.StringVar(&f.recipe, "recipe", "", "YAML file of plan keys (bits: [16, 8], repeats: 6, ...); flags override it")
	flags.DurationVar(&f.budget, "budget", 0, "begin no trial that would end later than this after the start, such as 30m; go on with --resume")
	flags.StringVar(&f.store, "store", store.Default, "database of runs: a file, or postgres://USER@HOST/DATABASE")
	flags.StringVar(&f.report, "report", "report.html", "HTML report to write, \"\" for none")
	flags.StringVar(&f.resume, "resume", "", "go on with a run: its id or last")
	complete(c, "scenario", wire.SingleStream, wire.Offline)
	complete(c, "search", sweep.Searches()...)
	complete(c, "objectives", search.Names()...)
	a.completeTargets(c)
	completeModel(c)
	return c
}

// axes are the flags that make a user's own grid.
var axes = []string{"bits", "rank-ratio", "prune-ratio", "threshold", "batch", "threads"}

// build merges defaults, the recipe file and the flags.
func (f *sweepFlags) build(c *cobra.Command) (sweep.Plan, error) {
	given := func(name string) bool { return c.Flags().Changed(name) }
	var file *recipeFile
	if f.recipe != "" {
		var err error
		if file, err = readRecipeFile(f.recipe); err != nil {
			return sweep.Plan{}, err
		}
	}
	own := file != nil && file.hasAxes()
	for _, axis := range axes {
		own = own || given(axis)
	}
	p := sweep.Default()
	if own {
		p = sweep.Reference()
	}
	file.apply(&p)
	from := f.plan
	for _, s := range []struct {
		flag string
		set  func()
	}{
		{"model", func() { p.Model = from.Model }},
		{"bits", func() { p.Bits = from.Bits }},
		{"rank-ratio", func() { p.RankRatio = from.RankRatio }},
		{"prune-ratio", func() { p.PruneRatio = from.PruneRatio }},
		{"threshold", func() { p.Threshold = from.Threshold }},
		{"batch", func() { p.Batch = from.Batch }},
		{"threads", func() { p.Threads = from.Threads }},
		{"group-size", func() { p.GroupSize = from.GroupSize }},
		{"algorithm", func() { p.Algorithm = from.Algorithm }},
		{"calib-samples", func() { p.CalibSamples = from.CalibSamples }},
		{"scenario", func() { p.Scenario = from.Scenario }},
		{"repeats", func() { p.Repeats = from.Repeats }},
		{"retries", func() { p.Retries = from.Retries }},
		{"window", func() { p.Window = from.Window }},
		{"idle-window", func() { p.IdleWindow = from.IdleWindow }},
		{"warmup-limit", func() { p.WarmupLimit = from.WarmupLimit }},
		{"energy", func() { p.Energy = from.Energy }},
		{"seed", func() { p.Seed = from.Seed }},
		{"objectives", func() { p.Objectives = from.Objectives }},
		{"where", func() { p.Where = from.Where }},
		{"sample", func() { p.Sample = from.Sample }},
		{"search", func() { p.Search, p.Design = sweep.Search(f.search), sweep.Grid }},
	} {
		if given(s.flag) {
			s.set()
		}
	}
	f.data.apply(c, &p.Data)
	if err := f.place(&p, file, given); err != nil {
		return p, err
	}
	if p.Search == sweep.SearchRandom && p.Sample == 0 {
		p.Sample = max(1, len(p.Cells())/4)
	}
	return p, p.Validate()
}

// sweep runs or resumes, and shows what came of it.
func (a *app) sweep(c *cobra.Command, f *sweepFlags) error {
	ctx := c.Context()
	switch {
	case c.Flags().Changed("resume") && f.resume == "":
		return errors.New("--resume \"\": name the run to go on with, or last")
	case f.budget < 0:
		return fmt.Errorf("--budget %v: must be longer than 0s", f.budget)
	case f.patience <= 0:
		return fmt.Errorf("--target-patience %v: must be longer than 0s", f.patience)
	}
	if f.resume != "" {
		if err := refuseWith(c, "resume", "store", "report", "budget", "targets", "runner-dir", "target-patience", "output", "quiet"); err != nil {
			return err
		}
	}
	plan, err := f.build(c)
	if err != nil {
		return err
	}
	if f.report != "" {
		if err := writable("report", f.report); err != nil {
			return err
		}
	}
	open := store.Open
	if f.resume != "" {
		open = store.OpenExisting
	}
	s, err := open(ctx, f.store)
	if err != nil {
		return err
	}
	defer s.Close()
	cache, err := sweep.UserCache()
	if err != nil {
		return err
	}
	launch, err := sweep.Self()
	if err != nil {
		return err
	}
	boards := &fleet{path: f.inventory, finder: remote.Finder{Dir: f.runnerDir}}
	defer func() {
		if err := boards.close(); err != nil {
			fmt.Fprintln(a.err, note(store.Warning, err.Error()))
		}
	}()
	bar := a.progress()
	boards.log = tellBy(bar.Note)
	stop, ctx, release := interrupts(ctx, bar)
	defer release()
	o := sweep.Options{
		Store: s, Cache: cache, Launch: launch, Progress: bar, Stop: stop, Budget: f.budget,
		Open: boards.open, Check: boards.check, Patience: f.patience,
		Command: "harness " + strings.Join(a.args, " "),
	}
	var id string
	if f.resume == "" {
		id, err = sweep.Begin(ctx, plan, o)
	} else {
		id, err = sweep.Resume(ctx, f.resume, o)
	}
	bar.Close()
	release() // from here on Ctrl-C ends the program
	if errors.Is(err, sweep.ErrComplete) {
		fmt.Fprintf(a.err, "run %s is complete: nothing was left to do\n", id)
		err = nil
	}
	var lost *sweep.LostError
	if errors.As(err, &lost) {
		return a.showRest(context.WithoutCancel(ctx), s, id, f, err)
	}
	if id != "" && err != nil {
		return fmt.Errorf("%w\ngo on with: %s", err, resumeLine(id, f.store))
	}
	if err != nil {
		return err
	}
	_, err = a.show(context.WithoutCancel(ctx), s, id, f)
	return err
}

// showRest shows what a run has whose targets were not all measured. Only cells
// that have no result make that a failure.
func (a *app) showRest(ctx context.Context, s *store.Store, id string, f *sweepFlags, lost error) error {
	record, err := a.show(ctx, s, id, f)
	if err != nil && !errors.Is(err, errNoValid) {
		return errors.Join(lost, err)
	}
	for _, target := range record.Plan.Targets {
		if record.Unmeasured(target) > 0 {
			return lost
		}
	}
	return nil
}

func resumeLine(id, location string) string {
	line := "harness sweep --resume " + id
	if location != store.Default {
		line += " --store " + store.Mask(location)
	}
	return line
}

// show prints a run's table and writes its report.
func (a *app) show(ctx context.Context, s *store.Store, id string, f *sweepFlags) (*sweep.Record, error) {
	record, err := sweep.Skim(ctx, s, id)
	if err != nil {
		return record, err
	}
	rows := record.Searched()
	if err := a.emitRun(record, rows); err != nil {
		return record, err
	}
	if a.format == "table" && record.Chosen() {
		printFronts(a.out, record.Searches(rows))
	}
	if f.report != "" {
		if err := writeReport(f.report, record, rows); err != nil {
			return record, err
		}
	}
	if a.format == "table" {
		fmt.Fprintf(a.out, "\nrun %s in %s", record.Run.ID, store.Mask(f.store))
		if f.report != "" {
			fmt.Fprintf(a.out, ", report %s", f.report)
		}
		fmt.Fprintln(a.out)
	}
	if record.Run.State != store.Done {
		fmt.Fprintf(a.err, "go on with: %s\n", resumeLine(id, f.store))
	}
	if record.ValidTrials() == 0 {
		return record, errNoValid
	}
	return record, nil
}

// refuseWith refuses flags that mean nothing beside another one.
func refuseWith(c *cobra.Command, flag string, allowed ...string) error {
	var wrong []string
	c.Flags().Visit(func(f *pflag.Flag) {
		for _, ok := range append(allowed, flag) {
			if f.Name == ok {
				return
			}
		}
		wrong = append(wrong, "--"+f.Name)
	})
	if len(wrong) > 0 {
		return fmt.Errorf("--%s goes on with the run's own plan; leave out %s, or start a new run", flag, strings.Join(wrong, " "))
	}
	return nil
}

// interrupts gives a first Ctrl-C the time to finish a trial; a second one ends
// the context. release stops listening.
func interrupts(ctx context.Context, tell progress) (<-chan struct{}, context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop, done := make(chan struct{}), make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-signals:
			case <-done:
				return
			}
			if n > 0 {
				cancel()
				continue
			}
			tell.Note(store.Info, "finishing the running trial, then saving; Ctrl-C again stops at once")
			close(stop)
		}
	}()
	return stop, ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		cancel()
	})
}
