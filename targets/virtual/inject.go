package virtual

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// planned is a fault on its way.
type planned struct {
	Fault
	from, to time.Time
	on, over bool
}

// century is as far ahead as times can safely be added up.
const century = 100 * 365 * 24 * time.Hour

// Event is something that was done to a board.
type Event struct {
	Time time.Time
	Text string
}

// Events lists what was done to the board so far.
func (b *Board) Events() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

func (b *Board) note(text string) { b.events = append(b.events, Event{time.Now(), text}) }

// Inject plans a further fault; its At counts from now.
func (b *Board) Inject(f Fault) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.plan(time.Now(), f)
}

func (b *Board) plan(from time.Time, faults ...Fault) error {
	for _, f := range faults {
		if err := f.check(); err != nil {
			return fmt.Errorf("fault %s: %w", f.Kind, err)
		}
		if f.Kind == NoSpace && !b.Isolated {
			return fmt.Errorf("fault %s: the board has no disk of its own (%s)", f.Kind, b.Limits)
		}
		b.planned = append(b.planned, planned{Fault: f, from: from.Add(f.At)})
	}
	return nil
}

// inject begins and ends what is due.
func (b *Board) inject(ctx context.Context, now time.Time, processes []process) error {
	for i := range b.planned {
		p := &b.planned[i]
		switch {
		case !p.on && !now.Before(p.from):
			begun, err := b.begin(ctx, p.Fault, processes)
			if err != nil {
				return fmt.Errorf("injecting %s: %w", p.Kind, err)
			}
			if !begun {
				continue
			}
			p.on, p.to = true, now.Add(min(p.lasts(), century))
			b.note(p.Kind + " begins")
		case p.on && !now.Before(p.to) && (!b.down || p.Kind == Reboot):
			p.on, p.over = false, true
			// Another of the kind may still stand.
			if !slices.ContainsFunc(b.planned, func(o planned) bool { return o.on && o.Kind == p.Kind }) {
				if err := b.finish(ctx, p.Fault); err != nil {
					return fmt.Errorf("ending %s: %w", p.Kind, err)
				}
			}
			b.note(p.Kind + " ends")
		}
	}
	b.planned = slices.DeleteFunc(b.planned, func(p planned) bool { return p.over })
	return nil
}

// begin does what a fault does. It is not begun while the board cannot have it.
func (b *Board) begin(ctx context.Context, f Fault, processes []process) (begun bool, err error) {
	switch f.Kind {
	case Throttle:
		b.model.heated = true
		return true, nil
	case Undervolt:
		b.model.sagging = true
		return true, nil
	case Cable:
		b.model.thin = true
		return true, nil
	case Gap:
		return true, b.silence(true)
	case ClockJump:
		b.model.btime += int64(f.lasts() / time.Second)
		return true, nil
	}
	if b.down {
		return false, nil
	}
	switch f.Kind {
	case LinkDown:
		return true, b.site.fault(ctx, siteFault{kind: linkDown})
	case NoSpace:
		return true, b.site.fault(ctx, siteFault{kind: diskFull})
	case HostKey:
		if err := b.newHostKey(); err != nil {
			return false, err
		}
		return true, b.site.fault(ctx, siteFault{kind: reload})
	case Reboot:
		b.down = true
		return true, b.site.halt()
	case OutOfMem:
		victim, ok := largest(processes)
		if !ok {
			return false, nil
		}
		err := b.site.fault(ctx, siteFault{kind: kill, pid: victim.pid})
		if errors.Is(err, unix.ESRCH) {
			return false, nil // it ended meanwhile; the next look finds another
		}
		b.model.oomKills++
		b.note(fmt.Sprintf("killed process %d (%s) for memory", victim.pid, victim.name))
		return true, err
	}
	return false, fmt.Errorf("no such fault")
}

// finish takes a fault's effect away.
func (b *Board) finish(ctx context.Context, f Fault) error {
	switch f.Kind {
	case Throttle:
		b.model.heated = false
	case Undervolt:
		b.model.sagging = false
	case Cable:
		b.model.thin = false
	case Gap:
		return b.silence(false)
	case LinkDown:
		return b.site.fault(ctx, siteFault{kind: linkUp})
	case NoSpace:
		return b.site.fault(ctx, siteFault{kind: diskFree})
	case Reboot:
		b.down = false
		return b.boot(ctx)
	}
	return nil
}

// silence stops the board's power sensor from answering, or lets it answer again.
func (b *Board) silence(on bool) error {
	b.Sensor.silence(on)
	var errs []error
	for _, name := range b.files.sensorFiles() {
		if on {
			errs = append(errs, b.files.hold(name))
		} else {
			errs = append(errs, b.files.release(name))
		}
	}
	return errors.Join(errs...)
}
