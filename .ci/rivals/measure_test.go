package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeProgram is called by its name, the file, the prompt and the threads.
func fakeProgram(name string) program {
	return program{
		Name: name, parse: parseOutput,
		command: func(_ context.Context, file string, t task, threads int) (command, error) {
			return command{[]string{name, file, fmt.Sprint(t.Prompt), fmt.Sprint(threads)}, []string{file}}, nil
		},
	}
}

func answer(argv []string, ns int) outcome {
	return outcome{
		Stdout: fmt.Appendf(nil, `{"n_prompt": %s, "n_threads": %s, "samples_ns": [%d], "build_commit": "c"}`, argv[2], argv[3], ns),
		Result: 30 * time.Millisecond, PeakRSSBytes: 5e6,
	}
}

var prefillCell = cell{Model: modelFile{Name: "q8_0", Path: "f.gguf"}, Threads: 2, Task: task{ID: "pp100", Name: "prefill 100", Prompt: 100, Sequences: 1}}

// One broken rival must not cost the figures of the others.
func TestMeasureGoesOnAfterACrash(t *testing.T) {
	var log bytes.Buffer
	runs := 0
	s := session{
		Programs: []program{fakeProgram("ours"), fakeProgram("crashes"), fakeProgram("other")}, Rounds: 2, Timeout: time.Minute, Log: &log,
		execute: func(_ context.Context, _ string, argv []string) (outcome, error) {
			if runs++; argv[0] == "crashes" {
				return outcome{}, errors.New("crashes: signal: segmentation fault")
			}
			return answer(argv, 1e9), nil
		},
	}
	got, err := s.measure(context.Background(), prefillCell)
	if err != nil {
		t.Fatal(err)
	}
	run := func(program string, round, position int) sample {
		s := sample{
			Kind: "sample", Model: "q8_0", Threads: 2, Task: "pp100", Program: program, Round: round, Position: position,
			Version: "c", Rate: 100, PeakRSSBytes: 5e6,
		}
		if program == "crashes" {
			s.Version, s.Rate, s.PeakRSSBytes, s.Error = "", 0, 0, "crashes: signal: segmentation fault"
		}
		return s
	}
	want := []sample{
		run("ours", 0, 0), run("crashes", 0, 1), run("other", 0, 2),
		run("other", 1, 0), run("crashes", 1, 1), run("ours", 1, 2),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if runs != 6 || !strings.Contains(log.String(), "round 2: ours: 100.0 tok/s") {
		t.Errorf("%d runs, log:\n%s", runs, log.String())
	}
}

// A run counts only where the processors were as near as asked, before and after:
// else two placements of a virtual machine are compared, not two engines.
func TestMeasureWaitsForThePlacement(t *testing.T) {
	at, runs := 0, 0
	distances := []float64{150, 30, 160, 160, 30, 30, 160, 160}
	s := session{
		Programs: []program{fakeProgram("ours")}, Rounds: 2, Timeout: time.Minute, Log: io.Discard, Apart: [2]float64{100, 200},
		placed: func(context.Context) float64 { at++; return distances[at-1] },
		execute: func(_ context.Context, _ string, argv []string) (outcome, error) {
			runs++
			return answer(argv, runs*1e9), nil
		},
		wait: func(context.Context, int) error { return nil },
	}
	got, err := s.measure(context.Background(), prefillCell)
	if err != nil {
		t.Fatal(err)
	}
	if runs != 3 || len(got) != 2 || got[0].Rate != 50 || got[1].Rate != 100.0/3 || got[1].CoreToCoreNS != [2]float64{160, 160} {
		t.Errorf("%d runs, samples %+v; want the first run dropped", runs, got)
	}
	s.placed = func(context.Context) float64 { return 30 }
	if got, err = s.measure(context.Background(), prefillCell); err != nil || runs != 3 || !got[0].Skipped {
		t.Errorf("%d runs, samples %+v, %v; want none to count", runs, got, err)
	}
	s.placed = func(context.Context) float64 { at++; return []float64{150, 30}[at%2] } // moved within every run
	if got, err = s.measure(context.Background(), prefillCell); err != nil || runs == 3 || !got[0].Skipped || got[0].Rate != 0 {
		t.Errorf("%d runs, samples %+v, %v; want no figure of a run that does not count", runs, got, err)
	}
	row := summarize(prefillCell, []string{"ours"}, append(got[:1:1], sample{Program: "ours", Round: 1, Rate: 50}))[0]
	var notes []string
	if text := note(row.Figures[0], row, &notes); text == "" || !strings.Contains(notes[0], "1 of 2 runs: not measured") {
		t.Errorf("notes %q; want to be told of a round that is missing", notes)
	}
}

func TestMeasureFirstToken(t *testing.T) {
	dropped := 0
	c := prefillCell
	c.Task.FirstToken, c.Task.Dropped = true, true
	s := session{
		Programs: []program{fakeProgram("ours")}, Rounds: 1, Timeout: time.Minute, Log: io.Discard,
		execute: func(_ context.Context, _ string, argv []string) (outcome, error) { return answer(argv, 1), nil },
		drop:    func(string) error { dropped++; return nil },
	}
	got, err := s.measure(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if dropped != 1 || got[0].FirstTokenMS != 30 || got[0].Rate != 0 {
		t.Errorf("dropped %d times, sample %+v; want the time from the process's start", dropped, got[0])
	}
	s.drop = func(string) error { return errors.New("90 % of f.gguf stayed in memory") }
	if got, _ = s.measure(context.Background(), c); !got[0].Skipped || got[0].Error != "not measured: 90 % of f.gguf stayed in memory" {
		t.Errorf("a file that cannot be dropped: %+v", got[0])
	}
}

func TestMeasureStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := session{
		Programs: []program{fakeProgram("ours"), fakeProgram("other")}, Rounds: 5, Timeout: time.Minute, Log: io.Discard,
		execute: func(context.Context, string, []string) (outcome, error) { cancel(); return outcome{}, ctx.Err() },
	}
	if got, err := s.measure(ctx, prefillCell); !errors.Is(err, context.Canceled) || len(got) != 0 {
		t.Errorf("%d samples, %v", len(got), err)
	}
}
