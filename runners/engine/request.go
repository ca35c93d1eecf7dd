package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-c6f48606/harness/kernels"
)

// Errors of a call's input, matched with errors.Is. The text names the step,
// the value, the limit and the mend.
var (
	ErrEmpty   = errors.New("no tokens")
	ErrToken   = errors.New("token outside the vocabulary")
	ErrContext = errors.New("sequence longer than the model's positions")
)

// request is the tokens of one sequence in a call.
type request struct {
	seq    *Sequence
	tokens []int32
	all    bool // every token's final hidden state is wanted, else the last's
	keep   bool // the sequence goes on after the call
	silent bool // no hidden state is wanted and nothing but executed work counts
	done   int  // tokens already run
}

// check refuses tokens that the model cannot take.
func (e *Engine) check(step int, tokens []int32, pos int) error {
	if len(tokens) == 0 {
		return fmt.Errorf("step %d: %w: give at least one", step, ErrEmpty)
	}
	if limit := e.config.MaxPositions; len(tokens) > limit-pos {
		return fmt.Errorf("step %d: %w: %d tokens on top of %d, the limit is %d: shorten it", step, ErrContext, len(tokens), pos, limit)
	}
	for i, id := range tokens {
		if id < 0 || int(id) >= e.config.VocabSize {
			return fmt.Errorf("step %d: %w: token %d is %d, the vocabulary has %d: check the tokenizer", step, ErrToken, i, id, e.config.VocabSize)
		}
	}
	return nil
}

// passRows bounds the tokens of a pass: more make nothing faster, but working
// memory larger than the caches.
const passRows = 256

// run takes e.requests through as many passes as they need and hands each
// finished pass to emit. A pass has at most one piece of a sequence, or a part
// of one, and at most passRows tokens unless a gate has to see a longer piece.
func (e *Engine) run(ctx context.Context, emit emitter) error {
	before := e.pool.Ops()
	err := e.runPasses(ctx, emit)
	after := e.pool.Ops()
	executed := kernels.Ops{F32MAC: after.F32MAC - before.F32MAC, Int8MAC: after.Int8MAC - before.Int8MAC}
	e.stats.ExecutedMAC += executed.F32MAC + executed.Int8MAC
	e.stats.Int8MAC += executed.Int8MAC
	return err
}

// emitter takes the final hidden states of a pass.
type emitter interface{ emit(e *Engine) }

func (e *Engine) runPasses(ctx context.Context, emit emitter) error {
	e.pass.trim = e.pass.see == nil
	for e.fill() {
		if err := e.runPass(ctx); err != nil {
			return err
		}
		emit.emit(e)
	}
	return nil
}

// looksAtPieces reports whether pieces of s must stay whole.
func (e *Engine) looksAtPieces(s *Sequence) bool {
	return e.pass.see != nil || !s.route.decided && e.pass.threshold > 0 && e.gates > 0
}

// fill makes the next pass of unfinished requests and reports whether there is
// one.
func (e *Engine) fill() bool {
	p := &e.pass
	p.segments, p.rows = p.segments[:0], 0
	for i := range e.requests {
		q := &e.requests[i]
		left := len(q.tokens) - q.done
		if left == 0 {
			continue
		}
		n := min(left, e.options.Chunk)
		if !e.looksAtPieces(q.seq) {
			n = min(n, passRows)
		}
		if p.rows > 0 && p.rows+n > passRows {
			break
		}
		s := segment{
			seq: q.seq, request: i, tokens: q.tokens[q.done:][:n], row: p.rows, pos: q.seq.pos,
			keep: q.keep,
		}
		switch {
		case q.silent:
			s.silent = true
		case q.all:
			s.want = n
		case n == left:
			s.want = 1
		}
		p.segments = append(p.segments, s)
		p.rows += n
		q.done += n
	}
	return len(p.segments) > 0
}
