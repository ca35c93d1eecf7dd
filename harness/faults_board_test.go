//go:build e2e

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/remote"
	"github.com/seed-c6f48606/harness/targets/virtual"
)

// span is a time from which to which something was so; a zero end is still on.
type span struct{ from, to time.Time }

// meets says whether two spans have more in common than the measuring of either
// may be wrong by.
func (s span) meets(o span) bool {
	const slack = 200 * time.Millisecond
	from, to := s.from, s.to
	if o.from.After(from) {
		from = o.from
	}
	if to.IsZero() || !o.to.IsZero() && o.to.Before(to) {
		to = o.to
	}
	return to.IsZero() || to.Sub(from) > slack
}

// trialBoard is a virtual board that meets a fault in one phase of its first
// trial.
type trialBoard struct {
	name, phase string
	may         string // verdicts of the trial that is hit
	faults      []virtual.Fault
	board       *virtual.Board
	pinned      string // its host key as the inventory has it
	before      []string

	mu     sync.Mutex
	struck time.Time
	doing  string
	works  []span // work windows, as their beginnings and ends were told here
	slow   []span // times in which the board's clock was lowered
}

func startTrialBoard(t *testing.T, row faultRow, phase string, faults []virtual.Fault) *trialBoard {
	t.Helper()
	b := &trialBoard{name: strings.NewReplacer(",", "-", "+", "-").Replace(row.faults) + "-" + phase, phase: phase, faults: faults}
	var err error
	// The seed is the kind's: boards of one kind are alike.
	if b.board, err = virtual.Start(t.Context(), virtual.Options{Kind: row.kind, Name: b.name, Seed: seedOf(row.kind)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		if err := b.board.Stop(); err != nil {
			t.Errorf("stopping %s: %v", b.name, err)
		}
	})
	b.pinned = b.board.HostKey
	b.before = b.look(t)
	go b.watch(ctx)
	return b
}

// watch notes when the clock is lowered, from the model of the board.
func (b *trialBoard) watch(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	on := false
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			low := b.board.Truth().Clock < 0.95
			b.mu.Lock()
			switch {
			case low && !on:
				b.slow = append(b.slow, span{from: now})
			case !low && on:
				b.slow[len(b.slow)-1].to = now
			}
			b.mu.Unlock()
			on = low
		}
	}
}

// target is the board as an inventory has it.
func (b *trialBoard) target() targets.Target {
	return targets.Target{Name: b.name, Address: b.board.Address, Port: b.board.Port, User: b.board.User, KeyFile: b.board.KeyFile, HostKey: b.pinned}
}

func (b *trialBoard) open(ctx context.Context, m *matrix) (sweep.Target, error) {
	r, err := sweep.OpenRemote(ctx, b.target(), remote.Options{Sums: &m.sums, KeepAlive: matrixKeepAlive, Timeout: 3 * time.Second}, &m.finder)
	if err != nil {
		return nil, err
	}
	return turning{neighbour{r, b.board}, m.turn}, nil
}

// turning is a board that takes turns with those of this test only: a sweep of
// somebody else on this machine must not hold it up beyond its time.
type turning struct {
	neighbour
	turn chan struct{}
}

func (x turning) Turn(ctx context.Context) (func(), error) {
	select {
	case x.turn <- struct{}{}:
		return func() { <-x.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refuses makes sure that nobody connects to a board whose key changed.
func (b *trialBoard) refuses(t *testing.T, m *matrix) {
	t.Helper()
	r, err := b.open(t.Context(), m)
	if err == nil {
		r.Close()
	}
	var refused *remote.HostKeyError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), fingerprint(t, b.board.HostKeyNow())) {
		t.Errorf("%s: connecting after its host key changed gives %v", b.name, err)
	}
}

// injector hears how far the trials are and injects the faults.
type injector struct {
	t      *testing.T
	boards map[string]*trialBoard
}

func (x *injector) Stage(string, int) {}
func (x *injector) Step(int, string)  {}

// Note goes to the test's log, which shows it where the test fails.
func (x *injector) Note(level, text string) { x.t.Logf("%s: %s", level, text) }

// Target is called by the lane of a target, which goes on when it returns.
func (x *injector) Target(name, doing string, done, total int64) {
	x.boards[name].hear(x.t, doing, done, total)
}

// hear follows the phases of a board's trials. In the one that it waits for it
// injects the faults, and returns when they have begun.
func (b *trialBoard) hear(t *testing.T, doing string, done, total int64) {
	b.mu.Lock()
	now, was := time.Now(), b.doing
	b.doing = doing
	if was == working && doing != working {
		b.works[len(b.works)-1].to = now
	}
	if doing == working && was != working {
		b.works = append(b.works, span{from: now})
	}
	is := false
	switch b.phase {
	case deploying:
		is = doing == deploying && done > 0 && done < total // of the model: the texts are sent at once
	case collecting:
		is = was == working && doing == "idle"
	default:
		is = doing == b.phase
	}
	if is = is && b.struck.IsZero(); is {
		b.struck = now
	}
	b.mu.Unlock()
	if !is {
		return
	}
	for _, f := range b.faults {
		if err := b.board.Inject(f); err != nil {
			t.Errorf("%s: %v", b.name, err)
			return
		}
		if f.Kind == virtual.OutOfMem && b.phase == deploying {
			continue // it waits for a process that it can kill
		}
		for until := time.Now().Add(10 * time.Second); !b.happened(f.Kind + " begins"); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(until) {
				t.Errorf("%s: %s did not begin", b.name, f.Kind)
				return
			}
		}
	}
}

func (b *trialBoard) happened(text string) bool {
	return slices.ContainsFunc(b.board.Events(), func(e virtual.Event) bool { return e.Text == text })
}

// touched says how the fault was on in the work window of a trial.
func (b *trialBoard) touched(x store.Trial) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var bad []span
	for _, f := range b.faults {
		switch f.Kind {
		case virtual.Throttle:
			bad = append(bad, b.slow...)
		case virtual.Undervolt, virtual.Gap, virtual.Reboot:
			bad = append(bad, b.lasted(f.Kind))
		}
	}
	for _, w := range b.works {
		if w.from.Before(x.Started) || w.from.After(x.Ended) {
			continue
		}
		for _, s := range bad {
			if w.meets(s) {
				return fmt.Sprintf("%s was on during its window", b.faults[0].Kind)
			}
		}
	}
	return ""
}

// lasted is when a fault was on.
func (b *trialBoard) lasted(kind string) (s span) {
	for _, e := range b.board.Events() {
		switch e.Text {
		case kind + " begins":
			s.from = e.Time
		case kind + " ends":
			s.to = e.Time
		}
	}
	return s
}

// slots are the trials of this board by repeat, in the order of attempts.
func (b *trialBoard) slots(r *sweep.Record) [][]store.Trial {
	cells := map[string]bool{}
	for _, c := range r.Cells {
		cells[c.ID] = c.Target == b.name
	}
	by := map[int][]store.Trial{}
	for _, x := range r.Trials {
		if cells[x.Cell] {
			by[x.Repeat] = append(by[x.Repeat], x)
		}
	}
	var out [][]store.Trial
	for i := range matrixRepeats {
		if tries := by[i]; len(tries) > 0 {
			slices.SortFunc(tries, func(a, b store.Trial) int { return cmp.Compare(a.ID, b.ID) })
			out = append(out, tries)
		}
	}
	return out
}

// hit is the trial that was on when the fault came.
func (b *trialBoard) hit(slots [][]store.Trial) *store.Trial {
	for _, tries := range slots {
		for i := range tries {
			if x := &tries[i]; !b.struck.Before(x.Started) && !b.struck.After(x.Ended) {
				return x
			}
		}
	}
	return nil
}

// fingerprint is that of a key in the format of authorized_keys.
func fingerprint(t *testing.T, line string) string {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(key)
}
