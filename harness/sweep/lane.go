package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// DefaultPatience is how long a target that does not answer is waited for.
const DefaultPatience = 5 * time.Minute

const (
	// maxFaultsInARow trials without a result give a target up.
	maxFaultsInARow = 12
	// longestPause bounds the growing pauses between attempts to reach a target.
	longestPause = 15 * time.Second
	// cleanLimit bounds the tidying of a target, which may be gone.
	cleanLimit = 20 * time.Second
)

// LostError tells of a target that was given up before its trials were done.
type LostError struct {
	Target string
	Err    error
}

func (e *LostError) Error() string { return "target " + e.Target + " was given up: " + e.Err.Error() }

// Unwrap returns why.
func (e *LostError) Unwrap() error { return e.Err }

// lane carries out the trials of one target.
type lane struct {
	*run
	name     string
	cells    []cell
	schedule *schedule
	total    int // slots that were not done at the start

	target Target            // nil = there is no connection
	there  map[string]string // what lies on the target, by its path here
	boot   string            // the boot id that it told last
	faults int               // trials in a row without a result
	// unready says that the last trial could not even be begun.
	unready bool
}

// lanes divides the cells by target and tells each lane its past.
func (r *run) lanes(past []store.Trial) []*lane {
	var out []*lane
	at := map[string]*lane{}
	for _, c := range r.cells {
		l := at[c.target]
		if l == nil {
			l = &lane{run: r, name: c.target}
			at[c.target] = l
			out = append(out, l)
		}
		l.cells = append(l.cells, c)
	}
	type place struct {
		lane *lane
		cell int
	}
	index := map[string]place{}
	for _, l := range out {
		l.schedule = newSchedule(r.plan, l.name, len(l.cells))
		for i, c := range l.cells {
			index[c.id()] = place{l, i}
		}
	}
	for _, t := range past {
		if p, ok := index[t.Cell]; ok {
			p.lane.schedule.history(slot{p.cell, t.Repeat}).add(t.Result.Verdict)
		}
	}
	for _, l := range out {
		l.total = l.schedule.remaining()
	}
	return out
}

// work runs the lane's trials until they are done, the run is to stop, or the
// target is given up, which is a *LostError.
func (l *lane) work(ctx context.Context) error {
	defer l.leave(ctx)
	for repeat := range l.plan.Repeats {
		for pass := 0; ; pass++ {
			todo := l.schedule.block(repeat, pass)
			if len(todo) == 0 {
				break
			}
			for _, at := range todo {
				if err := l.reach(ctx); err != nil {
					return err
				}
				if l.stopping() || l.overBudget() {
					return nil
				}
				if err := l.step(ctx, at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// step makes one attempt of a slot.
func (l *lane) step(ctx context.Context, at slot) error {
	h := l.schedule.history(at)
	t, err := l.trial(ctx, l.cells[at.cell], at.repeat, h.attempts)
	if err != nil {
		return err
	}
	h.add(t.Result.Verdict)
	if h.done(l.plan.Retries) {
		l.progress.Step(1, "")
	}
	l.tell("trials")
	if t.Result.Env.BootID != "" {
		l.boot = t.Result.Env.BootID
	}
	if t.Result.Verdict == wire.Valid {
		l.faults = 0
		return nil
	}
	l.progress.Note(store.Warning, fmt.Sprintf("trial %s repeat %d: %s: %s", t.Cell, t.Repeat+1, t.Result.Verdict, t.Result.Reason))
	if t.Result.Verdict != wire.Faulted {
		l.faults = 0
		return nil
	}
	if h.faults >= wire.MaxFaults {
		l.event(ctx, store.Event{
			Level: store.Warning, Code: "trial-dropped", Target: l.name,
			Text: fmt.Sprintf("trial %s repeat %d is left out: %d attempts ended without a result", t.Cell, t.Repeat+1, h.faults),
		})
	}
	if l.faults++; l.faults >= maxFaultsInARow {
		return l.lost(&wire.Error{Kind: wire.Target, Text: fmt.Sprintf("%d trials in a row ended without a result, the last: %s", l.faults, t.Result.Reason)})
	}
	return l.mend(ctx, l.cells[at.cell])
}

// put makes a file of this machine readable on the target.
func (l *lane) put(ctx context.Context, path string) (string, error) {
	if at, ok := l.there[path]; ok {
		return at, nil
	}
	at, err := l.target.Put(ctx, path, func(done, total int64) {
		if l.shown() {
			l.progress.Target(l.name, "deploy", done, total)
		}
	})
	if err != nil {
		return "", err
	}
	l.there[path] = at
	return at, nil
}

// tell says what the target is at, beside how many of its trials are done.
func (l *lane) tell(doing string) {
	if l.shown() {
		l.progress.Target(l.name, doing, int64(l.total-l.schedule.remaining()), int64(l.total))
	}
}

// stage passes on what the runner of a trial is at.
func (l *lane) stage(p wire.Progress) { l.tell(p.Stage) }

// shown says whether targets are told apart in what the user sees.
func (r *run) shown() bool { return len(r.plan.Targets) > 1 || r.plan.Targets[0] != Local }

// lost gives the target up.
func (l *lane) lost(err error) error {
	l.tell("given up")
	if l.shown() {
		l.note(context.Background(), store.Fault, "target-lost", "it was given up: "+oneLine(err))
	}
	return &LostError{Target: l.name, Err: wire.Wrap(wire.Target, err)}
}

// note tells the user and the store of something about this target.
func (l *lane) note(ctx context.Context, level, code, text string) {
	l.run.event(ctx, store.Event{Level: level, Code: code, Text: l.name + ": " + text, Target: l.name})
}
