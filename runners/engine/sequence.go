package engine

import (
	"slices"

	"github.com/seed-c6f48606/harness/kernels"
)

// Sequence is one conversation in progress: how many tokens it has read, their
// keys and values in every layer that it does not skip, and the routing that
// its first piece settled. It belongs to the engine that made it.
type Sequence struct {
	engine *Engine
	pos    int
	busy   bool // part of the call in progress
	route  route
	cache  []layerCache
	floor  int // least capacity in tokens when a layer's cache is allocated
}

// route is what was decided for a sequence.
type route struct {
	decided bool
	skip    []bool // attention blocks to leave out, by layer
	skipFFN []bool // FFN blocks to leave out, by layer
	last    int    // the last layer to run
	exit    *gate  // the gate that ended it there, if one did
}

// NewSequence returns an empty sequence. Its cache grows with its tokens, by
// 128 at a time, up to the model's greatest number of positions.
func (e *Engine) NewSequence() *Sequence {
	return &Sequence{
		engine: e,
		cache:  make([]layerCache, len(e.layers)),
		route:  route{skip: make([]bool, len(e.layers)), skipFFN: make([]bool, len(e.layers))},
	}
}

// Len returns the number of tokens read.
func (s *Sequence) Len() int { return s.pos }

// Reset empties the sequence, keeping its memory.
func (s *Sequence) Reset() {
	s.pos = 0
	s.route.decided = false
	for i := range s.cache {
		s.cache[i].reset()
	}
}

// Reserve makes the cache hold exactly n tokens (up to the next multiple of 16)
// from its next growth on, so that decoding up to there allocates nothing more.
func (s *Sequence) Reserve(n int) { s.floor = min(n, s.engine.config.MaxPositions) }

// Bytes returns the memory held by keys and values, without those that are
// shared with a sequence that this one was forked from or that was forked from it.
func (s *Sequence) Bytes() int64 {
	var n int64
	for i := range s.cache {
		n += s.cache[i].bytes()
	}
	return n
}

// Fork returns a sequence that has read the same tokens and goes on by itself.
// The keys and values of all but the last few tokens are shared.
func (s *Sequence) Fork() *Sequence {
	out := s.engine.NewSequence()
	out.share(s, s.pos)
	out.floor = s.floor
	out.route.decided = s.route.decided
	out.route.last, out.route.exit = s.route.last, s.route.exit
	copy(out.route.skip, s.route.skip)
	copy(out.route.skipFFN, s.route.skipFFN)
	return out
}

// share makes s a sequence of the first n tokens of from. Only whole groups of
// tokens are shared, the rest is copied.
func (s *Sequence) share(from *Sequence, n int) {
	s.Reset()
	whole := n / kernels.KVGroup
	for l := range s.cache {
		c, f := &s.cache[l], &from.cache[l]
		c.share(f, whole)
		if n%kernels.KVGroup > 0 && len(f.groups) > whole {
			c.reach(n, s.floor, s.engine.config.MaxPositions, len(f.groups[whole]))
			copy(c.groups[whole], f.groups[whole])
		}
	}
	s.pos = n
}

// cut makes s end after its first n tokens, a multiple of kernels.KVGroup.
func (s *Sequence) cut(n int) {
	s.pos = n
	for l := range s.cache {
		s.cache[l].cut(n / kernels.KVGroup)
	}
}

// reset prepares a route of a model with that many layers for a new sequence.
func (r *route) reset(layers int) {
	r.skip = slices.Grow(r.skip[:0], layers)[:layers]
	clear(r.skip)
	r.skipFFN = slices.Grow(r.skipFFN[:0], layers)[:layers]
	clear(r.skipFFN)
	r.last, r.exit = layers-1, nil
}
