package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Slot is one trial of a plan.
type Slot struct {
	Cell   string
	Axes   Axes
	Repeat int
}

// Slots lists the trials of a plan on one target in the order in which they are to
// be measured. A halving search decides from results which trials there are: it
// has no such list, and is refused.
func (p Plan) Slots(target string) ([]Slot, error) {
	if p.Search == SearchHalving {
		return nil, errors.New("a halving search decides from its results which trials to make; name grid or random")
	}
	cells := p.CellsOn(target)
	s := newSchedule(p, target, len(cells))
	var out []Slot
	for repeat := range p.Repeats {
		for _, at := range s.block(repeat, 0) {
			a := cells[at.cell]
			out = append(out, Slot{CellID(target, a), a, at.repeat})
		}
	}
	return out, nil
}

// Prepared is a plan with its model and data loaded, whose trials may be measured
// on several targets at once. Artefacts are built when they are first needed.
type Prepared struct {
	plan    Plan
	source  *Source
	mu      sync.Mutex // of building
	builder *Builder
	made    map[string]store.Artefact
}

// NewPrepared loads what a plan needs and compares it with the plan's hashes.
func NewPrepared(ctx context.Context, cache Cache, p Plan) (*Prepared, error) {
	source, err := Prepare(ctx, cache, &p)
	if err != nil {
		return nil, err
	}
	return &Prepared{plan: p, source: source, builder: NewBuilder(source), made: map[string]store.Artefact{}}, nil
}

func (p *Prepared) artefact(ctx context.Context, a Axes) (store.Artefact, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	recipe := p.plan.Recipe(a)
	key := recipe.Key(p.source.Parent.Hash)
	if made, ok := p.made[key]; ok {
		return made, nil
	}
	made, _, err := p.builder.Build(ctx, recipe, nil)
	if err == nil {
		p.made[key] = made
	}
	return made, err
}

// Single measures trials on one target one at a time, for a queue that decides
// which and when. A run of many trials is [Begin]'s.
type Single struct {
	Name   string
	Here   bool   // the target is this machine, under whatever name
	Launch Launch // of runners on this machine
	Open   func(ctx context.Context, name string) (Target, error)

	target Target
	there  map[string]string
}

// Measure measures one attempt of a trial. A runner that dies, or a target that
// goes away meanwhile, makes a trial of the verdict faulted. An error says that the
// target cannot be reached, or that ctx has ended: then there is no trial.
func (s *Single) Measure(ctx context.Context, p *Prepared, axes Axes, repeat, attempt int, tell func(level, text string)) (store.Trial, error) {
	c := cell{target: s.Name, axes: axes}
	t := store.Trial{Cell: c.id(), Repeat: repeat, Attempt: attempt}
	var err error
	if c.artefact, err = p.artefact(ctx, axes); err == nil {
		if err = s.connect(ctx, tell); err != nil {
			return t, err
		}
		r := &run{plan: p.plan, source: p.source, launch: s.Launch, open: s.Open, progress: quiet{tell}, unit: time.Second}
		l := &lane{run: r, name: s.Name, target: s.target, there: s.there, schedule: newSchedule(p.plan, s.Name, 0)}
		t.Started = time.Now()
		t.Result, err = l.attempt(ctx, c, uint64(repeat))
	}
	t.Ended = time.Now()
	if t.Started.IsZero() {
		t.Started = t.Ended
	}
	switch {
	case err == nil:
		return t, nil
	case ctx.Err() != nil:
		s.Leave(ctx)
		return t, ctx.Err()
	}
	s.Leave(ctx) // the next trial finds out whether it is there, and tidies it
	t.Result = wire.MeasureResult{
		Verdict: wire.Faulted, Reason: oneLine(err), Batch: axes.Batch, Threshold: axes.Threshold, Threads: axes.Threads, Scenario: p.plan.Scenario,
	}
	return t, nil
}

// connect makes sure that there is a connection.
func (s *Single) connect(ctx context.Context, tell func(level, text string)) error {
	if s.target != nil {
		return nil
	}
	s.there = map[string]string{}
	if s.Here {
		s.target = local{s.Launch}
		return nil
	}
	target, info, err := openAndAsk(ctx, s.Open, s.Name)
	if err != nil {
		return err
	}
	tell(store.Info, s.Name+": "+describe(info))
	s.target = target
	return nil
}

// Leave tidies the target and gives it back; it may be gone.
func (s *Single) Leave(ctx context.Context) {
	if s.target == nil {
		return
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	s.target.Clean(clean) //nolint:errcheck // the next connection tidies too
	s.target.Close()      //nolint:errcheck // the next connection puts settings back
	s.target = nil
}

// quiet passes on notes and no progress.
type quiet struct{ tell func(level, text string) }

func (quiet) Stage(string, int)                   {}
func (quiet) Step(int, string)                    {}
func (q quiet) Note(level, text string)           { q.tell(level, text) }
func (quiet) Target(string, string, int64, int64) {}

// Restore stores trials that were measured elsewhere as a new run, which [Resume]
// completes with artefacts and quality. The trials must be those of a plan that was
// prepared: its hashes say of which model and data.
func Restore(ctx context.Context, s *store.Store, p Plan, command string, trials func(add func(store.Trial) error) error) (string, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	version, commit := wire.Build()
	lease, err := s.Create(ctx, store.Run{Plan: raw, Command: command, Model: p.Model, Dataset: p.Data.Spec, ToolVersion: version, Commit: commit})
	if err != nil {
		return "", err
	}
	err = restore(ctx, lease, p, trials)
	detail := ""
	if err != nil {
		detail = oneLine(err)
	}
	return lease.Run(), errors.Join(err, lease.Close(context.WithoutCancel(ctx), store.Interrupted, detail))
}

func restore(ctx context.Context, lease *store.Lease, p Plan, trials func(add func(store.Trial) error) error) error {
	var rows []store.Cell
	for _, target := range p.Targets {
		for _, axes := range p.CellsOn(target) {
			raw, err := json.Marshal(axes)
			if err != nil {
				return fmt.Errorf("storing cell %s: %w", axes.ID(), err)
			}
			rows = append(rows, store.Cell{ID: CellID(target, axes), Target: target, Position: len(rows), Artefact: p.Recipe(axes).Key(p.ModelHash), Axes: raw})
		}
	}
	if err := lease.AddCells(ctx, rows); err != nil {
		return err
	}
	return trials(func(t store.Trial) error { return lease.AddTrial(ctx, t) })
}
