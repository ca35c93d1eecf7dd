package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

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
// once there is one. Nothing is stored of a sweep whose trials do not all come.
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
	attempts, err := spool(ctx, c, s)
	if err != nil {
		return "", err
	}
	defer attempts.close()
	run, err := sweep.Restore(ctx, o.Store, p, command, func(add func(store.Trial) error) error {
		return attempts.each(func(a Attempt) error {
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
	if o.Open == nil {
		o.Open = func(_ context.Context, name string) (sweep.Target, error) {
			return nil, fmt.Errorf("%s is a board of the lab, and trials of the plan are missing in sweep %s: submit it again", name, id)
		}
	}
	return sweep.Resume(ctx, run, o)
}

// spooled are the attempts of a sweep in a file of this machine: a run is begun
// when all of them are there.
type spooled struct{ file *os.File }

func spool(ctx context.Context, c *Client, s Sweep) (_ *spooled, err error) {
	f, err := os.CreateTemp("", "harness-fetch-*.jsonl")
	if err != nil {
		return nil, fmt.Errorf("keeping the trials of sweep %s: %w", s.ID, err)
	}
	out := &spooled{f}
	defer func() {
		if err != nil {
			out.close()
		}
	}()
	type slot struct {
		cell   string
		repeat int
	}
	ended := map[slot]bool{}
	w := bufio.NewWriter(f)
	lines := json.NewEncoder(w)
	err = c.Trials(ctx, s.ID, func(a Attempt) error {
		if a.Last {
			ended[slot{a.Cell, a.Repeat}] = true
		}
		return lines.Encode(a)
	})
	if err != nil {
		return nil, err
	}
	if len(ended) != s.Total {
		return nil, fmt.Errorf("the lab sent %d of the %d trials of sweep %s; nothing is stored: fetch it again", len(ended), s.Total, s.ID)
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("keeping the trials of sweep %s: %w", s.ID, err)
	}
	return out, nil
}

// each calls f with the attempts in the order in which they came.
func (s *spooled) each(f func(Attempt) error) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading the trials again: %w", err)
	}
	for lines := json.NewDecoder(bufio.NewReader(s.file)); ; {
		var a Attempt
		err := lines.Decode(&a)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the trials again: %w", err)
		}
		if err := f(a); err != nil {
			return err
		}
	}
}

func (s *spooled) close() {
	s.file.Close()           //nolint:errcheck // it was read
	os.Remove(s.file.Name()) //nolint:errcheck // it lies in the temporary folder
}
