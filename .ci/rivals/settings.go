package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// settings are the flags and what the environment adds.
type settings struct {
	Runner, Shape, Out, Cache, Trained string
	Models                             []string // NAME=FILE
	Kinds, Tasks                       []string
	Threads                            []int
	Rounds                             int
	Timeout                            time.Duration
	Apart                              [2]float64 // core-to-core latency in ns of runs that count, {} = any
	LlamaArgs                          []string
	WithoutLlama, WithoutONNX          bool
	Stock                              *stock // of RIVAL_BENCH, nil = none
}

func parseSettings(args []string, getenv func(string) string, stderr io.Writer) (settings, error) {
	s := settings{Cache: getenv("RIVAL_CACHE")}
	if s.Cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return s, fmt.Errorf("finding a cache folder: %w", err)
		}
		s.Cache = filepath.Join(dir, "harness-rivals")
	}
	f := flag.NewFlagSet("rivals", flag.ContinueOnError)
	f.SetOutput(stderr)
	models := f.String("models", "", "instead of the shape's: NAME=FILE.gguf,...")
	kinds := f.String("kinds", "q8_0,q4_0,q4_k_m", "how the shape's weights are stored")
	work := f.String("tasks", strings.Join(taskIDs(), ","), "what is measured")
	threads := f.String("threads", "2,1", "threads of all programs")
	llamaArgs := f.String("llama-args", getenv("RIVAL_LLAMA_ARGS"), "more flags of the llama.cpp driver")
	f.StringVar(&s.Runner, "runner", "bin/runner", "our runner")
	f.StringVar(&s.Shape, "shape", "ernie-0.3b", "shape of the model")
	f.StringVar(&s.Out, "out", "bin/rivals", "folder of the tables")
	f.StringVar(&s.Trained, "trained", "datasets/builtin/models/service-nano", "model folder for the perplexity; empty = none")
	f.IntVar(&s.Rounds, "rounds", 5, "rounds, in each of which every program runs once")
	f.DurationVar(&s.Timeout, "timeout", 5*time.Minute, "most time of one run")
	apart := f.String("core-to-core", "", "least and greatest core-to-core latency in ns, MIN-MAX, of runs that count; empty = any")
	f.BoolVar(&s.WithoutLlama, "without-llama", false, "leave out llama.cpp")
	f.BoolVar(&s.WithoutONNX, "without-onnx", false, "leave out ONNX Runtime")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	s.Kinds, s.Tasks, s.LlamaArgs = list(*kinds), list(*work), strings.Fields(*llamaArgs)
	s.Models = list(*models)
	for _, m := range s.Models {
		if name, file, ok := strings.Cut(m, "="); !ok || name == "" || file == "" {
			return s, fmt.Errorf("--models %s: want NAME=FILE.gguf", m)
		}
	}
	for _, t := range list(*threads) {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 {
			return s, fmt.Errorf("--threads %s: want numbers of 1 or more", *threads)
		}
		s.Threads = append(s.Threads, n)
	}
	if *apart != "" {
		lo, hi, _ := strings.Cut(*apart, "-")
		var errLo, errHi error
		s.Apart[0], errLo = strconv.ParseFloat(lo, 64)
		s.Apart[1], errHi = strconv.ParseFloat(hi, 64)
		if errLo != nil || errHi != nil || !(0 <= s.Apart[0] && s.Apart[0] < s.Apart[1]) {
			return s, fmt.Errorf("--core-to-core %s: want two numbers of ns, such as 100-300", *apart)
		}
	}
	if s.Rounds < 1 || len(s.Tasks) == 0 || len(s.Threads) == 0 {
		return s, errors.New("nothing to measure: rounds, tasks and threads are 1 or more")
	}
	if bench := getenv("RIVAL_BENCH"); bench != "" {
		var err error
		if s.Stock, err = stockOf(bench, getenv); err != nil {
			return s, err
		}
	} else if s.WithoutLlama && s.WithoutONNX {
		return s, errors.New("nobody is left to compare with: set RIVAL_BENCH")
	}
	return s, nil
}

// stockOf reads RIVAL_BENCH and the variables beside it. Paths become absolute:
// programs run in another folder.
func stockOf(bench string, getenv func(string) string) (*stock, error) {
	k := &stock{
		Name: getenv("RIVAL_NAME"), Args: strings.Fields(getenv("RIVAL_ARGS")),
		Batched: getenv("RIVAL_BATCHED"), BatchedArgs: strings.Fields(getenv("RIVAL_BATCHED_ARGS")),
	}
	if k.Name == "" {
		k.Name = filepath.Base(bench)
	}
	if beside := filepath.Join(filepath.Dir(bench), "llama-batched-bench"); k.Batched == "" && isFile(beside) {
		k.Batched = beside
	}
	var err error
	if k.Bench, err = filepath.Abs(bench); err != nil {
		return nil, fmt.Errorf("finding RIVAL_BENCH: %w", err)
	}
	if k.Batched != "" {
		if k.Batched, err = filepath.Abs(k.Batched); err != nil {
			return nil, fmt.Errorf("finding RIVAL_BATCHED: %w", err)
		}
	}
	for name, path := range map[string]string{"RIVAL_BENCH": k.Bench, "RIVAL_BATCHED": k.Batched} {
		if path != "" && !isFile(path) {
			return nil, fmt.Errorf("%s: no file %s", name, path)
		}
	}
	return k, nil
}

// programs are ours, llama.cpp, what the user named and ONNX Runtime, in the
// table's order. absent says who could not be installed: llama.cpp has to be.
func (s *settings) programs(ctx context.Context, in installer, runner, scratch string) (out []program, absent []string, err error) {
	out = append(out, ours(runner))
	if !s.WithoutLlama {
		lib, err := in.library(ctx)
		if err != nil {
			return nil, nil, err
		}
		driver, err := in.driver(ctx)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, llama(driver, lib, s.LlamaArgs))
	}
	if s.Stock != nil {
		if err := s.Stock.probe(ctx, scratch); err != nil {
			return nil, nil, err
		}
		out = append(out, s.Stock.program())
	}
	if !s.WithoutONNX {
		if o, err := newONNX(ctx, in, scratch); err != nil {
			absent = append(absent, "ONNX Runtime: not measured: "+err.Error())
		} else {
			out = append(out, o.program())
		}
	}
	return out, absent, nil
}

func (s *settings) models(ctx context.Context, in installer, runner string) ([]modelFile, error) {
	var out []modelFile
	for _, m := range s.Models {
		name, file, _ := strings.Cut(m, "=")
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, fmt.Errorf("finding a model: %w", err)
		}
		opened, err := openModel(name, path)
		if err != nil {
			return nil, err
		}
		out = append(out, opened)
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, kind := range s.Kinds {
		m, err := in.shapeFile(ctx, runner, s.Shape, kind)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func list(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
