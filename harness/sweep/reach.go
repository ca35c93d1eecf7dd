package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// reach makes sure that there is a connection; a target that does not answer is
// waited for. At a stop it returns without one.
func (l *lane) reach(ctx context.Context) error {
	if l.target != nil || l.stopping() || l.overBudget() {
		return nil
	}
	l.tell("connecting")
	away, err := l.persist(ctx, vigil{
		doing: "away", code: "target-away", begins: "it does not answer", ends: "it did not answer",
		mend: "see that it is on and reachable, then go on with --resume; --target-patience sets how long it is waited for",
	}, l.connect)
	if err == nil && away > 0 && l.target != nil {
		l.note(ctx, store.Info, "target-back", fmt.Sprintf("it answers again after %v", away.Round(time.Second)))
	}
	return err
}

// vigil is how the waiting for a target is told.
type vigil struct {
	doing        string // shown meanwhile
	code         string // of the event at its beginning
	begins, ends string // what that event and the error at its end begin with
	mend         string // of that error
}

// persist tries until it works, in growing pauses; when patience ends the target is
// given up. It returns how long that took, 0 where the first try worked, and early
// and without an error at a stop.
func (l *lane) persist(ctx context.Context, v vigil, try func(context.Context) error) (time.Duration, error) {
	began := time.Now()
	for n := 0; !l.stopping() && !l.overBudget(); n++ {
		err := try(ctx)
		waited := time.Since(began)
		switch {
		case err == nil && n == 0:
			return 0, nil
		case err == nil:
			return waited, nil
		case ctx.Err() != nil:
			return waited, ctx.Err()
		case hopeless(err):
			return waited, l.lost(err)
		case waited >= l.patience:
			return waited, l.lost(&wire.Error{
				Kind: wire.Target, Text: fmt.Sprintf("%s for %v, and then: %s", v.ends, waited.Round(time.Second), oneLine(err)), Mend: v.mend,
			})
		case n == 0:
			l.note(ctx, store.Warning, v.code, fmt.Sprintf("%s: %s; waiting up to %v", v.begins, oneLine(err), l.patience))
		}
		l.tell(v.doing)
		if err := l.pauseUpTo(ctx, n+1, l.patience-waited); err != nil {
			return waited, err
		}
	}
	return time.Since(began), nil
}

// connect opens the target and asks what it is.
func (l *lane) connect(ctx context.Context) error {
	l.there = map[string]string{}
	if l.name == Local {
		l.target = local{l.launch}
		return nil
	}
	target, info, err := openAndAsk(ctx, l.open, l.name)
	if err != nil {
		return err
	}
	l.target = target
	if m, ok := target.(Metered); ok && l.plan.Energy {
		if err := check(ctx, m, &info); err != nil {
			l.drop()
			return err
		}
	}
	env := info.Env
	switch {
	case l.boot == "":
		l.note(ctx, store.Info, "target", describe(info))
	case env.BootID != l.boot:
		l.note(ctx, store.Warning, "target-rebooted", "it had rebooted: its boot id changed")
	}
	l.boot = env.BootID
	return nil
}

// openAndAsk opens a target and asks what it is; one that does not answer is closed.
func openAndAsk(ctx context.Context, open func(context.Context, string) (Target, error), name string) (Target, wire.InfoResult, error) {
	target, err := open(ctx, name)
	if err != nil {
		return nil, wire.InfoResult{}, err
	}
	info, err := ask(ctx, target)
	if err != nil {
		target.Close() //nolint:errcheck // the first error is the one to tell
		return nil, info, err
	}
	return target, info, nil
}

// ask starts a runner once, which also shows whether trials can be started at
// all, and returns what it says of its machine.
func ask(ctx context.Context, target Target) (wire.InfoResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*greetLimit)
	defer cancel()
	p, err := target.Start(ctx)
	if err != nil {
		return wire.InfoResult{}, err
	}
	info, err := p.Info(ctx)
	if err != nil {
		return info, p.Fail(fmt.Errorf("asking what the machine is: %w", err))
	}
	p.Stop()
	return info, nil
}

// check opens the meter of a target at this machine once, so that one that does not
// answer is told before the first trial.
func check(ctx context.Context, m Metered, info *wire.InfoResult) error {
	meter, err := m.Meter(ctx)
	if err != nil {
		return fmt.Errorf("opening its energy meter at this machine: %w", err)
	}
	if meter == nil {
		return nil
	}
	d := meter.Describe()
	info.Energy = d.Source + ", " + d.Scope + ", at this machine"
	if d.Simulated {
		info.Energy += ", " + stat.Simulated
	}
	return meter.Close()
}

// describe is a target in a line.
func describe(info wire.InfoResult) string {
	env := info.Env
	text := fmt.Sprintf("%s, %d cores, %s/%s, kernels %s", boardName(env), env.Cores, env.OS, env.Arch, env.Tier)
	if env.Virtual != "" {
		text += ", in " + env.Virtual
	}
	if info.Energy != "" {
		return text + ", energy by " + info.Energy
	}
	return text + ", no energy sensor: " + info.EnergyReason
}

// drop lets go of a connection that does not work.
func (l *lane) drop() {
	l.target.Close() //nolint:errcheck // it is broken
	l.target = nil
}

// leave gives the target back in order, also when the run was canceled.
func (l *lane) leave(ctx context.Context) {
	if l.target == nil {
		return
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	if err := l.target.Clean(clean); err != nil {
		l.note(ctx, store.Warning, "not-clean", fmt.Sprintf("it could not be tidied: %s; the next connection will", oneLine(err)))
	}
	if err := l.target.Close(); err != nil {
		l.note(ctx, store.Warning, "not-restored", oneLine(err))
	}
	l.target = nil
	if l.schedule.remaining() == 0 {
		l.tell("done")
	}
}

// pause waits longer with every try: not at all, then 1 s, 2 s, 4 s and so on.
func (l *lane) pause(ctx context.Context, try int) error {
	return l.pauseUpTo(ctx, try, longestPause)
}

// pauseUpTo ends early at a stop, and with an error at the end of ctx.
func (l *lane) pauseUpTo(ctx context.Context, try int, most time.Duration) error {
	if try <= 0 {
		return nil
	}
	d := min(longestPause, max(most, 0), l.unit<<min(try-1, 10))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.stop:
		return nil
	case <-time.After(d):
		return nil
	}
}
