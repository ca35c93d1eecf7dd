package sweep

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Examination is the quality of one variant on one split, beside the dense f32
// model and the bag-of-words floor on the same items.
type Examination struct {
	Source  *Source
	Items   []loader.Item
	Result  wire.EvalResult
	Quality Assessment
	// Against is the paired test against the dense f32 model; nil without labels
	// or a classifier.
	Against *page.Comparison
	// Floor is nil on the train split, which the floor is trained on, and where
	// the data set has one class only.
	Floor *page.Baseline
}

// Examine builds the plan's one artefact, evaluates it on a split at the plan's
// threshold and batch, and compares it with its parent in f32.
func Examine(ctx context.Context, cache Cache, launch Launch, p Plan, split loader.Split, tell Progress) (*Examination, error) {
	cells := p.Cells()
	if len(cells) != 1 {
		return nil, fmt.Errorf("evaluating %d variants at once: name one value an axis, or use harness sweep", len(cells))
	}
	axes := cells[0]
	source, err := prepare(ctx, cache, &p, split)
	if err != nil {
		return nil, err
	}
	x := &Examination{Source: source}
	if x.Items, err = source.Set.Items(split); err != nil {
		return nil, err
	}
	tell.Stage("evaluation", 3)
	artefact, _, err := NewBuilder(source).Build(ctx, p.Recipe(axes), nil)
	if err != nil {
		return nil, err
	}
	tell.Step(1, "artefact")
	work, err := os.MkdirTemp("", "harness-reference-*")
	if err != nil {
		return nil, fmt.Errorf("preparing the reference: %w", err)
	}
	defer os.RemoveAll(work)
	reference := filepath.Join(work, "reference")

	runner, err := launch.Start(ctx)
	if err != nil {
		return nil, err
	}
	ask := func(path string, exact bool, req wire.Evaluate) (wire.EvalResult, error) {
		if _, err := runner.Load(ctx, wire.Load{Model: path, Threads: axes.Threads, Exact: exact}, nil); err != nil {
			return wire.EvalResult{}, err
		}
		req.Items, req.Perplexity = source.Items, true
		return runner.Evaluate(ctx, req, nil)
	}
	dense, err := ask(source.Path, true, wire.Evaluate{Batch: 1, ReferenceOut: reference})
	if err == nil {
		tell.Step(1, "dense f32")
		x.Result, err = ask(artefact.Path, false, wire.Evaluate{Batch: axes.Batch, Threshold: axes.Threshold, Reference: reference})
	}
	if err != nil {
		return nil, runner.Fail(fmt.Errorf("evaluating %s: %w", p.Model, err))
	}
	runner.Stop()
	tell.Step(1, "")
	x.Quality = Assess(x.Result, &dense, p.Seed)
	if c, ok := Compare(axes.Variant(), dense, x.Result, p.Seed); ok {
		x.Against = &c
	}
	if split != loader.Train {
		if floor, err := Floor(source.Set, x.Items); err != nil {
			tell.Note(store.Warning, err.Error())
		} else {
			x.Floor = baseline(&floor, p.Seed)
		}
	}
	return x, nil
}
