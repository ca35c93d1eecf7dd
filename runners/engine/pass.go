package engine

import (
	"context"

	"github.com/seed-c6f48606/harness/kernels"
)

// pass is one run through the layers: pieces of several sequences end to end,
// and the working memory, which is kept from pass to pass.
type pass struct {
	threshold float64
	plan      *Plan // forced routing, nil = gates
	see       func(Observation)
	trim      bool // the last layer is run for wanted tokens only

	segments []segment
	rows     int

	h     []float32 // hidden states, [rows][hidden]
	q     []float32
	k, v  []float32
	up    []float32
	y     []float32 // what is added to h where its rows are not one after the other
	ids   []int32   // tokens of the rows of h
	index []int32   // rows of h that a sub-batch reads
	write []int32   // rows of h that it writes

	feature  []float32 // [hidden]
	line     []float32 // [hidden]
	features []float32 // of Observe, [segments][hidden]

	in         input // normed hidden states of a sub-batch
	trimmed    input // of those rows whose outputs are needed
	inner      input // what the last matrix of a block reads
	job        rowJob
	multiplier multiplier
	glu        gluPart
	attention  attention

	logits []float32
	origin []origin // of the rows of logits
}

// segment is a piece of a sequence in a pass.
type segment struct {
	seq     *Sequence
	request int
	tokens  []int32
	row     int  // of its first token in the pass
	pos     int  // of its first token in the sequence
	want    int  // last tokens whose final hidden states are asked for
	keep    bool // keys and values outlive the pass
	silent  bool // see request
	open    bool // gates are still to be asked
	done    bool // left the pass at an exit
	trim    int  // from this layer on only wanted tokens matter
}

// outputs returns how many last tokens of the piece need layer l's outputs.
func (s *segment) outputs(l int) int {
	if l >= s.trim {
		return s.want
	}
	return len(s.tokens)
}

// runPass takes the segments through the layers. The hidden states of wanted
// tokens are final in p.h afterwards; the sequences stand behind their pieces.
func (e *Engine) runPass(ctx context.Context) error {
	p := &e.pass
	hidden := e.config.HiddenSize
	p.h = grow(p.h, p.rows*hidden)
	p.feature, p.line = grow(p.feature, hidden), grow(p.line, hidden)
	p.ids = p.ids[:0]
	for i := range p.segments {
		s := &p.segments[i]
		e.open(s)
		e.rope.reach(max(s.pos+len(s.tokens), s.seq.floor))
		p.ids = append(p.ids, s.tokens...)
	}
	e.embedRows(p.ids)
	for l := range e.layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.see != nil {
			e.lookBefore(l)
		}
		if e.layers[l].q != nil {
			e.runAttention(l)
		}
		if e.layers[l].gate != nil {
			e.runMLP(l)
		}
		if p.see != nil {
			e.lookAfter(l)
		}
		if !e.leave(l) {
			break
		}
	}
	for i := range p.segments {
		e.commit(&p.segments[i])
	}
	return nil
}

// open settles the route of a new sequence as far as it is known before the
// first layer.
func (e *Engine) open(s *segment) {
	p, r := &e.pass, &s.seq.route
	if !r.decided {
		switch {
		case p.plan != nil:
			r.plan(p.plan, e.layers)
		case p.threshold >= 1:
			r.skipAll(e.layers)
		default:
			r.reset(len(e.layers))
			s.open = p.threshold > 0 && e.gates > 0
		}
	}
	switch {
	case !p.trim:
		s.trim = len(e.layers)
	case s.open:
		s.trim = len(e.layers) - 1
	default:
		s.trim = r.last
	}
}

// commit makes the piece part of its sequence.
func (e *Engine) commit(s *segment) {
	if r := &s.seq.route; !r.decided {
		r.decided = true
		e.countRoute(r)
	}
	if !s.silent {
		e.stats.Tokens += len(s.tokens)
		e.stats.DenseMAC += e.denseMACs(s.pos, len(s.tokens), s.want, e.pass.trim)
	}
	s.seq.pos += len(s.tokens)
}

// leave ends the segments whose last layer was l and reports whether any stay.
func (e *Engine) leave(l int) (some bool) {
	p, exit := &e.pass, e.layers[l].exit
	for i := range p.segments {
		s := &p.segments[i]
		if s.done {
			continue
		}
		r := &s.seq.route
		if s.open && exit != nil {
			n := len(s.tokens)
			e.pool.Count(kernels.Ops{F32MAC: uint64(len(exit.weight))})
			if exit.need(e.meanNormed(p.feature, s.row, n, e.norm)) < p.threshold {
				r.last, r.exit = l, exit
			}
		}
		if s.done = l >= r.last; !s.done {
			some = true
		}
	}
	return some
}

// meanNormed writes the mean over n rows of RMSNorm(h) to dst and returns it.
func (e *Engine) meanNormed(dst []float32, from, n int, gain []float32) []float32 {
	p, hidden := &e.pass, e.config.HiddenSize
	clear(dst)
	for t := range n {
		kernels.RMSNorm(p.line, row(p.h, from+t, hidden), gain, float32(e.config.RMSNormEps))
		kernels.Axpy(1, p.line, dst)
	}
	return divide(dst, n)
}

// mean writes the mean of n rows of x to dst and returns it.
func mean(dst, x []float32, n int) []float32 {
	clear(dst)
	for t := range n {
		kernels.Axpy(1, row(x, t, len(dst)), dst)
	}
	return divide(dst, n)
}

func divide(x []float32, n int) []float32 {
	for i := range x {
		x[i] /= float32(n)
	}
	return x
}
