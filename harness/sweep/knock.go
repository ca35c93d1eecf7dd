package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// knock asks every target whether it could be measured, before the time that
// artefacts and quality take: a changed host key or a missing runner is told now
// and not in an hour. One that is away may come back, and what is wrong with some
// does not stop the others; a run of which no target can be measured ends here.
func (r *run) knock(ctx context.Context) error {
	if r.check == nil {
		return nil
	}
	found := make(chan *refusal, len(r.plan.Targets))
	for _, name := range r.plan.Targets {
		go func() {
			var refused *refusal
			if name != Local {
				switch err := r.check(ctx, name); {
				case err == nil || ctx.Err() != nil:
				case hopeless(err):
					refused = &refusal{name, wire.Wrap(wire.Target, err)}
				default:
					r.event(ctx, store.Event{Level: store.Warning, Code: "target-away", Target: name, Text: name + ": it does not answer yet: " + oneLine(err)})
				}
			}
			found <- refused
		}()
	}
	var lost []*refusal
	var all error
	for range r.plan.Targets {
		if refused := <-found; refused != nil {
			lost, all = append(lost, refused), errors.Join(all, refused)
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("looking for the targets: %w", ctx.Err())
	case len(lost) == len(r.plan.Targets):
		return fmt.Errorf("no target can be measured: %w", all)
	}
	for _, e := range lost {
		r.event(ctx, store.Event{Level: store.Fault, Code: "target-refused", Target: e.target, Text: e.Error() + "; the others go on"})
	}
	return nil
}

// refusal tells of a target that cannot be measured until something is mended.
type refusal struct {
	target string
	err    error
}

func (e *refusal) Error() string { return e.target + ": " + oneLine(e.err) }

func (e *refusal) Unwrap() error { return e.err }

// hopeless says that asking the target again cannot help: something is to be mended
// on this side, or the host key is another.
func hopeless(err error) bool {
	var key *remote.HostKeyError
	return isHarness(err) || errors.As(err, &key)
}
