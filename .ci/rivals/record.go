package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A record is what a program prints of one test: llama-bench's fields, as far as
// they are needed here, and some of ours and of the driver's.
type record struct {
	BuildCommit  string    `json:"build_commit"`
	BuildVersion string    `json:"build_version"`
	BuildNumber  int       `json:"build_number"`
	ToolVersion  string    `json:"tool_version"`
	Tier         string    `json:"tier"`
	CPULibrary   string    `json:"cpu_library"`
	CPUInfo      string    `json:"cpu_info"`
	Threads      int       `json:"n_threads"`
	Prompt       int       `json:"n_prompt"`
	Gen          int       `json:"n_gen"`
	Parallel     int       `json:"n_parallel"` // 0 in programs that know one sequence only
	SamplesNS    []float64 `json:"samples_ns"`
}

// version tells builds apart; programs fill in different fields.
func (r record) version() string {
	var parts []string
	for _, p := range []string{r.ToolVersion, r.BuildVersion, r.BuildCommit, r.Tier, r.CPULibrary} {
		if p != "" && p != "unknown" {
			parts = append(parts, p)
		}
	}
	if r.BuildNumber > 0 {
		parts = append(parts, "build "+strconv.Itoa(r.BuildNumber))
	}
	return strings.Join(parts, ", ")
}

// parseRecords reads what llama-bench prints: objects one after the other
// (jsonl) or in one list (json). Text around them is passed over.
func parseRecords(text []byte) ([]record, error) {
	if i := bytes.Index(text, []byte("[\n")); i >= 0 && !bytes.Contains(text[:i], []byte("{")) {
		var out []record
		if err := json.Unmarshal(bytes.TrimSpace(text[i:]), &out); err != nil {
			return nil, fmt.Errorf("reading the list of results: %w", err)
		}
		return out, nil
	}
	var out []record
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] != '{' {
			continue
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("reading a result: %w", err)
		}
		out = append(out, r)
	}
	return out, nil
}

var errNoResult = errors.New("it printed no result")

// resultOf picks the one result of the task and refuses one of other work.
func resultOf(records []record, t task, threads int) (record, error) {
	if len(records) == 0 {
		return record{}, errNoResult
	}
	r := records[len(records)-1]
	switch {
	case len(records) > 1:
		return r, fmt.Errorf("it printed %d results, want 1", len(records))
	case r.Prompt != t.Prompt || r.Gen != t.Gen:
		return r, fmt.Errorf("it read %d and generated %d tokens, want %d and %d", r.Prompt, r.Gen, t.Prompt, t.Gen)
	case r.Threads != threads:
		return r, fmt.Errorf("it ran on %d threads, want %d", r.Threads, threads)
	case max(r.Parallel, 1) != t.Sequences:
		return r, fmt.Errorf("it ran %d sequences at once, want %d", max(r.Parallel, 1), t.Sequences)
	case len(r.SamplesNS) == 0 || r.SamplesNS[0] <= 0:
		return r, errNoResult
	}
	return r, nil
}

// batchedRow is a line of llama-batched-bench's table: prompt, generated,
// sequences, cache, then seconds and tokens a second of prompt, generation and
// both.
var batchedRow = regexp.MustCompile(`(?m)^\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*\d+\s*\|\s*[\d.]+\s*\|\s*[\d.]+\s*\|\s*([\d.]+)\s*\|`)

// parseBatched reads the generation of one line of llama-batched-bench's table.
// Its prompt of one token a sequence is no part of the time.
func parseBatched(text []byte, threads int) ([]record, error) {
	var out []record
	for _, m := range batchedRow.FindAllSubmatch(text, -1) {
		gen, _ := strconv.Atoi(string(m[2]))
		parallel, _ := strconv.Atoi(string(m[3]))
		seconds, err := strconv.ParseFloat(string(m[4]), 64)
		if err != nil {
			return nil, fmt.Errorf("reading the table: %w", err)
		}
		out = append(out, record{Threads: threads, Gen: gen, Parallel: parallel, SamplesNS: []float64{seconds * 1e9}})
	}
	return out, nil
}
