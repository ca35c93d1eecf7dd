package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// reach makes sure that there is a connection. A target that does not answer is
// asked again, in growing pauses, until patience ends; then it is given up. At a
// stop it returns without one.
func (l *lane) reach(ctx context.Context) error {
	began := time.Now()
	for try := 0; l.target == nil && !l.stopping() && !l.overBudget(); try++ {
		if try == 0 {
			l.tell("connecting")
		}
		err := l.connect(ctx)
		away := time.Since(began)
		switch {
		case err == nil && try > 0:
			l.note(ctx, store.Info, "target-back", fmt.Sprintf("it answers again after %v", away.Round(time.Second)))
			return nil
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case hopeless(err):
			return l.lost(err)
		case away >= l.patience:
			return l.lost(&wire.Error{
				Kind: wire.Target, Text: fmt.Sprintf("it did not answer for %v, and then: %s", away.Round(time.Second), oneLine(err)),
				Mend: "see that it is on and reachable, then go on with --resume; --target-patience sets how long it is waited for",
			})
		case try == 0:
			l.note(ctx, store.Warning, "target-away", fmt.Sprintf("it does not answer: %s; waiting for it up to %v", oneLine(err), l.patience))
		}
		l.tell("away")
		if err := l.pauseUpTo(ctx, try+1, l.patience-away); err != nil {
			return err
		}
	}
	return nil
}

// connect opens the target and asks what it is.
func (l *lane) connect(ctx context.Context) error {
	l.there = map[string]string{}
	if l.name == Local {
		l.target = local{l.launch}
		return nil
	}
	target, err := l.open(ctx, l.name)
	if err != nil {
		return err
	}
	info, err := ask(ctx, target)
	if err != nil {
		target.Close() //nolint:errcheck // the first error is the one to tell
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
		return info, p.fail(fmt.Errorf("asking what the machine is: %w", err))
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
