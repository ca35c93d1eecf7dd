package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// unbegun is the error of a trial for which the target could not be made ready: its
// files did not get there, or no runner started.
type unbegun struct{ err error }

func (e *unbegun) Error() string { return e.err.Error() }

// Unwrap returns why.
func (e *unbegun) Unwrap() error { return e.err }

// mend puts the target in order after a fault. One that does not answer is let
// go, to be reached anew.
func (l *lane) mend(ctx context.Context, c cell) error {
	if l.name == Local {
		return nil
	}
	if gone, err := l.clean(ctx); gone || err != nil {
		return err
	}
	if l.unready {
		return l.recover(ctx, c)
	}
	return l.pause(ctx, l.faults-1)
}

// clean tidies the target; one that does not answer is gone.
func (l *lane) clean(ctx context.Context) (gone bool, err error) {
	limit, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	if err := l.target.Clean(limit); err != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		l.drop()
		return true, nil
	}
	return false, nil
}

// recover waits until a target that answers can be made ready for a trial again: its
// disk is full, say. Trials begun meanwhile would only use up the attempts that a
// trial has. The target is given up when patience ends.
func (l *lane) recover(ctx context.Context, c cell) error {
	began := time.Now()
	for try := 0; !l.stopping() && !l.overBudget(); try++ {
		_, _, err := l.deploy(ctx, c)
		if err == nil {
			_, err = ask(ctx, l.target)
		}
		waited := time.Since(began)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case hopeless(err):
			return l.lost(err)
		case waited >= l.patience:
			return l.lost(&wire.Error{
				Kind: wire.Target, Text: fmt.Sprintf("no trial could be begun on it for %v, and then: %s", waited.Round(time.Second), oneLine(err)),
				Mend: "mend that, then go on with --resume; --target-patience sets how long it is waited for",
			})
		case try == 0:
			l.note(ctx, store.Warning, "target-unready", fmt.Sprintf("no trial can be begun on it: %s; waiting up to %v for that to change", oneLine(err), l.patience))
		}
		if gone, err := l.clean(ctx); gone || err != nil {
			return err
		}
		l.tell("not ready")
		if err := l.pauseUpTo(ctx, try+1, l.patience-waited); err != nil {
			return err
		}
	}
	return nil
}

// deploy brings what a cell's trials need to the target and returns the paths there.
func (l *lane) deploy(ctx context.Context, c cell) (items, model string, err error) {
	if items, err = l.put(ctx, l.source.Items); err == nil {
		model, err = l.put(ctx, c.artefact.Path)
	}
	return items, model, err
}
