package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
)

// sample is one run of one program.
type sample struct {
	Kind         string  `json:"kind"` // "sample"
	Model        string  `json:"model"`
	Threads      int     `json:"threads"`
	Task         string  `json:"task"`
	Program      string  `json:"program"`
	Version      string  `json:"version,omitempty"`
	Round        int     `json:"round"`
	Position     int     `json:"position"` // in the round
	Rate         float64 `json:"tokens_per_s,omitempty"`
	FirstTokenMS float64 `json:"first_token_ms,omitempty"`
	PeakRSSBytes int64   `json:"peak_rss_bytes,omitempty"`
	// CoreToCoreNS is how far apart the processors were before and after.
	CoreToCoreNS [2]float64 `json:"core_to_core_ns,omitzero"`
	Error        string     `json:"error,omitempty"`
	Skipped      bool       `json:"skipped,omitempty"`
}

// session measures cells with the same programs.
type session struct {
	Programs []program
	Rounds   int
	Dir      string // where programs run
	Timeout  time.Duration
	Log      io.Writer

	// Apart is the core-to-core latency in ns that a run must have before and after it to
	// count, {} = any: a virtual machine's processors are moved about.
	Apart  [2]float64
	placed func(ctx context.Context) float64        // measure.CoreToCore, nil = not measured
	wait   func(ctx context.Context, try int) error // before it is measured again

	execute func(ctx context.Context, dir string, argv []string) (outcome, error) // runProcess
	drop    func(path string) error                                               // dropFile
}

// measure runs every program once a round. A program that fails leaves a sample
// with its error; the others go on, and it is tried again in the next round. The
// only error is that of ctx.
func (s *session) measure(ctx context.Context, c cell) ([]sample, error) {
	var out []sample
	for round := range s.Rounds {
		for position, i := range order(round, len(s.Programs)) {
			got := sample{
				Kind: "sample", Model: c.Model.Name, Threads: c.Threads, Task: c.Task.ID,
				Program: s.Programs[i].Name, Round: round, Position: position,
			}
			err := s.placedOnce(ctx, c, s.Programs[i], &got)
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			if err != nil {
				got.Error, got.Skipped = err.Error(), errors.Is(err, errSkipped)
			}
			out = append(out, got)
			fmt.Fprintf(s.Log, "%s, %d threads, %s, round %d: %s: %s\n", c.Model.Name, c.Threads, c.Task.Name, round+1, got.Program, got.text())
		}
	}
	return out, nil
}

const (
	placedTries = 60
	placedWait  = time.Second
)

// placedOnce repeats a run until the processors were as far apart as they should be
// before and after it.
func (s *session) placedOnce(ctx context.Context, c cell, p program, into *sample) error {
	if s.placed == nil {
		return s.once(ctx, c, p, into)
	}
	ok := func(ns float64) bool { return s.Apart == [2]float64{} || s.Apart[0] <= ns && ns <= s.Apart[1] }
	for try := 0; ; {
		got := *into
		got.CoreToCoreNS[0] = s.placed(ctx)
		if ok(got.CoreToCoreNS[0]) {
			if err := s.once(ctx, c, p, &got); err != nil {
				return err
			}
			if got.CoreToCoreNS[1] = s.placed(ctx); ok(got.CoreToCoreNS[1]) {
				*into = got
				return nil
			}
		}
		if try++; try == placedTries {
			return fmt.Errorf("%w: in %d tries the processors were never %g to %g ns apart for a whole run", errSkipped, try, s.Apart[0], s.Apart[1])
		}
		if !ok(got.CoreToCoreNS[0]) {
			if err := s.wait(ctx, try); err != nil {
				return err
			}
		}
	}
}

// waitPlaced gives a host reason to move processors: some go apart where both are
// busy, and together where they sleep and wake each other. It does both by turns.
func waitPlaced(ctx context.Context, try int) error {
	ctx, cancel := context.WithTimeout(ctx, placedWait)
	defer cancel()
	for range runtime.NumCPU() * (try % 2) {
		go func() {
			for ctx.Err() == nil {
			}
		}()
	}
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil
	}
	return ctx.Err()
}

func (s *session) once(ctx context.Context, c cell, p program, into *sample) error {
	cmd, err := p.command(ctx, c.Model.Path, c.Task, c.Threads)
	if err != nil {
		return err
	}
	if c.Task.Dropped {
		for _, f := range cmd.Files {
			if err := s.drop(f); err != nil {
				return fmt.Errorf("%w: %w", errSkipped, err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	o, err := s.execute(ctx, s.Dir, cmd.Argv)
	if err != nil {
		return err
	}
	records, err := p.parse(o, c.Task, c.Threads)
	if err != nil {
		return err
	}
	r, err := resultOf(records, c.Task, c.Threads)
	if err != nil {
		return err
	}
	into.Version, into.PeakRSSBytes = r.version(), o.PeakRSSBytes
	if c.Task.FirstToken {
		if o.Result == 0 {
			return errNoResult
		}
		into.FirstTokenMS = float64(o.Result) / float64(time.Millisecond)
		return nil
	}
	into.Rate = float64(c.Task.Prompt+c.Task.Gen*c.Task.Sequences) * 1e9 / r.SamplesNS[0]
	return nil
}

func (s *sample) text() string {
	switch {
	case s.Error != "":
		return s.Error
	case s.FirstTokenMS > 0:
		return fmt.Sprintf("%.0f ms, peak %.0f MB, cores %.0f and %.0f ns apart", s.FirstTokenMS, float64(s.PeakRSSBytes)/1e6, s.CoreToCoreNS[0], s.CoreToCoreNS[1])
	default:
		return fmt.Sprintf("%.1f tok/s, peak %.0f MB, cores %.0f and %.0f ns apart", s.Rate, float64(s.PeakRSSBytes)/1e6, s.CoreToCoreNS[0], s.CoreToCoreNS[1])
	}
}
