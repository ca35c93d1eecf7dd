package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/pprof"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
)

func (j *benchJob) run(ctx context.Context, stdout, stderr io.Writer) error {
	measure.Startup()
	if !j.progress {
		stderr = io.Discard
	}
	paths, err := j.paths(ctx, stderr)
	if err != nil {
		return err
	}
	r := benchRun{job: j, machine: measure.This(), out: newBenchWriter(j.output, stdout), log: stderr, ceilings: map[int]measure.Ceilings{}}
	for _, path := range paths {
		r.cells = append(r.cells, j.cells(path)...)
	}
	err = r.run(ctx)
	if closed := r.out.close(); err == nil && closed != nil {
		err = wire.Wrap(wire.Target, fmt.Errorf("writing results: %w", closed))
	}
	return err
}

// benchRun is a grid in the making.
type benchRun struct {
	job     *benchJob
	machine measure.Machine
	cells   []benchCell
	out     *benchWriter
	log     io.Writer
	base    benchRecord // what all records share

	bench    *measure.Bench
	loaded   setup
	ceilings map[int]measure.Ceilings // measured last, by threads
	profile  *os.File
}

// run runs the tests one after the other.
func (r *benchRun) run(ctx context.Context) (err error) {
	defer func() {
		if r.bench != nil {
			r.bench.Close()
		}
		if stopped := r.stopProfile(); err == nil {
			err = stopped
		}
	}()
	for i, c := range r.cells {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := measure.Sleep(ctx, r.job.delay); err != nil {
			return err
		}
		if err := r.load(ctx, c.setup); err != nil {
			return err
		}
		fmt.Fprintf(r.log, "bench: test %d of %d: %s\n", i+1, len(r.cells), c.name())
		before := r.known()
		if !c.test.Cold { // a cold start is measured from the process's on
			var err error
			if before, err = r.limits(ctx, before); err != nil {
				return err
			}
		}
		if err := r.startProfile(); err != nil {
			return err
		}
		timing, err := r.bench.Run(ctx, c.test)
		if err != nil {
			return err
		}
		limits, err := r.limits(ctx, nil)
		if err != nil {
			return err
		}
		if limits != nil && before != nil {
			limits.Raise(*before)
		}
		if r.base.Engine == "" {
			r.about(ctx)
		}
		if err := r.out.add(r.record(c, timing, limits)); err != nil {
			return wire.Wrap(wire.Target, fmt.Errorf("writing results: %w", err))
		}
	}
	return nil
}

// load makes r.bench one of setup s.
func (r *benchRun) load(ctx context.Context, s setup) error {
	if r.bench != nil && r.loaded == s {
		return nil
	}
	if r.bench != nil {
		r.bench.Close()
		r.bench = nil
	}
	fmt.Fprintf(r.log, "bench: loading %s\n", s.path)
	b, err := measure.OpenBench(ctx, r.machine, s.path, s.options)
	if err != nil {
		return err
	}
	r.bench, r.loaded = b, s
	// Now, before a test was run for nothing.
	for _, c := range r.cells {
		if c.setup == s {
			if err := b.Check(c.test); err != nil {
				return err
			}
		}
	}
	return nil
}

// limits returns the machine's limits on as many threads as the model runs on:
// known, if they are, else measured now. On a machine whose memory others use,
// too, they differ from minute to minute, so a test is set beside the better of
// those just before and just after it. A profile that runs is of the tests alone.
// nil = they were not asked for.
func (r *benchRun) limits(ctx context.Context, known *measure.Ceilings) (*measure.Ceilings, error) {
	switch {
	case r.job.noLimits || known != nil:
		return known, nil
	case r.profile != nil:
		return r.known(), nil
	}
	c, err := r.machine.Ceilings(ctx, r.bench.Model().Threads, []kernels.Tier{kernels.Active()}, measure.Effort{Passes: limitPasses, Products: true})
	if err != nil {
		return nil, wire.Wrap(wire.Target, err)
	}
	r.bench.Forget() // the probe's memory
	r.ceilings[c.Threads] = c
	return &c, nil
}

// known are the limits measured last.
func (r *benchRun) known() *measure.Ceilings {
	if c, ok := r.ceilings[r.bench.Model().Threads]; ok {
		return &c
	}
	return nil
}

// limitPasses is how often a limit is measured beside a test.
const limitPasses = 4

// startProfile starts the CPU profile where one is asked for, unless it runs.
func (r *benchRun) startProfile() error {
	if r.job.profile == "" || r.profile != nil {
		return nil
	}
	f, err := os.Create(r.job.profile)
	if err != nil {
		return wire.Wrap(wire.Target, fmt.Errorf("profiling: %w", err))
	}
	r.profile = f
	if err := pprof.StartCPUProfile(f); err != nil {
		return wire.Wrap(wire.Harness, fmt.Errorf("profiling: %w", err))
	}
	return nil
}

func (r *benchRun) stopProfile() error {
	if r.profile == nil {
		return nil
	}
	pprof.StopCPUProfile()
	if err := r.profile.Close(); err != nil {
		return wire.Wrap(wire.Target, fmt.Errorf("profiling: %w", err))
	}
	return nil
}
