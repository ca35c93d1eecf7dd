package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-c6f48606/harness/kernels"
)

// Step is what a sequence reads in one call of Forward: a prompt, a part of
// one, or the one token decoded last.
type Step struct {
	Seq    *Sequence
	Tokens []int32
	All    bool // logits after every token, else after the last only
}

// origin says which token of a call a row of logits belongs to.
type origin struct{ step, pos int32 }

// logitBuffer bounds the logits computed at a time, in values.
const logitBuffer = 4 << 20

// Forward reads the steps' tokens and calls out with the logits over the
// vocabulary that follow them: step is the index in steps, pos the position in
// the sequence, logits are valid during the call. Positions of a step come in
// order; steps may interleave. threshold routes sequences in their first piece
// (see the package comment) and is ignored for the others.
//
// On an error nothing has changed if the input was at fault. If ctx was
// cancelled, pieces already finished stay part of their sequences. Once buffers
// have grown, a call allocates nothing.
func (e *Engine) Forward(ctx context.Context, steps []Step, threshold float64, out func(step, pos int, logits []float32)) error {
	if err := e.beginSteps(steps, threshold); err != nil {
		return fmt.Errorf("running the model: %w", err)
	}
	if err := e.packHead(); err != nil {
		return fmt.Errorf("running the model: %w", err)
	}
	e.pass.threshold, e.pass.plan, e.pass.see = threshold, nil, nil
	e.output.out = out
	err := e.run(ctx, &e.output)
	e.output.out = nil
	e.clearRequests()
	if err != nil {
		return fmt.Errorf("running the model: %w", err)
	}
	return nil
}

func (e *Engine) beginSteps(steps []Step, threshold float64) error {
	if err := checkThreshold(threshold); err != nil {
		return err
	}
	defer func() {
		for i := range steps {
			if s := steps[i].Seq; s != nil {
				s.busy = false
			}
		}
	}()
	e.requests = e.requests[:0]
	for i := range steps {
		s := &steps[i]
		if s.Seq == nil || s.Seq.engine != e {
			return fmt.Errorf("step %d: its sequence was not made by this engine's NewSequence", i)
		}
		if s.Seq.busy {
			return fmt.Errorf("step %d: its sequence is in this call twice: join the tokens", i)
		}
		s.Seq.busy = true
		if err := e.check(i, s.Tokens, s.Seq.pos); err != nil {
			return err
		}
		e.requests = append(e.requests, request{seq: s.Seq, tokens: s.Tokens, all: s.All, keep: true})
	}
	return nil
}

// clearRequests lets go of what belongs to the caller.
func (e *Engine) clearRequests() {
	clear(e.requests)
	clear(e.pass.segments)
	clear(e.pass.attention.members)
	e.requests, e.pass.segments = e.requests[:0], e.pass.segments[:0]
}

// vocabulary computes logits over the vocabulary for wanted tokens.
type vocabulary struct {
	out func(step, pos int, logits []float32)
}

func (v *vocabulary) emit(e *Engine) {
	p, vocab := &e.pass, e.head.Rows()
	p.write, p.origin = p.write[:0], p.origin[:0]
	for i := range p.segments {
		s := &p.segments[i]
		n := len(s.tokens)
		for t := n - s.want; t < n; t++ {
			p.write = append(p.write, int32(s.row+t))
			p.origin = append(p.origin, origin{int32(s.request), int32(s.pos + t)})
		}
	}
	e.stats.DenseMAC += uint64(len(p.write)) * e.head.MACs()
	block := max(8, logitBuffer/vocab)
	for from := 0; from < len(p.write); from += block {
		n := min(block, len(p.write)-from)
		p.logits = grow(p.logits, n*vocab)
		e.normRows(&p.in, p.write[from:][:n], e.norm, e.head.reads())
		e.multiply(product{e.head, &p.in, p.logits, vocab, false})
		for i, o := range p.origin[from:][:n] {
			v.out(int(o.step), int(o.pos), row(p.logits, i, vocab))
		}
	}
}

// errNoClassifier says that a model only predicts tokens.
var errNoClassifier = errors.New("the model has no classifier: train one, or ask for logits over the vocabulary")

// labels computes class logits for the last tokens of finished requests.
type labels struct {
	logits []float32 // [requests][classes]
}

func (c *labels) emit(e *Engine) {
	if c.logits == nil {
		return
	}
	c.read(e, nil, e.classifier)
	for i := range e.layers {
		if g := e.layers[i].exit; g != nil {
			c.read(e, g, g.classifier)
		}
	}
}

// read applies head to the sequences that left the layers at the given exit.
func (c *labels) read(e *Engine, exit *gate, head classifier) {
	p := &e.pass
	p.write, p.origin = p.write[:0], p.origin[:0]
	for i := range p.segments {
		s := &p.segments[i]
		if s.want == 0 || s.seq.route.exit != exit {
			continue
		}
		p.write = append(p.write, int32(s.row+len(s.tokens)-1))
		p.origin = append(p.origin, origin{step: int32(s.request)})
	}
	n, classes := len(p.write), head.weight.Rows()
	if n == 0 {
		return
	}
	e.stats.DenseMAC += uint64(n) * e.classifier.weight.MACs()
	p.logits = grow(p.logits, n*classes)
	e.normRows(&p.in, p.write, e.norm, head.weight.reads())
	e.multiply(product{head.weight, &p.in, p.logits, classes, false})
	for i, o := range p.origin {
		dst := row(c.logits, int(o.step), classes)
		copy(dst, row(p.logits, i, classes))
		if head.bias != nil {
			kernels.Axpy(1, head.bias, dst)
		}
	}
}
