package lab

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Trial is the attempt as a store keeps it.
func (a Attempt) Trial() (store.Trial, error) {
	var t store.Trial
	if err := json.Unmarshal(a.Record, &t); err != nil {
		return t, fmt.Errorf("reading trial %s repeat %d: %w", a.Cell, a.Repeat, err)
	}
	if t.Result.Verdict == "" { // the trial could not even be prepared
		t.Result = wire.MeasureResult{Verdict: wire.Verdict(a.Verdict), Reason: a.Reason}
	}
	t.ID, t.Cell, t.Repeat, t.Attempt = 0, a.Cell, a.Repeat, a.Attempt
	return t, nil
}

// Fetch stores a sweep that is done as a run, and completes it with the artefacts
// and the quality, which are made here. It returns the run's id, also with an error
// once there is one.
func Fetch(ctx context.Context, c *Client, id, command string, o sweep.Options) (string, error) {
	s, err := c.Sweep(ctx, id)
	if err != nil {
		return "", err
	}
	if s.State != "done" {
		return "", fmt.Errorf("sweep %s is %s with %d of %d trials; only one that is done makes a run", id, s.State, s.Counted, s.Total)
	}
	p, err := sweep.ParsePlan(s.Plan)
	if err != nil {
		return "", err
	}
	if err := p.Validate(); err != nil {
		return "", fmt.Errorf("the plan of sweep %s: %w", id, err)
	}
	run, err := sweep.Restore(ctx, o.Store, p, command, func(add func(store.Trial) error) error {
		return c.Trials(ctx, id, func(a Attempt) error {
			t, err := a.Trial()
			if err != nil {
				return err
			}
			return add(t)
		})
	})
	if err != nil {
		return run, err
	}
	return sweep.Resume(ctx, run, o)
}
