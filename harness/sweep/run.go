package sweep

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/datasets/score"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// ErrInterrupted is returned by a run that was asked to stop before its end. All
// finished trials are stored.
var ErrInterrupted = errors.New("interrupted")

// ErrComplete is returned by the resuming of a run that has nothing left to do.
var ErrComplete = errors.New("the run is complete: there is nothing to resume")

// Progress hears how far a run is. Its methods may be called from several
// goroutines.
type Progress interface {
	// Stage begins a stage of total steps.
	Stage(name string, total int)
	// Step says that n steps are done; what, if any, names the current one.
	Step(n int, what string)
	// Note passes on something that the user should know.
	Note(level, text string)
	// Target says what a target is at and how far: bytes of a deployment, else
	// trials; total 0 is unknown. It is called where a run has targets beside this
	// machine.
	Target(name, doing string, done, total int64)
}

// Options of a run.
type Options struct {
	Store    *store.Store
	Cache    Cache
	Launch   Launch // of runners on this machine
	Progress Progress
	Command  string // as the user typed it
	// Open connects to a target of the inventory; nil where there is none but Local.
	Open func(ctx context.Context, name string) (Target, error)
	// Check looks whether a target could be reached and told to run, and changes no
	// setting there; nil = trials find out.
	Check    func(ctx context.Context, name string) error
	Patience time.Duration   // how long a target that does not answer is waited for; 0 = DefaultPatience
	Stop     <-chan struct{} // closed: finish the running trial, save and return ErrInterrupted
	Budget   time.Duration   // no trial is begun later than this after the start; 0 = none

	Started func(pid int) // hears of every runner of a trial; for tests that kill them
}

// run is one sitting of a run.
type run struct {
	plan     Plan
	source   *Source
	cells    []cell
	store    *store.Store
	lease    *store.Lease
	launch   Launch
	open     func(ctx context.Context, name string) (Target, error)
	check    func(ctx context.Context, name string) error
	patience time.Duration
	unit     time.Duration // the first pause between attempts to reach a target
	progress Progress
	stop     <-chan struct{}
	end      time.Time // of the budget; zero = none
	complete bool      // no trial is left to do
	started  func(pid int)
}

type cell struct {
	target   string
	axes     Axes
	artefact store.Artefact
}

func (c cell) id() string { return CellID(c.target, c.axes) }

// Begin prepares the plan, stores it as a new run and carries it out. The run's
// id is returned with an error too, once there is one.
func Begin(ctx context.Context, p Plan, o Options) (string, error) {
	source, err := Prepare(ctx, o.Cache, &p)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("storing the plan: %w", err)
	}
	version, commit := wire.Build()
	lease, err := o.Store.Create(ctx, store.Run{
		Plan: raw, Command: o.Command, Model: p.Model, Dataset: source.Set.Name, ToolVersion: version, Commit: commit,
	})
	if err != nil {
		return "", err
	}
	return lease.Run(), carryOut(ctx, p, source, lease, o)
}

// Resume goes on with a stored run. One that is done is ErrComplete,
// one that another process works on a [*store.BusyError].
func Resume(ctx context.Context, id string, o Options) (string, error) {
	stored, err := o.Store.Run(ctx, id)
	if err != nil {
		return "", err
	}
	if stored.State == store.Done {
		return stored.ID, fmt.Errorf("resuming run %s: %w", stored.ID, ErrComplete)
	}
	if version, commit := wire.Build(); version != stored.ToolVersion || commit != stored.Commit {
		return stored.ID, fmt.Errorf("resuming run %s: it was begun by harness %s %s and this is %s %s, whose figures must not be mixed; start a new run",
			stored.ID, stored.ToolVersion, stored.Commit, version, commit)
	}
	p, err := ParsePlan(stored.Plan)
	if err != nil {
		return stored.ID, err
	}
	lease, err := o.Store.Claim(ctx, stored.ID)
	if err != nil {
		return stored.ID, err
	}
	source, err := Prepare(ctx, o.Cache, &p)
	if err != nil {
		return stored.ID, errors.Join(err, lease.Close(context.WithoutCancel(ctx), store.Interrupted, err.Error()))
	}
	return stored.ID, carryOut(ctx, p, source, lease, o)
}

// carryOut runs what is left of a plan and closes the lease with the state that
// came of it.
func carryOut(ctx context.Context, p Plan, source *Source, lease *store.Lease, o Options) error {
	r := &run{
		plan: p, source: source, store: o.Store, lease: lease, launch: o.Launch, progress: o.Progress,
		stop: o.Stop, started: o.Started, open: o.Open, check: o.Check, patience: cmp.Or(o.Patience, DefaultPatience), unit: time.Second,
	}
	if o.Budget > 0 {
		r.end = time.Now().Add(o.Budget)
	}
	sitting := &sitting{run: r, ctx: context.WithoutCancel(ctx)}
	r.plan.Sitting = sitting
	err := r.stages(ctx)
	if err == nil {
		err = sitting.failed()
	}
	if errors.Is(err, store.ErrLost) {
		return err // the run is another process's now
	}
	state, detail, err := r.outcome(ctx, err)
	return errors.Join(err, lease.Close(context.WithoutCancel(ctx), state, detail))
}

// outcome is the state that the stages' result leaves the run in, and why.
func (r *run) outcome(ctx context.Context, err error) (store.State, string, error) {
	switch {
	case err == nil && r.complete:
		// A stop, or the end of the budget, during the last trial changes nothing.
		return store.Done, "", nil
	case ctx.Err() != nil || err == nil && r.stopping():
		return store.Interrupted, "stopped by the user", ErrInterrupted
	case err != nil:
		return store.Failed, oneLine(err), err
	}
	r.progress.Note(store.Warning, "the time budget ran out; go on with --resume "+r.lease.Run())
	return store.Interrupted, "the time budget ran out", nil
}

func (r *run) stages(ctx context.Context) error {
	for _, stage := range []func(context.Context) error{r.knock, r.build, r.baseline, r.evaluate, r.measure} {
		if err := stage(ctx); err != nil {
			return err
		}
		if r.stopping() {
			return nil
		}
	}
	return nil
}

// build makes the artefacts and stores the cells.
func (r *run) build(ctx context.Context) error {
	recipes := r.plan.recipes()
	r.progress.Stage("artefacts", len(recipes))
	b := NewBuilder(r.source)
	made := map[string]store.Artefact{}
	for _, recipe := range recipes {
		if r.stopping() {
			return nil
		}
		a, damaged, err := b.Build(ctx, recipe, nil)
		if err != nil {
			return err
		}
		if damaged != nil {
			r.note(ctx, store.Warning, "damaged-artefact", damaged.Error()+"; built anew")
		}
		if err := r.lease.AddArtefact(ctx, a); err != nil {
			return err
		}
		made[a.Key] = a
		r.progress.Step(1, "")
	}
	var rows []store.Cell
	for _, target := range r.plan.Targets {
		for _, axes := range r.plan.CellsOn(target) {
			raw, err := json.Marshal(axes)
			if err != nil {
				return fmt.Errorf("storing cell %s: %w", axes.ID(), err)
			}
			a := made[r.plan.Recipe(axes).Key(r.source.Parent.Hash)]
			c := cell{target, axes, a}
			r.cells = append(r.cells, c)
			rows = append(rows, store.Cell{ID: c.id(), Target: target, Position: len(rows), Artefact: a.Key, Axes: raw})
		}
	}
	return r.lease.AddCells(ctx, rows)
}

// baseline stores what a bag of words predicts, the floor beside every F1.
func (r *run) baseline(ctx context.Context) error {
	have, err := r.store.Qualities(ctx, r.lease.Run())
	if err != nil {
		return err
	}
	for _, q := range have {
		if q.Subject == store.Baseline {
			return nil
		}
	}
	test, err := r.source.Set.Items(loader.Test)
	if err != nil {
		return err
	}
	result, err := Floor(r.source.Set, test)
	if err != nil {
		// A data set of one class has no floor; the sweep can do without.
		r.note(ctx, store.Warning, "no-baseline", err.Error())
		return nil
	}
	return r.lease.AddQuality(ctx, store.Quality{Subject: store.Baseline, Result: result})
}

// Floor trains the bag-of-words baseline and returns its predictions on items.
func Floor(set *loader.Set, items []loader.Item) (wire.EvalResult, error) {
	began := time.Now()
	texts, labels := columns(set.Train)
	b, err := score.TrainBaseline(texts, labels, len(set.Labels), score.BaselineOptions{})
	if err != nil {
		return wire.EvalResult{}, err
	}
	texts, labels = columns(items)
	return wire.EvalResult{
		Labels: set.Labels, Predictions: b.Predict(texts), Truth: labels, Items: len(items),
		ElapsedS: time.Since(began).Seconds(),
	}, nil
}

func columns(items []loader.Item) (texts []string, labels []int) {
	for _, it := range items {
		texts = append(texts, it.Text)
		labels = append(labels, it.Label)
	}
	return texts, labels
}

func (r *run) note(ctx context.Context, level, code, text string) {
	r.event(ctx, store.Event{Level: level, Code: code, Text: text})
}

// event tells the user and the store; what the store cannot take is told only.
func (r *run) event(ctx context.Context, e store.Event) {
	r.progress.Note(e.Level, e.Text)
	if err := r.lease.AddEvent(context.WithoutCancel(ctx), e); err != nil {
		r.progress.Note(store.Warning, err.Error())
	}
}

func (r *run) stopping() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

func (r *run) overBudget() bool { return !r.end.IsZero() && time.Now().After(r.end) }

// cores is how many runners may work at once where nothing is timed.
func (Plan) cores() int { return runtime.NumCPU() }
