package queue

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// errTurnedAway says that a trial may not be begun on the board now.
var errTurnedAway = errors.New("the board takes no trial of this user now")

// turnstile lets one trial at a time onto a board, of those that River has handed
// out: the most urgent, and among these that of the user who has had the least of
// the board's time.
type turnstile struct {
	mu      sync.Mutex
	busy    string // owner of the trial on the board, "" = none
	waiting []*visitor
	served  map[string]time.Duration
	closed  func(owner string) bool // whose trials are turned away; nil = nobody's
}

// visitor is a trial that waits. in is closed when it is let in, or turned away
// with err.
type visitor struct {
	owner    string
	priority int
	in       chan struct{}
	err      error
}

// enter waits for a turn, which leave ends, telling how long it took.
func (t *turnstile) enter(ctx context.Context, owner string, priority int) (leave func(), err error) {
	v := &visitor{owner: owner, priority: priority, in: make(chan struct{})}
	t.mu.Lock()
	t.arrive(owner)
	t.waiting = append(t.waiting, v)
	t.admit()
	t.mu.Unlock()
	select {
	case <-v.in:
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		select {
		case <-v.in: // it was let in at the same moment
			if v.err == nil {
				t.free()
			}
		default:
			t.waiting = slices.DeleteFunc(t.waiting, func(w *visitor) bool { return w == v })
		}
		return nil, ctx.Err()
	}
	if v.err != nil {
		return nil, v.err
	}
	began := time.Now()
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.served[owner] += time.Since(began)
		t.free()
	}), nil
}

// arrive gives a user who comes back the least that those present have had: time
// that was not asked for cannot be saved up.
func (t *turnstile) arrive(owner string) {
	if t.served == nil {
		t.served = map[string]time.Duration{}
	}
	if t.busy == owner || slices.ContainsFunc(t.waiting, func(v *visitor) bool { return v.owner == owner }) {
		return
	}
	least, found := time.Duration(0), false
	for _, present := range append(t.owners(), t.busy) {
		if s, ok := t.served[present]; present != "" && ok && (!found || s < least) {
			least, found = s, true
		}
	}
	if found {
		t.served[owner] = max(t.served[owner], least)
	} else if _, ok := t.served[owner]; !ok {
		t.served[owner] = 0
	}
}

func (t *turnstile) owners() []string {
	var out []string
	for _, v := range t.waiting {
		out = append(out, v.owner)
	}
	return out
}

func (t *turnstile) free() {
	t.busy = ""
	t.admit()
}

// admit turns away whom it must, and lets the next one in if the board is free.
func (t *turnstile) admit() {
	if t.closed != nil {
		t.waiting = slices.DeleteFunc(t.waiting, func(v *visitor) bool {
			if !t.closed(v.owner) {
				return false
			}
			v.err = errTurnedAway
			close(v.in)
			return true
		})
	}
	if t.busy != "" || len(t.waiting) == 0 {
		return
	}
	next := slices.MinFunc(t.waiting, func(a, b *visitor) int {
		switch {
		case a.priority != b.priority:
			return a.priority - b.priority
		case t.served[a.owner] < t.served[b.owner]:
			return -1
		case t.served[a.owner] > t.served[b.owner]:
			return 1
		}
		return 0 // who came first
	})
	t.waiting = slices.DeleteFunc(t.waiting, func(v *visitor) bool { return v == next })
	t.busy = next.owner
	close(next.in)
}

// close turns away the trials of some users from now on, those that wait too. The
// one on the board is left to finish.
func (t *turnstile) close(who func(owner string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = who
	t.admit()
}

// shut says whether a user's trials are turned away.
func (t *turnstile) shut(owner string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed != nil && t.closed(owner)
}
