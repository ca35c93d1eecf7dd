package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Arm is one of the two sides of a live comparison: a runner on a target. Its
// runner may be of another build than this program: it is greeted as its own.
type Arm struct {
	Name string
	Open func(ctx context.Context) (sweep.Target, error)

	target sweep.Target
	hello  *wire.Hello       // of the runner's build, where it is another one
	there  map[string]string // what lies on the target, by its path here
}

// Duel is a cell that both arms measure.
type Duel struct {
	Cell       string
	Models     [2]string // paths here
	Thresholds [2]float64
	Items      string // path here
	Threads    int
	Request    wire.Measure  // its items and threshold are filled in
	Limit      time.Duration // of a trial, after which its runner is taken for hanging
}

// reachTries is how often a target is reached anew before a series ends.
const reachTries = 5

// running is a duel's model on the way into a runner process of an arm.
type running struct {
	arm     *Arm
	model   string // path there
	items   string
	threads int
	tau     float64
	limit   time.Duration
	process *sweep.Process
}

// deploy brings what a duel needs to the target.
func (a *Arm) deploy(ctx context.Context, d Duel, side int) (*running, error) {
	err := a.ready(ctx)
	if err != nil {
		return nil, err
	}
	r := &running{arm: a, threads: d.Threads, tau: d.Thresholds[side], limit: d.Limit}
	if r.items, err = a.put(ctx, d.Items); err != nil {
		return nil, err
	}
	r.model, err = a.put(ctx, d.Models[side])
	return r, err
}

// turn waits until the target may be measured on.
func (a *Arm) turn(ctx context.Context) (release func(), err error) {
	t, ok := a.target.(sweep.Turner)
	if !ok {
		return func() {}, nil
	}
	if release, err = t.Turn(ctx); err != nil {
		return nil, fmt.Errorf("waiting for a turn: %w", err)
	}
	return release, nil
}

// start starts a runner process and loads the model. It runs until it is
// stopped, or until ctx ends. After an error nothing runs.
func (r *running) start(ctx context.Context) (err error) {
	if r.process, err = r.arm.start(ctx); err != nil {
		return err
	}
	return r.within(ctx, func(ctx context.Context) error {
		_, err := r.process.Load(ctx, wire.Load{Model: r.model, Threads: r.threads}, nil)
		return err
	})
}

// measure measures what of a request is the same for both arms. After an error
// nothing runs.
func (r *running) measure(ctx context.Context, req wire.Measure) (result wire.MeasureResult, err error) {
	req.Items, req.Threshold = r.items, r.tau
	err = r.within(ctx, func(ctx context.Context) (err error) {
		result, err = r.process.Measure(ctx, req, nil)
		return err
	})
	return result, err
}

// within bounds a question to the runner: one that hangs is the target's fault.
func (r *running) within(ctx context.Context, ask func(context.Context) error) error {
	asking, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	err := ask(asking)
	if err == nil {
		return nil
	}
	if asking.Err() != nil && ctx.Err() == nil {
		err = wire.Wrap(wire.Target, fmt.Errorf("no answer within %v", r.limit))
	}
	return fmt.Errorf("%s: %w", r.arm.Name, r.process.Fail(err))
}

// measure runs one trial in a runner process of its own.
func (a *Arm) measure(ctx context.Context, d Duel, side int) (result wire.MeasureResult, err error) {
	r, err := a.deploy(ctx, d, side)
	if err != nil {
		return result, err
	}
	release, err := a.turn(ctx)
	if err != nil {
		return result, err
	}
	defer release()
	if err := r.start(ctx); err != nil {
		return result, err
	}
	defer r.process.Stop()
	return r.measure(ctx, d.Request)
}

// start starts the runner and greets it as the build that it is of.
func (a *Arm) start(ctx context.Context) (*sweep.Process, error) {
	as := func() context.Context {
		if a.hello == nil {
			return ctx
		}
		return wire.As(ctx, *a.hello)
	}
	p, err := a.target.Start(as())
	var other *wire.OtherBuild
	if a.hello == nil && errors.As(err, &other) {
		a.hello = &other.Theirs
		p, err = a.target.Start(as())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Name, err)
	}
	return p, nil
}

// ready connects where there is no connection, in growing pauses.
func (a *Arm) ready(ctx context.Context) error {
	for try := 0; a.target == nil; try++ {
		target, err := a.Open(ctx)
		if err == nil {
			a.target, a.there = target, map[string]string{}
			return nil
		}
		var fault *wire.Error
		if try+1 >= reachTries || ctx.Err() != nil || errors.As(err, &fault) && fault.Kind != wire.Target {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second << try):
		}
	}
	return nil
}

func (a *Arm) put(ctx context.Context, path string) (string, error) {
	if there, ok := a.there[path]; ok {
		return there, nil
	}
	there, err := a.target.Put(ctx, path, func(int64, int64) {})
	if err != nil {
		return "", fmt.Errorf("%s: deploying %s: %w", a.Name, path, err)
	}
	a.there[path] = there
	return there, nil
}

// broken lets go of a connection after a fault of the target, so that the next
// trial makes a new one.
func (a *Arm) broken(ctx context.Context) {
	if a.target == nil || a.target.Clean(ctx) == nil {
		return
	}
	a.target.Close() //nolint:errcheck // it is broken
	a.target = nil
}

// Close gives the target back.
func (a *Arm) Close() error {
	if a.target == nil {
		return nil
	}
	err := a.target.Close()
	a.target = nil
	return err
}

// Local is the opening of a runner on this machine.
func Local(argv ...string) func(context.Context) (sweep.Target, error) {
	return func(context.Context) (sweep.Target, error) { return here{sweep.Launch{Argv: argv}}, nil }
}

// here is this machine: its files are where they are, and a runner's whole process
// group is ended with it.
type here struct{ sweep.Launch }

func (here) Put(_ context.Context, path string, _ func(done, total int64)) (string, error) {
	return path, nil
}
func (here) Clean(context.Context) error { return nil }
func (here) Close() error                { return nil }
