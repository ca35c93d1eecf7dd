package search

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Slot is one trial of a cell; its repeats count from 0.
type Slot struct{ Cell, Repeat int }

// Measured tells what has been measured.
type Measured interface {
	// Done says whether a slot needs no further attempt.
	Done(Slot) bool
	// Trial returns the values of a slot's valid trial in the order of Columns, nil
	// where there is none.
	Trial(Slot) []float64
}

// Defaults of a Halving.
const (
	// DefaultDrop is the probability of being on the front below which a cell gets
	// no further trials.
	DefaultDrop = 0.10
	// Pilots are measured pilotRepeats times at once, so that the first decision
	// knows the trials' noise.
	Pilots       = 24
	pilotRepeats = 3
)

// Halving is noise-aware successive halving. Every cell is measured once. After
// each round a cell goes on when it may yet be on the Pareto front: when its
// probability, given the noise of trials and of test items, is at least Drop.
// Those that go on are measured twice as often, up to Repeats; cells that are all
// but sure need no more. A cell is never dropped for want of samples: without a
// valid trial it goes on. At the end the front is measured Fresh times again, so
// that no published figure is one that won by its luck.
//
// Source: successive halving is Jamieson and Talwalkar 2016; going by the
// non-dominated rank, as in multi-objective Hyperband, would drop half of the
// cells whatever the noise, so here the rank is the chance of being in the first.
type Halving struct {
	Objectives []Metric
	Where      *Where  // nil = none
	Subjects   []int   // each cell's, as in Known
	Levels     [][]int // each cell's, as in Known; nil = not known
	Answers    map[string]Answers
	Repeats    int // trials of a cell at most, the last ones of the front aside
	Fresh      int // further trials of each cell of the front at the end
	Seed       uint64
	Drop       float64 // 0 = DefaultDrop
	Draws      int     // 0 = DefaultDraws

	reach  []int // trials that each cell is to have by now
	alive  []int // cells that are not dropped
	rounds []Round
	last   []int // the front that is measured again; nil until then
}

// Round is a decision and what it stood on.
type Round struct {
	Repeats int       // trials that those who took part have
	Cells   []int     // who was in the race
	Measure []int     // who is measured further
	Dropped []int     // who is out
	P       []float64 // of every cell: the probability to be on the front; NaN = unknown
}

// Rounds are the decisions so far.
func (h *Halving) Rounds() []Round { return h.rounds }

// Front are the cells that are measured again at the end; nil before that.
func (h *Halving) Front() []int { return h.last }

// Alive are the cells that no round has dropped.
func (h *Halving) Alive() []int { return h.alive }

// Next takes the decisions that m allows and returns the slots that are to be
// measured next and are not done; none means that the search is over. The slots
// of the front's last trials have repeats from Repeats on.
func (h *Halving) Next(m Measured) []Slot {
	for {
		todo := h.Pending(m)
		if len(todo) > 0 || h.last != nil {
			return todo
		}
		h.decide(m)
	}
}

// begin asks for one trial of each cell, and some of a few.
func (h *Halving) begin() {
	n := len(h.Subjects)
	h.reach, h.alive = make([]int, n), make([]int, n)
	for i := range n {
		h.reach[i], h.alive[i] = 1, i
	}
	rng := rand.New(rand.NewPCG(h.Seed, 0x9e3779b97f4a7c15)) //nolint:gosec // statistics, not secrets
	for _, i := range rng.Perm(n)[:min(Pilots, n)] {
		h.reach[i] = min(pilotRepeats, h.Repeats)
	}
}

// Pending returns the slots that the decisions so far ask for and that are not
// done.
func (h *Halving) Pending(m Measured) []Slot {
	if h.reach == nil {
		h.begin()
	}
	var out []Slot
	add := func(s Slot) {
		if !m.Done(s) {
			out = append(out, s)
		}
	}
	for c, n := range h.reach {
		for r := range n {
			add(Slot{c, r})
		}
	}
	for _, c := range h.last {
		for r := range h.Fresh {
			add(Slot{c, h.Repeats + r})
		}
	}
	return out
}

// decide ends a round.
func (h *Halving) decide(m Measured) {
	e := h.evidence(m)
	drop := cmp.Or(h.Drop, DefaultDrop)
	now := Round{Cells: h.alive, P: e.Shares(cmp.Or(h.Draws, DefaultDraws), h.Seed+uint64(len(h.rounds)))}
	for _, c := range h.alive {
		now.Repeats = max(now.Repeats, h.level())
		switch p := now.P[c]; {
		case p < drop:
			now.Dropped = append(now.Dropped, c)
		case h.reach[c] < h.Repeats && !(p > 1-drop):
			now.Measure = append(now.Measure, c)
		}
	}
	h.alive = slices.DeleteFunc(slices.Clone(h.alive), func(c int) bool { return slices.Contains(now.Dropped, c) })
	next := min(2*h.level(), h.Repeats)
	for _, c := range now.Measure {
		h.reach[c] = max(h.reach[c], next)
	}
	h.rounds = append(h.rounds, now)
	if len(now.Measure) == 0 || next == now.Repeats {
		h.finish(e, now.P)
	}
}

// level is how many trials the cells of a round have: 1, 2, 4 and so on.
func (h *Halving) level() int { return min(1<<len(h.rounds), h.Repeats) }

// finish chooses the cells that are measured again: the front of the medians and
// every cell that is more likely on it than not.
func (h *Halving) finish(e Evidence, p []float64) {
	h.last = []int{}
	for c := range e.Cells { // those that are out dominate no more than they are dominated
		if !slices.Contains(h.alive, c) {
			e.Cells[c] = Known{Subject: -1}
		}
	}
	on := e.Front()
	for _, c := range h.alive {
		if on[c] || p[c] >= 0.5 {
			h.last = append(h.last, c)
		}
	}
}

// evidence is what the trials asked for so far tell; later ones, which a resumed
// run may have, stay out.
func (h *Halving) evidence(m Measured) Evidence {
	e := Evidence{Objectives: h.Objectives, Where: h.Where, Answers: h.Answers, Cells: make([]Known, len(h.Subjects))}
	for c := range e.Cells {
		e.Cells[c] = Known{Subject: h.Subjects[c]}
		if h.Levels != nil {
			e.Cells[c].Levels = h.Levels[c]
		}
		for r := range h.reach[c] {
			if row := m.Trial(Slot{c, r}); row != nil {
				e.Cells[c].Trials = append(e.Cells[c].Trials, row)
			}
		}
	}
	return e
}

// Sample draws n of the cells at random, cell 0, the reference, always among
// them, in ascending order.
func Sample(cells, n int, seed uint64) []int {
	rng := rand.New(rand.NewPCG(seed, 0xbf58476d1ce4e5b9)) //nolint:gosec // statistics, not secrets
	out := []int{0}
	for _, c := range rng.Perm(cells) {
		if len(out) >= n {
			break
		}
		if c != 0 {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), cells)]
}

// Rank returns the non-dominated rank of each row of values, 0 for the front and
// −1 where a value is missing.
func Rank(objectives []Metric, values [][]float64) []int {
	points := make([][]float64, len(values))
	for i, v := range values {
		points[i] = costs(objectives, v)
	}
	return ranks(points)
}

// Unknown says whether a probability is not known.
func Unknown(p float64) bool { return math.IsNaN(p) }
