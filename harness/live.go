package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// liveFlags say what two sides measure against each other, and how surely.
type liveFlags struct {
	plan    sweep.Plan // values of the flags; which were given is known by name
	data    dataFlags
	recipe  string
	target  string
	path    string // of the inventory
	repo    string
	metrics []string
	rule    gate.Rule
	resume  bool
}

func newLiveFlags() *liveFlags {
	return &liveFlags{plan: sweep.Reference(), rule: gate.DefaultRule()}
}

// addTarget adds the flags of where and how surely.
func (f *liveFlags) addTarget(a *app, c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.target, "target", sweep.Local, "machine to measure on: a name of the inventory, or local")
	flags.StringVar(&f.path, "targets", "", "inventory file (default ./targets.yaml, else the user's)")
	flags.StringVar(&f.repo, "repo", ".", "git work tree of this module, from which commits are built")
	flags.StringSliceVar(&f.metrics, "metric", []string{"latency_ms_p50"}, "metrics that end a series when they are decided")
	flags.Float64Var(&f.rule.MarginPct, "margin", f.rule.MarginPct, "change in per cent that matters; less on either side is the same")
	flags.Float64Var(&f.rule.Error, "error", f.rule.Error, "chance of a wrong decision on a metric, over all looks at it")
	flags.IntVar(&f.rule.MaxBlocks, "max-blocks", f.rule.MaxBlocks, "blocks of four trials after which a series ends undecided")
	flags.BoolVar(&f.resume, "resume", false, "go on with the series that the same command began")
	complete(c, "metric", gate.MetricNames()...)
	a.completeTargets(c)
}

// addPlan adds the flags of what is measured.
func (f *liveFlags) addPlan(c *cobra.Command) {
	p, flags := &f.plan, c.Flags()
	flags.StringVar(&f.recipe, "recipe", "", "YAML file of plan keys (bits: [8], window: 2s, ...); flags override it")
	flags.StringVar(&p.Model, "model", p.Model, "built-in name, model folder, .safetensors or .gguf")
	f.data.add(c, p.Data.Spec)
	flags.IntSliceVar(&p.Bits, "bits", p.Bits, "stored weight bits of the cells")
	flags.IntSliceVar(&p.Batch, "batch", p.Batch, "items of one inference")
	flags.IntSliceVar(&p.Threads, "threads", nil, "worker threads (default every core of the target)")
	flags.Float64SliceVar(&p.Threshold, "threshold", p.Threshold, "routing threshold: skip where the gate says less, 0 = dense")
	flags.DurationVar(&p.Window, "window", 0, "least length of a trial's work window (default 0.5s)")
	flags.BoolVar(&p.Energy, "energy", false, "read the target's energy sensor too, in windows of 10 s")
	flags.Uint64Var(&p.Seed, "seed", p.Seed, "decides the order of trials")
	completeModel(c)
}

// build merges the defaults, a recipe file and the flags that c has.
func (f *liveFlags) build(c *cobra.Command, recipe string) (sweep.Plan, error) {
	given := func(name string) bool { return c.Flags().Lookup(name) != nil && c.Flags().Changed(name) }
	p := sweep.Reference()
	p.Energy, p.Threads = false, nil
	var file *recipeFile
	if recipe != "" {
		var err error
		if file, err = readRecipeFile(recipe); err != nil {
			return p, err
		}
	}
	file.apply(&p)
	from := f.plan
	for _, s := range []struct {
		flag string
		set  func()
	}{
		{"model", func() { p.Model = from.Model }},
		{"bits", func() { p.Bits = from.Bits }},
		{"batch", func() { p.Batch = from.Batch }},
		{"threads", func() { p.Threads = from.Threads }},
		{"threshold", func() { p.Threshold = from.Threshold }},
		{"window", func() { p.Window = from.Window }},
		{"energy", func() { p.Energy = from.Energy }},
		{"seed", func() { p.Seed = from.Seed }},
	} {
		if given(s.flag) {
			s.set()
		}
	}
	if f.data.data.Spec != "" {
		f.data.apply(c, &p.Data)
	}
	return p, f.placeOn(&p)
}

// placeOn sets a plan on the target.
func (f *liveFlags) placeOn(p *sweep.Plan) error {
	p.Targets = []string{f.target}
	if f.target == sweep.Local {
		if len(p.Threads) == 0 {
			p.Threads = []int{runtime.NumCPU()}
		}
		return p.Validate()
	}
	inventory, err := readInventory(f.path)
	if err != nil {
		return err
	}
	t, err := inventory.Find(f.target)
	if err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	if t.PowerMode != "" {
		p.PowerModes = map[string]string{f.target: t.PowerMode}
	}
	return p.Validate()
}

// decide checks and returns the rule and the metrics that decide.
func (f *liveFlags) decide() (gate.Rule, []gate.Metric, error) {
	r := f.rule
	if err := r.Validate(); err != nil {
		return r, nil, fmt.Errorf("--margin, --error or --max-blocks: %w", err)
	}
	metrics, err := gate.FindMetrics(f.metrics)
	if err != nil {
		return r, nil, fmt.Errorf("--metric: %w", err)
	}
	return r, metrics, nil
}

// bench holds what live measuring needs on one target.
type bench struct {
	flags  *liveFlags
	fleet  *fleet
	cache  sweep.Cache
	repo   *gate.Repository
	goos   string // of the target
	goarch string
}

func (f *liveFlags) open(ctx context.Context) (*bench, error) {
	cache, err := sweep.UserCache()
	if err != nil {
		return nil, err
	}
	b := &bench{
		flags: f, fleet: &fleet{path: f.path}, cache: cache, goos: runtime.GOOS, goarch: runtime.GOARCH,
		repo: &gate.Repository{Dir: f.repo, Cache: cache},
	}
	if f.target == sweep.Local {
		return b, nil
	}
	t, _, err := b.fleet.locate(ctx, f.target)
	if err != nil {
		return nil, err
	}
	h, err := remote.Dial(ctx, t, b.fleet.options())
	if err != nil {
		return nil, errors.Join(err, b.fleet.close())
	}
	defer h.Close() //nolint:errcheck // nothing is left to be lost
	b.goos, b.goarch = h.Facts().GOOS, h.Facts().GOARCH
	return b, nil
}

func (b *bench) close() error { return b.fleet.close() }

// build builds the runner of a revision for the target.
func (b *bench) build(ctx context.Context, rev string) (gate.Build, error) {
	c, err := b.repo.Find(ctx, rev)
	if err != nil {
		return gate.Build{}, err
	}
	return b.repo.Build(ctx, c, b.goos, b.goarch)
}

// arm is a side whose runner is a build, nil for this program's own.
func (b *bench) arm(name string, build *gate.Build) (*gate.Arm, error) {
	if b.flags.target != sweep.Local {
		finder := &b.fleet.finder
		if build != nil {
			finder = &remote.Finder{Dir: build.Dir}
		}
		return &gate.Arm{Name: name, Open: func(ctx context.Context) (sweep.Target, error) {
			t, board, err := b.fleet.locate(ctx, b.flags.target)
			if err != nil {
				return nil, err
			}
			r, err := sweep.OpenRemote(ctx, t, b.fleet.options(), finder)
			if err != nil || board == nil {
				return r, err
			}
			return neighbour{r, board}, nil
		}}, nil
	}
	if build != nil {
		return &gate.Arm{Name: name, Open: gate.Local(build.Path, "serve")}, nil
	}
	self, err := sweep.Self()
	if err != nil {
		return nil, err
	}
	return &gate.Arm{Name: name, Open: gate.Local(self.Argv...)}, nil
}

// seriesDir is where journals are kept.
func (b *bench) seriesDir() string { return filepath.Join(b.cache.Root, "series") }

// series is a series of the arms over the duels. what decides, beside the duels, what
// is measured: the sums of the builds.
func (b *bench) series(arms [2]*gate.Arm, duels []gate.Duel, rule gate.Rule, deciding []gate.Metric, seed uint64, what ...string) (*gate.Series, error) {
	key, err := gate.SeriesKey(gate.Method, what, duels, b.flags.target, seed, wire.Protocol)
	if err != nil {
		return nil, err
	}
	j, err := gate.OpenJournal(b.seriesDir(), key, b.flags.resume)
	if err != nil {
		return nil, err
	}
	return &gate.Series{Arms: arms, Duels: duels, Deciding: deciding, Rule: rule, Journal: j, Seed: seed, Retries: 8}, nil
}

// shorten names a contender in tables.
func shorten(c gate.Contender, build *gate.Build) string {
	if build != nil {
		return fmt.Sprintf("%.10s", build.Commit.Hash)
	}
	return strings.TrimSuffix(filepath.Base(c.Value), filepath.Ext(c.Value))
}
