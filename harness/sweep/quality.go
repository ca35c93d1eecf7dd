package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// qualityLimit bounds one evaluation, perplexityItems the texts whose
// perplexity is read.
const (
	qualityLimit    = time.Hour
	perplexityItems = 256
)

// subject is what one runner process evaluates: a model at some thresholds.
type subject struct {
	name       string // an artefact's key or store.Reference
	path       string
	exact      bool
	thresholds []float64
}

// evaluate asks the quality of every artefact and threshold that the store does
// not have yet. Evaluations are not timed, so one runs on every core.
func (r *run) evaluate(ctx context.Context) error {
	have, err := r.store.Qualities(ctx, r.lease.Run())
	if err != nil {
		return err
	}
	todo, total := r.missing(have)
	r.progress.Stage("quality", total)
	if len(todo) == 0 {
		return nil
	}
	work, err := os.MkdirTemp("", "harness-reference-*")
	if err != nil {
		return fmt.Errorf("preparing the reference: %w", err)
	}
	defer os.RemoveAll(work)
	reference := filepath.Join(work, "reference")

	// The reference comes first: the others are compared with what it writes.
	ref := subject{name: store.Reference, path: r.source.Path, exact: true, thresholds: []float64{0}}
	if err := r.evaluateOne(ctx, ref, wire.Evaluate{ReferenceOut: reference}, r.plan.cores()); err != nil {
		return err
	}
	jobs := make(chan subject, len(todo))
	for _, s := range todo {
		if s.name != store.Reference {
			jobs <- s
		}
	}
	close(jobs)
	workers := min(r.plan.cores(), len(jobs))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, workers)
	for range workers {
		go func() {
			for s := range jobs {
				if r.stopping() {
					break
				}
				if err := r.evaluateOne(ctx, s, wire.Evaluate{Reference: reference}, 1); err != nil {
					failed <- err // before the others fail by the cancel
					cancel()
					return
				}
			}
			failed <- nil
		}()
	}
	var first error
	for range workers {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// missing lists what is still to be evaluated, and how many results that are.
func (r *run) missing(have []store.Quality) (todo []subject, total int) {
	known := func(name string, threshold float64) bool {
		return slices.ContainsFunc(have, func(q store.Quality) bool { return q.Subject == name && q.Threshold == threshold })
	}
	at := map[string]int{}
	for _, c := range r.cells {
		if known(c.artefact.Key, c.axes.Threshold) {
			continue
		}
		i, ok := at[c.artefact.Key]
		if !ok {
			i = len(todo)
			at[c.artefact.Key] = i
			todo = append(todo, subject{name: c.artefact.Key, path: c.artefact.Path})
		}
		if !slices.Contains(todo[i].thresholds, c.axes.Threshold) {
			todo[i].thresholds = append(todo[i].thresholds, c.axes.Threshold)
			total++
		}
	}
	if len(todo) > 0 || !known(store.Reference, 0) {
		todo = append(todo, subject{name: store.Reference})
		total++
	}
	return todo, total
}

// evaluateOne runs one runner process over a subject's thresholds.
func (r *run) evaluateOne(ctx context.Context, s subject, req wire.Evaluate, threads int) error {
	return r.withRunner(ctx, wire.Load{Model: s.path, Threads: threads, Exact: s.exact}, func(ctx context.Context, p *Process) error {
		for _, threshold := range s.thresholds {
			req := req
			req.Items, req.Batch, req.Threshold = r.source.Items, 1, threshold
			req.Perplexity, req.PerplexityItems = true, perplexityItems
			result, err := p.Evaluate(ctx, req, nil)
			if err != nil {
				return fmt.Errorf("evaluating %s: %w", s.name, err)
			}
			if err := r.checkBatches(ctx, p, s, threshold, result); err != nil {
				return err
			}
			if err := r.lease.AddQuality(ctx, store.Quality{Subject: s.name, Threshold: threshold, Result: result}); err != nil {
				return err
			}
			r.progress.Step(1, "")
			if r.stopping() {
				return nil
			}
		}
		return nil
	})
}

// checkBatches asserts that another batch gives the same predictions, on a part
// of the items.
func (r *run) checkBatches(ctx context.Context, p *Process, s subject, threshold float64, whole wire.EvalResult) error {
	if len(whole.Predictions) == 0 {
		return nil
	}
	batch := max(checkBatch, slices.Max(r.plan.Batch))
	part, err := p.Evaluate(ctx, wire.Evaluate{Items: r.source.Subset, Batch: batch, Threshold: threshold}, nil)
	if err != nil {
		return fmt.Errorf("evaluating %s at batch %d: %w", s.name, batch, err)
	}
	if len(part.Predictions) != len(r.source.subset) {
		return fmt.Errorf("evaluating %s at batch %d: %d predictions for %d items", s.name, batch, len(part.Predictions), len(r.source.subset))
	}
	for i, at := range r.source.subset {
		if part.Predictions[i] != whole.Predictions[at] {
			return &wire.Error{
				Kind: wire.Harness,
				Text: fmt.Sprintf("the batch changes predictions: artefact %.12s, threshold %g, item %d: class %d at batch 1 and %d at batch %d",
					s.name, threshold, at, whole.Predictions[at], part.Predictions[i], batch),
				Mend: "this is a fault of the engine; please report it with this line",
			}
		}
	}
	return nil
}

// withRunner starts a runner, loads a model and hands it to f. A runner that
// dies under it (out of memory, a stray kill) is started again, up to runnerTries
// times in all.
func (r *run) withRunner(ctx context.Context, load wire.Load, f func(context.Context, *Process) error) error {
	for try := 1; ; try++ {
		err := r.runnerOnce(ctx, load, f)
		if err == nil || ctx.Err() != nil || !died(err) || try == runnerTries {
			return err
		}
		r.note(ctx, store.Warning, "runner-died", fmt.Sprintf("a runner died and was started again: %v", err))
	}
}

const runnerTries = 4

func (r *run) runnerOnce(ctx context.Context, load wire.Load, f func(context.Context, *Process) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, qualityLimit, &wire.Error{
		Kind: wire.Target, Text: fmt.Sprintf("an evaluation was not done within %v", qualityLimit),
	})
	defer cancel()
	p, err := r.launch.Start(ctx)
	if err != nil {
		return err
	}
	if _, err = p.Load(ctx, load, nil); err == nil {
		err = f(ctx, p)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	if err != nil {
		return p.Fail(err)
	}
	p.Stop()
	return nil
}
