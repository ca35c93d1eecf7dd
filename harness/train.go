package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/datasets/score"
	"github.com/seed-c6f48606/harness/runners/train"
)

// trainFlags are the flags of harness train.
type trainFlags struct {
	data      dataFlags
	recipe    string
	overwrite bool
	options   train.Options
}

func (a *app) trainCommand() *cobra.Command {
	f := &trainFlags{}
	o := &f.options
	c := &cobra.Command{
		Use:   "train --dataset D --out DIR",
		Short: "Train a small classifier from labelled text",
		Long: `Trains a classifier of the ERNIE-4.5 architecture from scratch: a byte-pair
vocabulary, a language-model warm-up, then the classes, read from the last token.
The test split is scored once at the end. The folder that comes out is what
--model takes everywhere.

Ctrl-C saves a checkpoint; --resume goes on. The result depends on data, recipe
and seed, not on the number of cores (a time limit shortens the schedule).`,
		Example: `  harness train --dataset builtin --out my-model
  harness train --dataset clinc150 --out clinc --time-limit 60m
  harness train --dataset csv:mine.csv --test-file test.csv --label-column intent --out mine
  harness train --dataset clinc150 --out clinc --resume`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.train(c.Context(), f) },
	}
	f.data.add(c, "")
	flags := c.Flags()
	flags.StringVar(&o.OutDir, "out", "", "folder of the model to write")
	flags.StringVar(&f.recipe, "recipe", "nano", "recipe: "+strings.Join(train.Recipes(), ", ")+", or a YAML file of its keys")
	flags.DurationVar(&o.TimeLimit, "time-limit", 0, "bound on the whole run, such as 60m; a short one shortens the schedule (default none)")
	flags.Uint64Var(&o.Seed, "seed", 1, "initial weights, order and dropout")
	flags.IntVar(&o.Workers, "threads", 0, "worker threads; the result is the same (default every core)")
	flags.BoolVar(&o.Resume, "resume", false, "go on from the checkpoint in --out")
	flags.BoolVar(&f.overwrite, "overwrite", false, "replace a model that is in --out already")
	// The flags exist, so this cannot fail.
	_, _ = c.MarkFlagRequired("dataset"), c.MarkFlagRequired("out")
	complete(c, "recipe", train.Recipes()...)
	return c
}

func (a *app) train(ctx context.Context, f *trainFlags) error {
	o := f.options
	if o.TimeLimit < 0 {
		return fmt.Errorf("--time-limit %v: must be longer than 0", o.TimeLimit)
	}
	recipe, err := readTrainRecipe(f.recipe)
	if err != nil {
		return err
	}
	if err := vacant(o.OutDir, f.overwrite || o.Resume); err != nil {
		return err
	}
	set, err := f.data.load()
	if err != nil {
		return err
	}
	ctx, cancel := interruptible(ctx)
	defer cancel()
	bar := a.progress()
	o.Progress = trainProgress(bar)
	res, err := train.Run(ctx, set, recipe, o)
	bar.Close()
	if err != nil {
		return err
	}
	return a.printTrained(res)
}

// readTrainRecipe returns the committed recipe of that name, else reads a file.
func readTrainRecipe(name string) (train.Recipe, error) {
	if slices.Contains(train.Recipes(), name) {
		return train.NamedRecipe(name)
	}
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, "./\\") {
		return train.NamedRecipe(name) // its error lists the names
	}
	if err != nil {
		return train.Recipe{}, fmt.Errorf("--recipe: %w", err)
	}
	r, err := train.ParseRecipe(raw)
	if err != nil {
		return r, fmt.Errorf("--recipe %s: %w", name, err)
	}
	return r, nil
}

// vacant refuses to write over a model.
func vacant(dir string, overwrite bool) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return canWrite(filepath.Dir(filepath.Clean(dir)))
	case err != nil:
		return fmt.Errorf("--out: %w", err)
	case !info.IsDir():
		return fmt.Errorf("--out %s: is a file; name a folder", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil && !overwrite {
		return fmt.Errorf("--out %s: holds a model already; name another folder, or replace it with --overwrite", dir)
	}
	// The model goes into the folder, a checkpoint beside it.
	return errors.Join(canWrite(dir), canWrite(filepath.Dir(filepath.Clean(dir))))
}

// canWrite refuses a folder in which no file can be made. Of one that does not
// exist yet, the nearest that does is asked.
func canWrite(dir string) error {
	for {
		_, err := os.Stat(dir)
		up := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || up == dir {
			break
		}
		dir = up
	}
	if err := tryFolder(dir); err != nil {
		return fmt.Errorf("--out: folder %s cannot be written: %w; name a writable place", dir, err)
	}
	return nil
}

// trainProgress turns a training run's reports into stages and steps.
func trainProgress(bar progress) func(train.Progress) {
	phase, done := "", 0
	return func(p train.Progress) {
		if p.Phase != phase {
			phase, done = p.Phase, p.Step
			bar.Stage(p.Phase, max(0, p.Steps-p.Step))
		}
		parts := []string{fmt.Sprintf("epoch %.1f/%d", p.Epoch, p.Epochs)}
		if p.Loss > 0 {
			parts = append(parts, fmt.Sprintf("loss %.3f", p.Loss))
		}
		if p.LMLoss > 0 {
			parts = append(parts, fmt.Sprintf("LM loss %.3f", p.LMLoss))
		}
		if p.ValF1 >= 0 {
			parts = append(parts, fmt.Sprintf("val F1 %.4f", p.ValF1))
		}
		if p.TokensPerSecond > 0 {
			parts = append(parts, fmt.Sprintf("%.0f tokens/s", p.TokensPerSecond))
		}
		if p.ETA > 0 {
			parts = append(parts, "ETA "+p.ETA.Round(time.Second).String())
		}
		bar.Step(p.Step-done, strings.Join(parts, ", "))
		done = p.Step
	}
}

func (a *app) printTrained(res train.Result) error {
	type quality struct {
		Split    string  `json:"split"`
		Items    int     `json:"items"`
		MacroF1  float64 `json:"f1_macro"`
		Accuracy float64 `json:"accuracy"`
	}
	t := table{header: []string{"split", "items", "macro-F1", "accuracy"}, right: []int{1, 2, 3}}
	var scored []quality
	for _, s := range []struct {
		name string
		c    *score.Confusion
	}{{"val", res.Val}, {"test", res.Test}} {
		if s.c == nil {
			continue
		}
		q := quality{s.name, s.c.N(), s.c.MacroF1(), s.c.Accuracy()}
		scored = append(scored, q)
		t.rows = append(t.rows, []string{q.Split, fmt.Sprint(q.Items), fmt.Sprintf("%.4f", q.MacroF1), fmt.Sprintf("%.4f", q.Accuracy)})
	}
	if a.format != "table" {
		return a.emit(t, []any{struct {
			Dir             string    `json:"dir"`
			Parameters      int       `json:"parameters"`
			Vocab           int       `json:"vocab"`
			Epochs          float64   `json:"epochs"`
			Shortened       bool      `json:"shortened"`
			Steps           int       `json:"steps"`
			Tokens          int64     `json:"tokens"`
			DurationS       float64   `json:"duration_s"`
			TokensPerSecond float64   `json:"tokens_per_s"`
			Perplexity      float64   `json:"perplexity"`
			Quality         []quality `json:"quality"`
		}{res.Dir, res.Parameters, res.Vocab, res.Epochs, res.Shortened, res.Steps, res.Tokens, res.Duration.Seconds(), res.TokensPerSecond, res.Perplexity, scored}})
	}
	if err := t.print(a.out); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\n%.2f M parameters, %.1f epochs, %d tokens in %v (%.0f tokens/s)\n",
		float64(res.Parameters)/1e6, res.Epochs, res.Tokens, res.Duration.Round(time.Second), res.TokensPerSecond)
	if res.Shortened {
		fmt.Fprintln(a.out, "the time limit shortened the schedule")
	}
	fmt.Fprintf(a.out, "model %s, its card %s\n", res.Dir, filepath.Join(res.Dir, "README.md"))
	return nil
}

// interruptible ends a context at Ctrl-C, for commands that save what they can
// and need no second word.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}
