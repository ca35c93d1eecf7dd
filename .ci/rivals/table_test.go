package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite golden files")

func speeds(program string, rates ...float64) []sample {
	var out []sample
	for round, r := range rates {
		out = append(out, sample{Program: program, Round: round, Rate: r, PeakRSSBytes: 400e6 + int64(round)*1e6})
	}
	return out
}

func TestSummarize(t *testing.T) {
	samples := append(speeds("ours", 200, 240, 220, 210, 230), speeds("theirs", 100, 100, 110, 100, 92)...)
	got := summarize(prefillCell, []string{"ours", "theirs"}, samples)
	want := figure{
		Program: "theirs", Median: 100, Min: 92, Max: 110, N: 5,
		Ratio: 2.2, RatioLo: 2, RatioHi: 2.5, RatioLevel: 0.9375,
	}
	if diff := cmp.Diff(want, got[0].Figures[1], cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("speed (-want +got):\n%s", diff)
	}
	if len(got) != 2 || got[1].Metric != "peak resident memory" || got[1].Figures[1].Ratio != 1 {
		t.Errorf("memory: %+v", got)
	}
}

// Less is better for times: a ratio above 1 must still mean that ours is better.
func TestSummarizeTimes(t *testing.T) {
	c := prefillCell
	c.Task.FirstToken = true
	got := summarize(c, []string{"ours", "theirs"}, []sample{
		{Program: "ours", FirstTokenMS: 100}, {Program: "theirs", FirstTokenMS: 250},
	})
	if len(got) != 1 || got[0].Figures[1].Ratio != 2.5 {
		t.Errorf("%+v, want one row with the ratio 2.5", got)
	}
	if got[0].Figures[1].RatioLevel != 0 && got[0].Figures[1].RatioLo != got[0].Figures[1].RatioHi {
		t.Errorf("one round has an interval: %+v", got[0].Figures[1])
	}
}

// Pairs are rounds: a round that one side lost has no ratio.
func TestSummarizeOfFailures(t *testing.T) {
	samples := append(speeds("ours", 200, 240, 220),
		sample{Program: "half", Round: 0, Error: "half: signal: killed"}, sample{Program: "half", Round: 1, Rate: 120}, sample{Program: "half", Round: 2, Rate: 100},
		sample{Program: "none", Round: 0, Error: "none: exit status 1: no such model"},
		sample{Program: "skipped", Round: 0, Error: "not measured: no such task", Skipped: true},
	)
	row := summarize(prefillCell, []string{"ours", "half", "none", "skipped", "absent"}, samples)[0]
	for i, want := range []figure{
		{Program: "half", Median: 110, Min: 100, Max: 120, N: 2, Failed: 1, Reason: "failed: half: signal: killed", Ratio: 2, RatioLo: 2, RatioHi: 2.2, RatioLevel: 0.5},
		{Program: "none", Failed: 1, Reason: "failed: none: exit status 1: no such model"},
		{Program: "skipped", Skipped: 1, Reason: "not measured: no such task"},
		{Program: "absent", Reason: "not measured"},
	} {
		if diff := cmp.Diff(want, row.Figures[i+1], cmpopts.EquateApprox(1e-9, 0)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	ours := summarize(prefillCell, []string{"ours", "half"}, samples[3:])[0].Figures
	if ours[1].Ratio != 0 {
		t.Errorf("a ratio to nothing: %+v", ours[1])
	}
}

func TestTableGolden(t *testing.T) {
	first := prefillCell
	first.Task = task{ID: "first1", Name: "first token after 1", Prompt: 1, Sequences: 1, FirstToken: true}
	programs := []string{"ours", "llama.cpp", "mine"}
	samples := append(speeds("ours", 512, 530, 505, 515, 520), speeds("llama.cpp", 259, 254, 260, 258, 250)...)
	samples = append(samples, sample{Program: "mine", Round: 0, Rate: 350, PeakRSSBytes: 450e6}, sample{Program: "mine", Round: 1, Error: "llama-bench: signal: segmentation fault"})
	more := 0.00065
	r := report{
		CPU: "AMD EPYC", Processors: 2, System: "Linux 6.1 x86_64", Time: "2026-01-02T03:04:05Z", Rounds: 5,
		Models: []modelFile{{"q8_0", "f.gguf", 385851136}}, Programs: programs,
		Versions: map[string]string{"ours": "v1, avx2", "llama.cpp": "0.25.1"},
		Rows: append(summarize(prefillCell, programs, samples), summarize(first, programs, []sample{
			{Program: "ours", FirstTokenMS: 251.3},
			{Program: "llama.cpp", FirstTokenMS: 333.9},
			{Program: "mine", Error: "not measured: llama-bench cannot leave out its warm-up", Skipped: true},
		})...),
		Perplexities: []perplexityRow{
			{Kind: "perplexity", Model: "nano q8_0", Program: "ours", Tokens: 1024, Perplexity: 344.5063},
			{Kind: "perplexity", Model: "nano q8_0", Program: "llama.cpp", Tokens: 1024, Perplexity: 344.7294, Difference: &more},
			{Kind: "perplexity", Model: "nano q8_0", Program: "mine", Tokens: 1024, Error: "not measured: it takes no list of tokens"},
		},
		Absent: []string{"ONNX Runtime: not measured."},
	}
	dir := t.TempDir()
	if err := r.save(dir, samples); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rivals.md", "rivals.jsonl"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := r.save(filepath.Join(dir, "rivals.md"), nil); err == nil {
		t.Error("a file is no folder, yet the tables were written")
	}
	var b bytes.Buffer
	if err := (&report{Programs: programs}).markdown(&b); err != nil || strings.Contains(b.String(), "##") {
		t.Errorf("a report of nothing: %v\n%s", err, b.String())
	}
}
