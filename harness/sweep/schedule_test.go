package sweep

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/wire"
)

func scheduleOf(cells int, seed uint64) *schedule {
	p := Default()
	p.Repeats, p.Seed = 3, seed
	return newSchedule(p, Local, cells)
}

// Cells measured one after the other would take a machine that warms up for a
// difference between variants.
func TestBlocksInterleaveAllCells(t *testing.T) {
	s := scheduleOf(20, 1)
	var orders [][]slot
	for repeat := range 3 {
		block := s.block(repeat, 0)
		seen := map[int]bool{}
		for _, at := range block {
			if at.repeat != repeat {
				t.Errorf("repeat %d is measured in the block of repeat %d", at.repeat, repeat)
			}
			seen[at.cell] = true
		}
		if len(block) != 20 || len(seen) != 20 {
			t.Errorf("the block of repeat %d has %d trials of %d cells, want one of each of 20", repeat, len(block), len(seen))
		}
		for i := range block {
			block[i].repeat = 0
		}
		orders = append(orders, block)
	}
	if slices.Equal(orders[0], orders[1]) || slices.Equal(orders[1], orders[2]) {
		t.Error("two repeats have one order: what a cell follows would stay the same")
	}
}

func TestOrderDependsOnTheSeedOnly(t *testing.T) {
	whole := scheduleOf(20, 7).block(1, 0)
	if diff := cmp.Diff(whole, scheduleOf(20, 7).block(1, 0), cmp.AllowUnexported(slot{})); diff != "" {
		t.Errorf("one seed gave two orders:\n%s", diff)
	}
	if slices.Equal(whole, scheduleOf(20, 8).block(1, 0)) {
		t.Error("two seeds gave one order")
	}
	// Interrupted after any trial, the rest comes in the order that it had.
	for done := range whole {
		s := scheduleOf(20, 7)
		for _, at := range whole[:done] {
			s.history(at).add(wire.Valid)
		}
		if !slices.Equal(whole[done:], s.block(1, 0)) {
			t.Fatalf("after %d trials the order of the rest changed", done)
		}
	}
}

// A slot tried for ever stops the sweep, one given up early loses a figure.
func TestSlotsAreDone(t *testing.T) {
	v, c, f := wire.Valid, wire.Contended, wire.Faulted
	for name, c := range map[string]struct {
		verdicts []wire.Verdict
		retries  int
		want     history
		done     bool
	}{
		"nothing yet":             {nil, 2, history{}, false},
		"valid":                   {[]wire.Verdict{v}, 2, history{true, 1, 0, 0}, true},
		"valid at last":           {[]wire.Verdict{c, f, v}, 2, history{true, 3, 1, 1}, true},
		"two retries are left":    {[]wire.Verdict{c}, 2, history{false, 1, 1, 0}, false},
		"one is left":             {[]wire.Verdict{c, wire.Throttled}, 2, history{false, 2, 2, 0}, false},
		"none is left":            {[]wire.Verdict{c, wire.Unsettled, wire.Sensor}, 2, history{false, 3, 3, 0}, true},
		"no retries":              {[]wire.Verdict{c}, 0, history{false, 1, 1, 0}, true},
		"faults are not retries":  {[]wire.Verdict{f, f, f}, 0, history{false, 3, 0, 3}, false},
		"too many faults":         {[]wire.Verdict{f, f, f, f}, 9, history{false, 4, 0, 4}, true},
		"faults and invalid ones": {[]wire.Verdict{f, c, f, c, f}, 2, history{false, 5, 2, 3}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got history
			for _, v := range c.verdicts {
				got.add(v)
			}
			if got != c.want || got.done(c.retries) != c.done {
				t.Errorf("got %+v, done %v; want %+v, done %v", got, got.done(c.retries), c.want, c.done)
			}
		})
	}
}

func TestRemainingCountsSlots(t *testing.T) {
	s := scheduleOf(4, 1)
	if n := s.remaining(); n != 12 {
		t.Errorf("%d slots at the start, want 12", n)
	}
	s.history(slot{1, 2}).add(wire.Valid)
	s.history(slot{2, 0}).add(wire.Contended)
	if n := s.remaining(); n != 11 {
		t.Errorf("%d slots after one valid and one contended trial, want 11", n)
	}
}
