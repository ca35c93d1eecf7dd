package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/datasets/score"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// Options say where and how long a run goes; they do not change what it makes,
// except TimeLimit.
type Options struct {
	OutDir string
	Resume bool // continue from OutDir's checkpoint
	Seed   uint64
	// TimeLimit bounds the whole run, all sittings and the final evaluation
	// included: where it is too short for the recipe's epochs, every phase of
	// the schedule shrinks in proportion. 0 = none.
	TimeLimit       time.Duration
	CheckpointEvery time.Duration // 0 = 5 minutes
	Workers         int           // 0 = GOMAXPROCS; the result is the same
	Progress        func(Progress)
}

// Progress is reported about once a second and after every evaluation.
type Progress struct {
	Phase           string  // "vocabulary", "language model", "classifier", "test"
	Epoch           float64 // done so far
	Epochs          int
	Step, Steps     int // Steps is of the full recipe; a time limit may end it before
	Loss, LMLoss    float64
	ValF1           float64 // macro-F1 of the last evaluation, −1 = none yet
	TokensPerSecond float64
	Elapsed, ETA    time.Duration
}

// Result is what a finished run made.
type Result struct {
	Dir             string
	Parameters      int
	Vocab           int
	Epochs          float64 // fewer than the recipe's if the time limit shortened it
	Shortened       bool
	Steps           int
	Tokens          int64
	Duration        time.Duration // of training, all sittings
	TokensPerSecond float64
	Val, Test       *score.Confusion // of the saved weights; nil without the split
	Perplexity      float64          // of the test split, or of val
}

// ErrInterrupted is returned when the context ended; the checkpoint is saved.
var ErrInterrupted = errors.New("training interrupted, --resume continues it")

// timeReserve is the share of a time limit kept for vocabulary, final
// evaluation and saving.
const timeReserve = .06

// Run trains a model on the train split of set and writes it to o.OutDir as a
// model folder with tokenizer.json and a model card. The validation split is
// only watched, the test split is read once at the end.
func Run(ctx context.Context, set *loader.Set, recipe Recipe, o Options) (Result, error) {
	if err := recipe.Validate(); err != nil {
		return Result{}, err
	}
	if err := checkSet(set); err != nil {
		return Result{}, err
	}
	path := checkpointPath(o.OutDir)
	if err := checkStart(path, o.Resume); err != nil {
		return Result{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return Result{}, fmt.Errorf("preparing %s: %w", o.OutDir, err)
	}
	report := o.Progress
	if report == nil {
		report = func(Progress) {}
	}
	report(Progress{Phase: "vocabulary", Epochs: recipe.Epochs, ValF1: -1})
	tok, err := trainVocabulary(ctx, set, recipe)
	if err != nil {
		return Result{}, err
	}
	encode := func(text string) []int32 { return tok.Sequence(text, recipe.MaxTokens) }
	c := encodeSet(set, encode, recipe.Holdout, o.Seed)

	perEpoch := batchCount(len(c.train), recipe.Batch, recipe.Bucket)
	sched := schedule{recipe: recipe, steps: perEpoch * recipe.Epochs}
	if o.TimeLimit > 0 {
		sched.limit = time.Duration(float64(o.TimeLimit) * (1 - timeReserve))
	}
	t := newTrainer(recipe.shape(tok.VocabSize(), len(set.Labels)), recipe, o.Seed, blankID, sched)
	t.workers = o.Workers
	if o.Resume {
		if err := t.load(path, set.Hash); err != nil {
			return Result{}, err
		}
	}
	s := sitting{trainer: t, corpus: c, tok: tok, perEpoch: perEpoch, path: path, data: set.Hash, every: o.CheckpointEvery, report: report}
	if err := s.run(ctx); err != nil {
		return Result{}, err
	}
	// What follows may fail for want of space: training is kept until it is saved.
	if err := t.save(path, set.Hash); err != nil {
		return Result{}, err
	}
	s.tell("test")
	res, err := finish(t, c, set, tok, float64(t.Step)/float64(perEpoch), o)
	if err != nil {
		return Result{}, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return res, fmt.Errorf("removing the checkpoint of the finished run: %w", err)
	}
	return res, nil
}

// checkStart keeps a forgotten flag from costing an hour of training.
func checkStart(path string, resume bool) error {
	_, err := os.Stat(path)
	switch {
	case resume && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("nothing to resume: there is no checkpoint %s; run without --resume", path)
	case !resume && err == nil:
		return fmt.Errorf("checkpoint %s holds an unfinished run: continue it with --resume, or remove it", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("looking for a checkpoint: %w", err)
	}
	return nil
}

// sitting is one stretch of training, up to the end, an error or a cancel.
type sitting struct {
	*trainer
	corpus
	tok      *tokenizer.Tokenizer
	perEpoch int
	path     string
	data     string
	every    time.Duration
	report   func(Progress)

	before      time.Duration // elapsed in earlier sittings
	began       time.Time
	firstTokens int64
}

func (s *sitting) run(ctx context.Context) error {
	s.began, s.before, s.firstTokens = time.Now(), s.Elapsed, s.Tokens
	if s.every <= 0 {
		s.every = 5 * time.Minute
	}
	saved, told := time.Now(), time.Time{}
	var order [][]int
	for {
		s.Elapsed = s.before + time.Since(s.began)
		p := s.schedule.progress(s.Step, s.Elapsed)
		if p >= 1 {
			return nil
		}
		if ctx.Err() != nil {
			if err := s.save(s.path, s.data); err != nil {
				return err
			}
			return fmt.Errorf("%w (%w)", ErrInterrupted, context.Cause(ctx))
		}
		epoch, at := s.Step/s.perEpoch, s.Step%s.perEpoch
		if at == 0 || order == nil {
			s.resample(s.tok, s.recipe, s.seed, epoch)
			order = epochOrder(s.train, s.recipe.Batch, s.recipe.Bucket, s.seed, epoch)
		}
		if err := s.step(s.train, order[at], p); err != nil {
			return err
		}
		if s.Step%(s.perEpoch*s.recipe.EvalEvery) == 0 && len(s.val) > 0 && !s.schedule.languageOnly(p) {
			confusion, _, err := s.evaluate(s.averaged(), s.val, false)
			if err != nil {
				return err
			}
			s.ValF1, told = confusion.MacroF1(), time.Time{}
		}
		if time.Since(saved) > s.every {
			if err := s.save(s.path, s.data); err != nil {
				return err
			}
			saved = time.Now()
		}
		if time.Since(told) > time.Second {
			phase := "classifier"
			if s.schedule.languageOnly(p) {
				phase = "language model"
			}
			s.tell(phase)
			told = time.Now()
		}
	}
}

// tell reports where the run is.
func (s *sitting) tell(phase string) {
	now := time.Since(s.began)
	p := s.schedule.progress(s.Step, s.before+now)
	out := Progress{
		Phase: phase, Epoch: float64(s.Step) / float64(s.perEpoch), Epochs: s.recipe.Epochs, Step: s.Step, Steps: s.schedule.steps,
		Loss: s.Class, LMLoss: s.LM, ValF1: s.ValF1, Elapsed: s.before + now,
		TokensPerSecond: float64(s.Tokens-s.firstTokens) / now.Seconds(),
	}
	if p > 0 {
		out.ETA = time.Duration(float64(out.Elapsed) * (1 - p) / p)
	}
	s.report(out)
}

// finish rounds the weights as they will be stored, scores those, and writes
// the model folder.
func finish(t *trainer, c corpus, set *loader.Set, tok *tokenizer.Tokenizer, epochs float64, o Options) (Result, error) {
	flat := roundWeights(t.shape, t.averaged())
	res := Result{
		Dir: o.OutDir, Parameters: len(flat), Vocab: t.vocab, Epochs: epochs, Shortened: t.Step < t.schedule.steps,
		Steps: t.Step, Tokens: t.Tokens, Duration: t.Elapsed, TokensPerSecond: float64(t.Tokens) / t.Elapsed.Seconds(),
	}
	var err error
	if len(c.val) > 0 {
		if res.Val, res.Perplexity, err = t.evaluate(flat, c.val, true); err != nil {
			return res, err
		}
	}
	if len(c.test) > 0 {
		if res.Test, res.Perplexity, err = t.evaluate(flat, c.test, true); err != nil {
			return res, err
		}
	}
	recipe, err := json.Marshal(trained{Recipe: t.recipe, Seed: t.seed, Data: set.Name, DataSHA256: set.Hash, Epochs: res.Epochs})
	if err != nil {
		return res, fmt.Errorf("describing the run: %w", err)
	}
	m, err := export(t.shape, flat, slices.Clone(set.Labels), special{tok.BOS(), tok.EOS(), blankID}, max(positions, t.recipe.MaxTokens), recipe)
	if err != nil {
		return res, err
	}
	vocabulary, err := json.Marshal(tok)
	if err != nil {
		return res, fmt.Errorf("writing the vocabulary: %w", err)
	}
	return res, m.SaveWith(o.OutDir, map[string][]byte{
		tokenizerName: vocabulary, "README.md": []byte(card(set, t.recipe, t.seed, res, floor(set))),
	})
}

// positions is the context length the model claims; training texts are shorter
// and rotary positions need no table of their own.
const positions = 2048

// trained is the recipe as the model's config keeps it.
type trained struct {
	Recipe     Recipe  `json:"train"`
	Seed       uint64  `json:"seed"`
	Data       string  `json:"dataset"`
	DataSHA256 string  `json:"dataset_sha256,omitempty"`
	Epochs     float64 `json:"epochs_done"`
}

// DatasetOf is the name of the data set that a model of this package says it
// was trained on; empty for others.
func DatasetOf(m *model.Model) string {
	var t trained
	if m.Config.Harness == nil || json.Unmarshal(m.Config.Harness.Recipe, &t) != nil {
		return ""
	}
	return t.Data
}
