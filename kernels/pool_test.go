package kernels

import (
	"sync/atomic"
	"testing"
	"time"
)

// tally counts how often each unit was done.
type tally []atomic.Int32

func (c tally) Do(_, i int) { c[i].Add(1) }

func TestPoolDoesEveryUnitOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := NewPool(threads)
		for round := range 300 {
			n := round % 40
			c := make(tally, n)
			p.Run(n, c)
			for i := range c {
				if got := c[i].Load(); got != 1 {
					t.Fatalf("%d threads, round %d: unit %d done %d times", threads, round, i, got)
				}
			}
			if round%100 == 0 {
				time.Sleep(2 * time.Millisecond) // workers park
			}
		}
		p.Close()
		p.Close()
	}
}

func TestPoolUsesItsWorkers(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	var m meeting
	m.arrived = make(chan struct{}, 2)
	p.Run(2, &m)
	if m.missed.Load() {
		t.Error("two units of a pool of two never ran at the same time: the second core stays idle")
	}
}

// meeting is a task whose two units wait for each other.
type meeting struct {
	count   atomic.Int32
	missed  atomic.Bool
	arrived chan struct{}
}

func (m *meeting) Do(_, _ int) {
	m.count.Add(1)
	for end := time.Now().Add(5 * time.Second); m.count.Load() < 2; {
		if time.Now().After(end) {
			m.missed.Store(true)
			return
		}
		time.Sleep(10 * time.Microsecond)
	}
}

// A worker that a slow core holds must not keep the rest of its share.
func TestPoolTakesOverShares(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	const units = 60
	h := holdUp{left: make(chan struct{}, units)}
	p.Run(units, &h)
	if h.missed.Load() {
		t.Error("the units of a worker that was held up waited for it")
	}
}

// holdUp keeps every worker but the first in its first unit until the others are
// done.
type holdUp struct {
	left   chan struct{}
	held   atomic.Int32
	missed atomic.Bool
}

func (h *holdUp) Do(worker, _ int) {
	defer func() { h.left <- struct{}{} }()
	if worker == 0 {
		return
	}
	h.held.Add(1)
	for end := time.Now().Add(5 * time.Second); len(h.left) < cap(h.left)-int(h.held.Load()); {
		if time.Now().After(end) {
			h.missed.Store(true)
			return
		}
		time.Sleep(10 * time.Microsecond)
	}
}

func TestPoolRunDoesNotAllocate(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	c := make(tally, 16)
	if got := testing.AllocsPerRun(50, func() { p.Run(len(c), c) }); got > 1 {
		// 1 is the conversion of the slice to Task; a pointer costs none.
		t.Errorf("Run allocates %v times", got)
	}
	var m meeting
	m.count.Store(2)
	if got := testing.AllocsPerRun(50, func() { p.Run(16, &m) }); got != 0 {
		t.Errorf("Run allocates %v times", got)
	}
}

func TestNilPool(t *testing.T) {
	var p *Pool
	c := make(tally, 3)
	p.Run(3, c)
	for i := range c {
		if c[i].Load() != 1 {
			t.Errorf("unit %d done %d times", i, c[i].Load())
		}
	}
	if p.Threads() != 1 || p.Ops() != (Ops{}) {
		t.Errorf("nil pool: %d threads, %+v", p.Threads(), p.Ops())
	}
	p.ResetOps()
	p.Count(Ops{1, 1})
	p.Close()
}
