package main

import (
	"fmt"
	"os"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// recipeFile is a plan in YAML. A key that is left out keeps its default.
type recipeFile struct {
	Target       []string  `yaml:"target"`
	Model        *string   `yaml:"model"`
	Dataset      *string   `yaml:"dataset"`
	Bits         []int     `yaml:"bits"`
	RankRatio    []float64 `yaml:"rank_ratio"`
	PruneRatio   []float64 `yaml:"prune_ratio"`
	Threshold    []float64 `yaml:"threshold"`
	Batch        []int     `yaml:"batch"`
	Threads      []int     `yaml:"threads"`
	GroupSize    *int      `yaml:"group_size"`
	Algorithm    *string   `yaml:"algorithm"`
	CalibSamples *int      `yaml:"calib_samples"`
	Scenario     *string   `yaml:"scenario"`
	Repeats      *int      `yaml:"repeats"`
	Retries      *int      `yaml:"retries"`
	Seed         *uint64   `yaml:"seed"`
	Energy       *bool     `yaml:"energy"`
	Search       *string   `yaml:"search"`
	Objectives   []string  `yaml:"objectives"`
	Where        *string   `yaml:"where"`
	Sample       *int      `yaml:"sample"`

	Window        *time.Duration `yaml:"window"`
	IdleWindow    *time.Duration `yaml:"idle_window"`
	WarmupLimit   *time.Duration `yaml:"warmup_limit"`
	MinInferences *int           `yaml:"min_inferences"`
	// Limits are what a valid trial must keep; those left out stay at their default.
	Limits *wire.Limits `yaml:"limits"`
}

// readRecipeFile reads a recipe; an unknown key is an error with its line.
func readRecipeFile(path string) (*recipeFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--recipe: %w", err)
	}
	limits := wire.DefaultLimits()
	f := recipeFile{Limits: &limits}
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("--recipe %s: %w", path, err)
	}
	if f.Limits == nil || *f.Limits == wire.DefaultLimits() {
		f.Limits = nil // so that the plan of a file without them says so
	} else if err := f.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("--recipe %s: %w", path, err)
	}
	return &f, nil
}

// hasAxes says whether the file lists values of an axis.
func (f *recipeFile) hasAxes() bool {
	return f.Bits != nil || f.RankRatio != nil || f.PruneRatio != nil || f.Threshold != nil || f.Batch != nil || f.Threads != nil
}

// apply puts the file's keys into the plan; a nil file has none.
func (f *recipeFile) apply(p *sweep.Plan) {
	if f == nil {
		return
	}
	set(&p.Model, f.Model)
	set(&p.Data.Spec, f.Dataset)
	list(&p.Bits, f.Bits)
	list(&p.RankRatio, f.RankRatio)
	list(&p.PruneRatio, f.PruneRatio)
	list(&p.Threshold, f.Threshold)
	list(&p.Batch, f.Batch)
	list(&p.Threads, f.Threads)
	set(&p.GroupSize, f.GroupSize)
	set(&p.Algorithm, f.Algorithm)
	set(&p.CalibSamples, f.CalibSamples)
	set(&p.Scenario, f.Scenario)
	set(&p.Repeats, f.Repeats)
	set(&p.Retries, f.Retries)
	set(&p.Seed, f.Seed)
	set(&p.Energy, f.Energy)
	set((*string)(&p.Search), f.Search)
	list(&p.Objectives, f.Objectives)
	set(&p.Where, f.Where)
	set(&p.Sample, f.Sample)
	set(&p.Window, f.Window)
	set(&p.IdleWindow, f.IdleWindow)
	set(&p.WarmupLimit, f.WarmupLimit)
	set(&p.MinInferences, f.MinInferences)
	if f.Limits != nil {
		p.Limits = f.Limits
	}
}

func set[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}

func list[T any](dst *[]T, src []T) {
	if src != nil {
		*dst = src
	}
}
