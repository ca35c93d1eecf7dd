package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Shelf keeps the plans that a controller measures, with their models and data.
type Shelf struct {
	Cache sweep.Cache
	Files Files        // that plans may name
	Log   *slog.Logger // hears why a plan cannot be prepared; nil = nobody

	mu    sync.Mutex
	plans map[string]*planned
	order []string
}

// planned is a plan that is prepared once.
type planned struct {
	mu       sync.Mutex
	prepared *sweep.Prepared
}

// shelfSize is how many plans are kept; each holds a model.
const shelfSize = 4

func (s *Shelf) get(ctx context.Context, id string, raw json.RawMessage) (*sweep.Prepared, error) {
	s.mu.Lock()
	if s.plans == nil {
		s.plans = map[string]*planned{}
	}
	p := s.plans[id]
	if p == nil {
		if len(s.order) >= shelfSize {
			delete(s.plans, s.order[0])
			s.order = s.order[1:]
		}
		p = &planned{}
		s.plans[id], s.order = p, append(s.order, id)
	}
	s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.prepared != nil {
		return p.prepared, nil
	}
	plan, err := sweep.ParsePlan(raw)
	if err == nil {
		err = s.Files.Check(plan) // a database may hold what the server would refuse
	}
	if err != nil {
		s.say(id, err)
		return nil, err
	}
	if p.prepared, err = sweep.NewPrepared(ctx, s.Cache, plan); err != nil {
		s.say(id, err)
		return nil, errUnprepared
	}
	return p.prepared, nil
}

// errUnprepared is all that a submitter hears of model and data that cannot be
// loaded: errors of files quote them.
var errUnprepared = errors.New("its model or data are not on this controller, cannot be read, or are others than those that were submitted; the controller's log says which")

func (s *Shelf) say(id string, err error) {
	if s.Log != nil {
		s.Log.Error("plan cannot be prepared", "sweep", id, "error", err)
	}
}

// Bench measures the trials of the queue on a target as a sweep does.
type Bench struct {
	Shelf  *Shelf
	Single *sweep.Single
}

// Measure measures one attempt. A plan that cannot be prepared here makes an
// attempt of the verdict faulted that says why.
func (b *Bench) Measure(ctx context.Context, t queue.Trial) (queue.Outcome, error) {
	began := time.Now()
	fault := func(err error) (queue.Outcome, error) {
		if ctx.Err() != nil {
			return queue.Outcome{}, ctx.Err()
		}
		return queue.Outcome{Verdict: wire.Faulted, Reason: err.Error(), Started: began, Ended: time.Now(), Record: json.RawMessage("{}")}, nil
	}
	var axes sweep.Axes
	if err := json.Unmarshal(t.Axes, &axes); err != nil {
		return fault(fmt.Errorf("reading the axes of cell %s: %w", t.Cell, err))
	}
	plan, err := b.Shelf.get(ctx, t.Sweep, t.Plan)
	if err != nil {
		return fault(fmt.Errorf("preparing the plan: %w", err))
	}
	trial, err := b.Single.Measure(ctx, plan, axes, t.Repeat, t.Attempt, t.Tell)
	if err != nil {
		return queue.Outcome{}, err
	}
	raw, err := json.Marshal(trial)
	if err != nil {
		return fault(fmt.Errorf("writing the trial: %w", err))
	}
	return queue.Outcome{Verdict: trial.Result.Verdict, Reason: trial.Result.Reason, Started: trial.Started, Ended: trial.Ended, Record: raw}, nil
}

// Close lets go of the target.
func (b *Bench) Close(ctx context.Context) { b.Single.Leave(ctx) }

// Tasks are the jobs of a prepared plan, those of its targets one after the other.
func Tasks(p sweep.Plan) ([]queue.Task, error) {
	var out []queue.Task
	for _, target := range p.Targets {
		slots, err := p.Slots(target)
		if err != nil {
			return nil, err
		}
		if len(out)+len(slots) > queue.MaxTrials {
			return nil, fmt.Errorf("more than %d trials: split the plan", queue.MaxTrials)
		}
		for _, s := range slots {
			axes, err := json.Marshal(s.Axes)
			if err != nil {
				return nil, fmt.Errorf("writing the axes of cell %s: %w", s.Cell, err)
			}
			out = append(out, queue.Task{Board: target, Cell: s.Cell, Axes: axes, Repeat: s.Repeat, Retries: p.Retries})
		}
	}
	return out, nil
}
