package measure

import (
	"context"
	"fmt"

	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// reading is a pass over texts as a language model. Row p of a text is the
// distribution after its token p, which foretells token p+1; a text of n tokens
// has n-1 rows.
type reading struct {
	texts     [][]int32
	start     []int // first row of each text
	nll       []float64
	tokens    []int // foretold tokens of each text
	kl, top1  []float64
	compared  bool
	err       error // of a row
	evaluated *evaluation
}

// language reads the items' texts: perplexity, and where compared the distance
// from the reference.
func (e *evaluation) language(ctx context.Context, compared bool) error {
	texts, err := e.texts(ctx, compared)
	if err != nil {
		return err
	}
	n := len(texts)
	r := &reading{
		texts: texts, start: make([]int, n+1), nll: make([]float64, n), tokens: make([]int, n),
		kl: make([]float64, n), top1: make([]float64, n), compared: compared, evaluated: e,
	}
	for i, ids := range texts {
		r.start[i+1] = r.start[i] + len(ids) - 1
	}
	if compared {
		if err := e.openReferences(newHeading(kindToken, r.start[n], e.session.engine.Config().VocabSize, texts)); err != nil {
			return err
		}
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	if e.req.Perplexity {
		e.result.TextNLL, e.result.TextTokens, e.result.Perplexity = r.nll, r.tokens, perplexity(r.nll, r.tokens)
	}
	if compared && e.reading != nil {
		for i, n := range r.tokens {
			e.result.ItemKL = append(e.result.ItemKL, r.kl[i]/float64(n))
			e.itemTop1 = append(e.itemTop1, r.top1[i]/float64(n))
		}
	}
	return nil
}

// texts returns the token sequences to read: a begin token, if the vocabulary
// has one, and the text, without an end token, which foreign models give a
// probability of their own. Texts that foretell nothing are left out. A
// reference of them must not outgrow maxReference.
func (e *evaluation) texts(ctx context.Context, compared bool) ([][]int32, error) {
	items := e.items
	if n := e.req.PerplexityItems; n > 0 && n < len(items) {
		// Evenly over the file, which may be sorted by class.
		items = make([]wire.Item, n)
		for i := range items {
			items[i] = e.items[i*len(e.items)/n]
		}
	}
	config := e.session.engine.Config()
	room := maxReference / (4 * int64(config.VocabSize))
	var out [][]int32
	for i := range items {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, wire.Wrap(wire.Canceled, fmt.Errorf("tokenizing: %w", ctx.Err()))
		}
		ids := e.session.encode(items[i].Text, config.MaxPositions)
		if len(ids) < 2 {
			continue
		}
		if room -= int64(len(ids) - 1); compared && room < 0 {
			break
		}
		out = append(out, ids)
	}
	if len(out) == 0 {
		return nil, &wire.Error{
			Kind: wire.Harness, Text: "no text has a token to foretell after its first", Mend: "use longer texts",
		}
	}
	return out, nil
}

// run reads the texts, a batch at a time.
func (r *reading) run(ctx context.Context) error {
	e := r.evaluated
	eng := e.session.engine
	steps := make([]engine.Step, min(e.req.Batch, len(r.texts)))
	for i := range steps {
		steps[i] = engine.Step{Seq: eng.NewSequence(), All: true}
	}
	for from := 0; from < len(r.texts); from += len(steps) {
		e.progress("perplexity", from, len(r.texts))
		batch := steps[:min(len(steps), len(r.texts)-from)]
		for i := range batch {
			ids := r.texts[from+i]
			batch[i].Seq.Reset()
			batch[i].Tokens = ids[:len(ids)-1]
		}
		before := eng.Stats()
		err := eng.Forward(ctx, batch, e.req.Threshold, func(step, pos int, logits []float32) {
			if r.err == nil {
				r.err = r.row(from+step, pos, logits)
			}
		})
		if err == nil {
			err = r.err
		}
		if err != nil {
			return err
		}
		e.counts.add(since(before, eng.Stats()), len(batch))
	}
	return nil
}

// row takes the logits after token pos of a text.
func (r *reading) row(text, pos int, logits []float32) error {
	if !finite(logits) {
		return notFinite(text)
	}
	r.nll[text] += logSum(logits) - float64(logits[r.texts[text][pos+1]])
	r.tokens[text]++
	if !r.compared {
		return nil
	}
	d, err := r.evaluated.compare(r.start[text]+pos, logits)
	r.kl[text] += d.kl
	r.top1[text] += d.top1
	return err
}
