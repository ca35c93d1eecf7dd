package sweep

import (
	"hash/fnv"
	"math/rand/v2"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// maxFaults is how many attempts of one trial may end without a result. They do
// not count against the retries of invalid measurements.
const maxFaults = 4

// slot is one trial of the plan: it is done when an attempt was valid or the
// attempts are used up.
type slot struct {
	cell, repeat int
}

// history is what the store knows of a slot.
type history struct {
	valid    bool
	attempts int // attempts stored, which is the next one's number
	invalid  int
	faults   int
}

func (h *history) add(v wire.Verdict) {
	h.attempts++
	switch v {
	case wire.Valid:
		h.valid = true
	case wire.Faulted:
		h.faults++
	default:
		h.invalid++
	}
}

// done says whether a slot needs no further attempt.
func (h history) done(retries int) bool {
	return h.valid || h.invalid > retries || h.faults >= maxFaults
}

// schedule is the order of a plan's trials: blocks of one repeat of every cell,
// each in a random order of its own, so that a drift of the machine meets all
// cells alike. It depends on the seed and the target only, not on where a run was
// interrupted.
type schedule struct {
	plan   Plan
	cells  int
	past   map[slot]*history
	stream uint64 // sets the order on one target apart from that on another
}

func newSchedule(p Plan, target string, cells int) *schedule {
	s := &schedule{plan: p, cells: cells, past: map[slot]*history{}}
	if target != Local {
		h := fnv.New64a()
		h.Write([]byte(target))
		s.stream = h.Sum64()
	}
	return s
}

func (s *schedule) history(at slot) *history {
	h := s.past[at]
	if h == nil {
		h = &history{}
		s.past[at] = h
	}
	return h
}

// block returns the slots of one repeat that are not done, in their order.
func (s *schedule) block(repeat, pass int) []slot {
	// Retries come in another order than first attempts.
	rng := rand.New(rand.NewPCG(s.plan.Seed^s.stream, uint64(repeat)<<16|uint64(pass)))
	var out []slot
	for _, c := range rng.Perm(s.cells) {
		if at := (slot{c, repeat}); !s.history(at).done(s.plan.Retries) {
			out = append(out, at)
		}
	}
	return out
}

// remaining counts the slots that are not done.
func (s *schedule) remaining() int {
	n := 0
	for r := range s.plan.Repeats {
		for c := range s.cells {
			if !s.history(slot{c, r}).done(s.plan.Retries) {
				n++
			}
		}
	}
	return n
}
