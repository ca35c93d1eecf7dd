package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// evaluation is one quality request in progress.
type evaluation struct {
	session  *Session
	req      wire.Evaluate
	progress Progress
	items    []wire.Item
	reading  *reference // what to compare with; nil = nothing
	writing  *reference // what is being written; nil = nothing
	counts   counts
	itemTop1 []float64
	result   wire.EvalResult
}

// Evaluate measures the quality of the model on labelled items. Errors are
// *wire.Error.
func (s *Session) Evaluate(ctx context.Context, req wire.Evaluate, progress Progress) (wire.EvalResult, error) {
	began := time.Now()
	e := &evaluation{session: s, req: req, progress: progress}
	if err := e.run(ctx); err != nil {
		return wire.EvalResult{}, wire.Wrap(wire.Target, fmt.Errorf("evaluating: %w", err))
	}
	r := &e.result
	r.SkipRate, r.DenseMAC, r.ExecutedMAC = e.counts.skipRate(), e.counts.dense, e.counts.executed
	r.Items, r.Tokens = e.counts.items, e.counts.tokens
	r.ElapsedS = time.Since(began).Seconds()
	return *r, nil
}

func (e *evaluation) run(ctx context.Context) error {
	defer e.closeReferences()
	if err := checkRequest(e.req.Batch, e.req.Threshold); err != nil {
		return err
	}
	if e.req.PerplexityItems < 0 {
		return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("perplexity of %d items: use 0 for all", e.req.PerplexityItems)}
	}
	compared := e.req.Reference != "" || e.req.ReferenceOut != ""
	if e.session.engine.Classes() == 0 && !e.req.Perplexity && !compared {
		return &wire.Error{
			Kind: wire.Harness, Text: "the model has no classifier, so there is nothing to evaluate",
			Mend: "ask for perplexity, or train a classifier",
		}
	}
	var err error
	if e.items, err = readItems(e.req.Items); err != nil {
		return err
	}
	if e.session.engine.Classes() == 0 {
		err = e.language(ctx, compared)
	} else {
		err = e.classify(ctx)
		if err == nil && e.req.Perplexity {
			counts := e.counts // the figures of routing are the classifier's
			err = e.language(ctx, false)
			e.counts = counts
		}
	}
	if err != nil {
		return err
	}
	if len(e.result.ItemKL) > 0 {
		e.result.KL, e.result.Top1 = mean(e.result.ItemKL), mean(e.itemTop1)
	}
	if e.writing != nil {
		return e.writing.commit()
	}
	return nil
}

// classify predicts every item's class.
func (e *evaluation) classify(ctx context.Context) error {
	s := e.session
	all, err := s.tokenize(ctx, e.items)
	if err != nil {
		return err
	}
	if err := e.truth(); err != nil {
		return err
	}
	classes := s.engine.Classes()
	if err := e.openReferences(newHeading(kindClass, len(all), classes, all)); err != nil {
		return err
	}
	e.result.Predictions = make([]int, len(all))
	logits := make([]float32, min(e.req.Batch, len(all))*classes)
	for from := 0; from < len(all); from += e.req.Batch {
		e.progress("evaluate", from, len(all))
		batch := all[from:min(from+e.req.Batch, len(all))]
		out := logits[:len(batch)*classes]
		st, err := s.engine.Classify(ctx, batch, e.req.Threshold, out)
		if err != nil {
			return err
		}
		e.counts.add(st, len(batch))
		for i := range batch {
			if err := e.predict(from+i, out[i*classes:][:classes]); err != nil {
				return err
			}
		}
	}
	return nil
}

// predict takes an item's class logits.
func (e *evaluation) predict(item int, logits []float32) error {
	if !finite(logits) {
		return notFinite(item)
	}
	e.result.Predictions[item] = best(logits)
	d, err := e.compare(item, logits)
	if err == nil && e.reading != nil {
		e.result.ItemKL, e.itemTop1 = append(e.result.ItemKL, d.kl), append(e.itemTop1, d.top1)
	}
	return err
}

// truth numbers the items' labels.
func (e *evaluation) truth() error {
	e.result.Labels = e.session.loaded.Labels
	number := map[string]int{}
	for i, l := range e.result.Labels {
		number[l] = i
	}
	number[""] = -1 // an item without a label
	e.result.Truth = make([]int, len(e.items))
	for i, it := range e.items {
		n, ok := number[it.Label]
		if !ok {
			return &wire.Error{
				Kind: wire.Harness, Text: fmt.Sprintf("item %d has the label %.60q, which is no class of the model", i, it.Label),
				Mend: "use the data set that the model was trained on",
			}
		}
		e.result.Truth[i] = n
	}
	return nil
}

func notFinite(item int) error {
	return fmt.Errorf("item %d: the model gives logits that are not finite: its weights are broken", item)
}
