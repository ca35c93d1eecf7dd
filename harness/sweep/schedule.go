package sweep

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/runners/wire"
)

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
	return h.valid || h.invalid > retries || h.faults >= wire.MaxFaults
}

// schedule is the order of a plan's trials: blocks of one repeat of every cell,
// each in a random order of its own, so that a drift of the machine meets all
// cells alike. It depends on the seed and the target only, not on where a run was
// interrupted. Which cells there are trials of, the plan's search says.
type schedule struct {
	plan   Plan
	target string
	cells  int
	past   map[slot]*history
	stream uint64 // sets the order on one target apart from that on another

	sample  []int // the cells of a grid or random search, ascending
	halving *halving
	pace    pace
}

func newSchedule(p Plan, target string, cells int) *schedule {
	s := &schedule{plan: p, target: target, cells: cells, past: map[slot]*history{}}
	if target != Local {
		h := fnv.New64a()
		h.Write([]byte(target))
		s.stream = h.Sum64()
	}
	switch p.Search {
	case SearchRandom:
		s.sample = search.Sample(cells, p.Sample, p.Seed^s.stream)
	case SearchHalving:
		s.halving = newHalving(s)
	default:
		for c := range cells {
			s.sample = append(s.sample, c)
		}
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

func (s *schedule) done(at slot) bool {
	h := s.past[at]
	return h != nil && h.done(s.plan.Retries)
}

// block returns slots that are not done, in their order: those of one repeat, or
// those of a search's round, which is asked at the first repeat. None follows
// where nothing is left, or no time for it.
func (s *schedule) block(repeat, pass int) []slot {
	var todo []slot
	if s.halving != nil {
		todo = s.halving.todo()
		// One order for a round and its chunks; rounds differ by their first slot.
		if len(todo) > 0 {
			repeat = len(s.halving.Rounds())
		}
	} else {
		for _, c := range s.sample {
			if at := (slot{c, repeat}); !s.done(at) {
				todo = append(todo, at)
			}
		}
	}
	return s.pace.chunk(s, s.shuffled(todo, repeat, pass))
}

// shuffled puts slots into a random order of their repeat or round.
func (s *schedule) shuffled(todo []slot, repeat, pass int) []slot {
	// Retries come in another order than first attempts.
	rng := rand.New(rand.NewPCG(s.plan.Seed^s.stream, uint64(repeat)<<16|uint64(pass)))
	place := make([]int, s.cells)
	for i, c := range rng.Perm(s.cells) {
		place[c] = i
	}
	slices.SortStableFunc(todo, func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.repeat, b.repeat), cmp.Compare(place[a.cell], place[b.cell]))
	})
	return todo
}

// remaining counts the slots that are not done; those of a search that has not
// ended count for all cells that are still in it.
func (s *schedule) remaining() int {
	if s.halving != nil {
		return s.halving.remaining()
	}
	n := 0
	for r := range s.plan.Repeats {
		for _, c := range s.sample {
			if !s.done(slot{c, r}) {
				n++
			}
		}
	}
	return n
}
