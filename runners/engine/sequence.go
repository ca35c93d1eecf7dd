package engine

import "slices"

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

// layerCache holds keys and values of one layer, [tokens][KV heads*head dim].
type layerCache struct{ k, v []float32 }

// route is what was decided for a sequence.
type route struct {
	decided bool
	skip    []bool // attention blocks to leave out, by layer
	skipFFN []bool // FFN blocks to leave out, by layer
	last    int    // the last layer to run
	exit    *gate  // the gate that ended it there, if one did
}

// NewSequence returns an empty sequence. Its cache grows with its tokens, by
// doubling, up to the model's greatest number of positions.
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
}

// Reserve makes the cache hold at least n tokens from its next growth on, so
// that decoding up to there allocates nothing more.
func (s *Sequence) Reserve(n int) { s.floor = min(n, s.engine.config.MaxPositions) }

// Bytes returns the memory held by keys and values.
func (s *Sequence) Bytes() int64 {
	var n int64
	for _, c := range s.cache {
		n += 4 * int64(cap(c.k)+cap(c.v))
	}
	return n
}

// store appends the keys and values of n tokens at position pos of a layer, each
// of width values, and returns all of the layer's keys and values up to there.
func (s *Sequence) store(layer, pos, n, width int, k, v []float32) (keys, values []float32) {
	c := &s.cache[layer]
	if need := (pos + n) * width; cap(c.k) < need {
		tokens := max(pos+n, 2*pos, 64, s.floor)
		tokens = min(tokens, max(pos+n, s.engine.config.MaxPositions))
		c.k = enlarge(c.k[:pos*width], tokens*width)
		c.v = enlarge(c.v[:pos*width], tokens*width)
	}
	c.k = append(c.k[:pos*width], k[:n*width]...)
	c.v = append(c.v[:pos*width], v[:n*width]...)
	return c.k, c.v
}

// enlarge copies s to memory of exactly n values.
func enlarge(s []float32, n int) []float32 { return append(make([]float32, 0, n), s...) }

// reset prepares a route of a model with that many layers for a new sequence.
func (r *route) reset(layers int) {
	r.skip = slices.Grow(r.skip[:0], layers)[:layers]
	clear(r.skip)
	r.skipFFN = slices.Grow(r.skipFFN[:0], layers)[:layers]
	clear(r.skipFFN)
	r.last, r.exit = layers-1, nil
}
