package engine

import (
	"context"
	"fmt"
)

// Classify reads each token sequence of the batch and writes its class logits,
// taken from the last token, to logits[i*Classes():]. The returned counts are
// those of this call. Threshold 0 runs without routing.
func (e *Engine) Classify(ctx context.Context, batch [][]int32, threshold float64, logits []float32) (Stats, error) {
	if err := checkThreshold(threshold); err != nil {
		return Stats{}, fmt.Errorf("classifying: %w", err)
	}
	if e.classifier.weight == nil {
		return Stats{}, fmt.Errorf("classifying: %w", errNoClassifier)
	}
	e.pass.threshold, e.pass.plan, e.pass.see = threshold, nil, nil
	return e.classify(ctx, batch, logits)
}

// Observation is the state of one piece of a sequence around one layer. Slices
// are valid during the call that passes it.
type Observation struct {
	Seq, Layer int
	Pos        int  // of the piece's first token; gates look at the piece at 0
	Final      bool // the piece ends the sequence

	Attention []float32 // what an attention gate at Layer would see; nil if the layer has no attention block
	Exit      []float32 // what an exit gate after Layer would see
	Last      []float32 // RMSNorm of the last token's hidden state after Layer: what an Exit matrix reads
	Hidden    []float32 // hidden states after Layer, [tokens][hidden]
}

// Observe classifies like Classify with the routing that plan forces, the
// model's own gates left out: the effect of a skipped attention block or of an
// early end is what logits show against those of the zero Plan. If see is set it
// is called for every sequence and layer that runs, in layer order. logits may
// be nil, and is required to be for a model without a classifier. Class logits
// of a shortened run come from the Exit matrix of a gate at that layer, else
// from the classifier.
func (e *Engine) Observe(ctx context.Context, batch [][]int32, plan Plan, logits []float32, see func(Observation)) (Stats, error) {
	if err := plan.check(e); err != nil {
		return Stats{}, fmt.Errorf("observing: %w", err)
	}
	if e.classifier.weight == nil && logits != nil {
		return Stats{}, fmt.Errorf("observing: %w", errNoClassifier)
	}
	e.pass.threshold, e.pass.plan, e.pass.see = 0, &plan, see
	defer func() { e.pass.plan, e.pass.see = nil, nil }()
	return e.classify(ctx, batch, logits)
}

func (e *Engine) classify(ctx context.Context, batch [][]int32, logits []float32) (Stats, error) {
	if want := len(batch) * e.Classes(); logits != nil && len(logits) != want {
		return Stats{}, fmt.Errorf("classifying: %d logits where %d sequences of %d classes need %d", len(logits), len(batch), e.Classes(), want)
	}
	for i, tokens := range batch {
		if err := e.check(i, tokens, 0); err != nil {
			return Stats{}, fmt.Errorf("classifying: %w", err)
		}
	}
	e.ReadStats(&e.before)
	shared, err := e.sharePrefix(ctx, batch)
	if err != nil {
		return Stats{}, fmt.Errorf("classifying: %w", err)
	}
	e.requests = e.requests[:0]
	for i, tokens := range batch {
		if i == len(e.scratch) {
			e.scratch = append(e.scratch, e.NewSequence())
		}
		s := e.scratch[i]
		s.Reset()
		if shared > 0 {
			s.share(e.prefix.seq, shared)
			e.stats.Tokens += shared
			e.stats.DenseMAC += e.denseMACs(0, shared, 0, true)
		}
		e.requests = append(e.requests, request{seq: s, tokens: tokens[shared:], keep: shared > 0 || len(tokens) > min(e.options.Chunk, passRows)})
	}
	e.labels.logits = logits
	err = e.run(ctx, &e.labels)
	e.labels.logits = nil
	e.clearRequests()
	if err != nil {
		return Stats{}, fmt.Errorf("classifying: %w", err)
	}
	return e.Stats().since(e.before), nil
}

// lookBefore notes what attention gates at layer l would see.
func (e *Engine) lookBefore(l int) {
	p, hidden := &e.pass, e.config.HiddenSize
	if e.layers[l].q == nil {
		return
	}
	p.features = grow(p.features, len(p.segments)*hidden)
	for i := range p.segments {
		if s := &p.segments[i]; !s.done {
			e.meanNormed(row(p.features, i, hidden), s.row, len(s.tokens), e.layers[l].attnNorm)
		}
	}
}

// lookAfter shows the sequences that ran layer l.
func (e *Engine) lookAfter(l int) {
	p, hidden := &e.pass, e.config.HiddenSize
	for i := range p.segments {
		s := &p.segments[i]
		if s.done {
			continue
		}
		n := len(s.tokens)
		q := &e.requests[s.request]
		o := Observation{
			Seq: s.request, Layer: l, Pos: s.pos, Final: s.pos+n == len(q.tokens),
			Hidden: p.h[s.row*hidden:][:n*hidden],
			Exit:   e.meanNormed(p.feature, s.row, n, e.norm),
			Last:   p.line, // meanNormed ends with the last token
		}
		if e.layers[l].q != nil {
			o.Attention = row(p.features, i, hidden)
		}
		p.see(o)
	}
}
