package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const jsonlRecord = `{"build_commit": "abc", "build_number": 12, "n_threads": 2, "n_prompt": 128, "n_gen": 0, "samples_ns": [ 9308421 ], "samples_ts": [ 13751 ]}`

// The dialects of llama-bench must give one figure, or the table compares formats.
func TestParseRecords(t *testing.T) {
	want := []record{{BuildCommit: "abc", BuildNumber: 12, Threads: 2, Prompt: 128, SamplesNS: []float64{9308421}}}
	for name, text := range map[string]string{
		"jsonl":                jsonlRecord + "\n",
		"jsonl within a log":   "loading\n" + jsonlRecord + "\nbuild: abc (12)\n",
		"a list":               "[\n  {\n" + strings.Trim(jsonlRecord, "{}") + "\n  }\n]\n",
		"a list after a log":   "WARNING: slow build\n[\n" + jsonlRecord + "\n]\n",
		"jsonl without an end": jsonlRecord,
	} {
		got, err := parseRecords([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, text := range map[string]string{"cut off": "{\"n_prompt\": 1", "a list cut off": "[\n{\"n_prompt\": 1}"} {
		if _, err := parseRecords([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got, err := parseRecords([]byte("nothing\n")); err != nil || got != nil {
		t.Errorf("of no result: %v, %v", got, err)
	}
}

// A program that did less work must not win.
func TestResultOfRefusesOtherWork(t *testing.T) {
	want := task{Prompt: 128, Sequences: 1}
	good := record{Threads: 2, Prompt: 128, SamplesNS: []float64{1}}
	for name, c := range map[string]struct {
		records []record
		want    string
	}{
		"none":             {nil, "no result"},
		"two":              {[]record{good, good}, "2 results"},
		"a shorter prompt": {[]record{{Threads: 2, Prompt: 64, SamplesNS: []float64{1}}}, "read 64"},
		"more threads":     {[]record{{Threads: 4, Prompt: 128, SamplesNS: []float64{1}}}, "4 threads"},
		"more sequences":   {[]record{{Threads: 2, Prompt: 128, Parallel: 4, SamplesNS: []float64{1}}}, "4 sequences"},
		"no time":          {[]record{{Threads: 2, Prompt: 128}}, "no result"},
		"time stood still": {[]record{{Threads: 2, Prompt: 128, SamplesNS: []float64{0}}}, "no result"},
	} {
		if _, err := resultOf(c.records, want, 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	if _, err := resultOf([]record{good}, want, 2); err != nil {
		t.Errorf("the right work: %v", err)
	}
}

func TestParseBatched(t *testing.T) {
	const text = `main: n_kv_max = 512, n_batch = 2048
|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |
|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|
|     1 |     32 |   16 |    528 |    0.057 |   282.30 |    2.462 |   207.93 |    2.519 |   209.60 |
`
	got, err := parseBatched([]byte(text), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []record{{Threads: 2, Gen: 32, Parallel: 16, SamplesNS: []float64{2.462e9}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := resultOf(got, task{Gen: 32, Sequences: 16}, 2); err != nil {
		t.Errorf("it is not the task's result: %v", err)
	}
}

func TestVersion(t *testing.T) {
	for want, r := range map[string]record{
		"devel, avx2":             {ToolVersion: "devel", Tier: "avx2"},
		"abc, build 12":           {BuildCommit: "abc", BuildNumber: 12},
		"0.1, abc, libggml-cpu-x": {BuildVersion: "0.1", BuildCommit: "abc", CPULibrary: "libggml-cpu-x"},
		"":                        {BuildCommit: "unknown"},
	} {
		if got := r.version(); got != want {
			t.Errorf("version %q, want %q", got, want)
		}
	}
}

func FuzzParseOutput(f *testing.F) {
	f.Add([]byte(jsonlRecord))
	f.Add([]byte("[\n" + jsonlRecord + "\n]"))
	f.Add([]byte("|     1 |     32 |   16 |    528 |    0.057 |   282.30 |    2.462 |   207.93 |    2.519 |   209.60 |"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, parse := range []func([]byte) ([]record, error){parseRecords, func(b []byte) ([]record, error) { return parseBatched(b, 1) }} {
			records, err := parse(text)
			if err != nil {
				continue
			}
			if r, err := resultOf(records, task{Prompt: 1, Sequences: 1}, 1); err == nil && !(r.SamplesNS[0] > 0) {
				t.Errorf("a result that took %v ns", r.SamplesNS[0])
			}
		}
	})
}
