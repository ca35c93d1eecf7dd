package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A program is one side of the comparison: how it is called for a task and how
// its answer is read.
type program struct {
	Name string
	// command returns errSkipped, wrapped with the reason, where the program has
	// no such task.
	command func(ctx context.Context, file string, t task, threads int) (command, error)
	parse   func(o outcome, t task, threads int) ([]record, error)
	// perplexity is the command that prints the perplexity of a list of tokens;
	// nil = it has none.
	perplexity func(ctx context.Context, file, tokens string, threads int) (command, error)
}

// command is how a program is called and which files it reads its model from.
type command struct {
	Argv  []string
	Files []string
}

// errSkipped is matched by reasons for which a cell is not measured.
var errSkipped = errors.New("not measured")

func parseOutput(o outcome, _ task, _ int) ([]record, error) { return parseRecords(o.Stdout) }

// llamaBenchArgs are the flags that all dialects of llama-bench share.
func llamaBenchArgs(file string, t task, threads int) []string {
	return []string{
		"-m", file, "-p", strconv.Itoa(t.Prompt), "-n", strconv.Itoa(t.Gen), "-t", strconv.Itoa(threads), "-r", "1",
	}
}

// ownArgs are those of the runner and of the drivers, which know several
// sequences at once and can leave out the warm-up.
func ownArgs(file string, t task, threads int) []string {
	argv := append(llamaBenchArgs(file, t, threads), "--batch", strconv.Itoa(t.Sequences), "-o", "jsonl")
	if t.FirstToken {
		argv = append(argv, "--no-warmup")
	}
	return argv
}

// ours is this repository's runner.
func ours(path string) program {
	return program{
		Name: "ours", parse: parseOutput,
		command: func(_ context.Context, file string, t task, threads int) (command, error) {
			argv := append([]string{path, "bench", "--no-limits"}, ownArgs(file, t, threads)...)
			return command{argv, []string{file}}, nil
		},
	}
}

// llama is the driver of the npm package's library in folder lib.
func llama(driver, lib string, extra []string) program {
	return program{
		Name: "llama.cpp", parse: parseOutput,
		command: func(_ context.Context, file string, t task, threads int) (command, error) {
			argv := append([]string{driver, "--lib", lib}, ownArgs(file, t, threads)...)
			return command{append(argv, extra...), []string{file}}, nil
		},
		perplexity: func(_ context.Context, file, tokens string, threads int) (command, error) {
			argv := []string{driver, "--lib", lib, "-m", file, "--tokens", tokens, "-t", strconv.Itoa(threads)}
			return command{append(argv, extra...), []string{file}}, nil
		},
	}
}

// stock is a llama-bench that a user built, with llama-batched-bench for several
// sequences at once if there is one.
type stock struct {
	Name          string
	Bench         string
	Args          []string
	Batched       string // "" = none
	BatchedArgs   []string
	output        string
	withoutWarmup []string
}

// probe asks the binary which dialect it speaks.
func (s *stock) probe(ctx context.Context, dir string) error {
	o, err := runProcess(ctx, dir, []string{s.Bench, "--help"})
	help := string(o.Stdout) + string(o.Stderr)
	if err != nil && !strings.Contains(help, "--n-prompt") {
		return fmt.Errorf("asking for the flags of RIVAL_BENCH: %w", err)
	}
	if !strings.Contains(help, "--n-prompt") {
		return fmt.Errorf("RIVAL_BENCH %s is no llama-bench: its help has no --n-prompt", s.Bench)
	}
	s.output = "json"
	if strings.Contains(help, "jsonl") {
		s.output = "jsonl"
	}
	switch {
	case strings.Contains(help, "--no-warmup"):
		s.withoutWarmup = []string{"--no-warmup"}
	case strings.Contains(help, "--warmup"):
		s.withoutWarmup = []string{"-w", "0"}
	}
	return nil
}

func (s *stock) program() program {
	return program{
		Name: s.Name,
		command: func(_ context.Context, file string, t task, threads int) (command, error) {
			argv, err := s.argv(file, t, threads)
			return command{argv, []string{file}}, err
		},
		parse: func(o outcome, t task, threads int) ([]record, error) {
			if t.Sequences > 1 {
				return parseBatched(append(o.Stdout, o.Stderr...), threads)
			}
			return parseRecords(o.Stdout)
		},
	}
}

func (s *stock) argv(file string, t task, threads int) ([]string, error) {
	if t.Sequences > 1 {
		if s.Batched == "" {
			return nil, fmt.Errorf("%w: %s has no llama-batched-bench beside it (RIVAL_BATCHED names one)", errSkipped, filepath.Base(s.Bench))
		}
		const block = 256 // the library rounds a sequence's room up to it
		room := (1 + t.Gen + block - 1) / block * block * t.Sequences
		return append([]string{
			s.Batched, "-m", file, "-c", strconv.Itoa(room), "-npp", "1", "-ntg", strconv.Itoa(t.Gen),
			"-npl", strconv.Itoa(t.Sequences), "-t", strconv.Itoa(threads),
		}, s.BatchedArgs...), nil
	}
	argv := append([]string{s.Bench}, llamaBenchArgs(file, t, threads)...)
	argv = append(argv, "-o", s.output)
	if t.FirstToken {
		if s.withoutWarmup == nil {
			return nil, fmt.Errorf("%w: %s cannot leave out its warm-up", errSkipped, filepath.Base(s.Bench))
		}
		argv = append(argv, s.withoutWarmup...)
	}
	return append(argv, s.Args...), nil
}
