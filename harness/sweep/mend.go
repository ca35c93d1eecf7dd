package sweep

import "context"

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
// trial has.
func (l *lane) recover(ctx context.Context, c cell) error {
	_, err := l.persist(ctx, vigil{
		doing: "not ready", code: "target-unready", begins: "no trial can be begun on it", ends: "no trial could be begun on it",
		mend: "mend that, then go on with --resume; --target-patience sets how long it is waited for",
	}, func(ctx context.Context) error {
		_, _, err := l.deploy(ctx, c)
		if err == nil {
			_, err = ask(ctx, l.target)
		}
		if err == nil || hopeless(err) {
			return err
		}
		// One that is gone meanwhile is to be reached anew first.
		if gone, end := l.clean(ctx); gone || end != nil {
			return end
		}
		return err
	})
	return err
}

// deploy brings what a cell's trials need to the target and returns the paths there.
func (l *lane) deploy(ctx context.Context, c cell) (items, model string, err error) {
	if items, err = l.put(ctx, l.source.Items); err == nil {
		model, err = l.put(ctx, c.artefact.Path)
	}
	return items, model, err
}
