package command

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/wire"
)

var update = flag.Bool("update", false, "rewrite golden files")

// exampleRecords are a prefill and a decode of the same model.
func exampleRecords() []benchRecord {
	p := func(v float64) *float64 { return &v }
	shared := benchRecord{
		BuildCommit: "0123abcd", CPUInfo: "A CPU", Backends: "CPU", ModelFilename: "/models/tiny, \"q8\".gguf", ModelType: "ernie4_5 361.00 M Q8_0",
		ModelSize: 383_000_000, ModelParams: 361_000_000, Batch: 2048, Ubatch: 512, Threads: 2, TypeK: "f32", TypeV: "f32",
		TestTime: "2025-01-02T03:04:05Z", Engine: "harness", Version: "v1.2.3", Tier: "avx2", Host: "vm", Governor: "performance",
		Warmup: true, Parallel: 1, Level: 0.9375, LoadMS: 210.5, FirstTokenMS: 245.25, MemoryBytes: 384_000_000, PeakRSSBytes: 420_000_000,
		Verdict: wire.Valid,
	}
	pp, tg := shared, shared
	pp.Prompt, pp.AvgNS, pp.StddevNS, pp.AvgTS, pp.StddevTS = 512, 1_000_000_000, 5_000_000, 512, 2.5
	pp.MedianTS, pp.LoTS, pp.HiTS = 512.25, 509, 515
	pp.KVBytes, pp.GOPS, pp.LimitGBS, pp.LimitGOPS, pp.LimitMix, pp.ShareGOPS = 9_437_184, p(260.5), p(31.5), p(326), "int8", p(0.799)
	pp.ProductGOPS = p(290)
	pp.SamplesNS, pp.SamplesTS = []int64{1_000_000_000, 999_000_000}, []float64{512, 512.5}
	tg.Gen, tg.Depth, tg.Parallel, tg.AvgNS, tg.AvgTS = 128, 64, 4, 2_000_000_000, 256
	tg.MedianTS, tg.LoTS, tg.HiTS = 256, 250.125, 260
	tg.LatencyP50, tg.LatencyP90, tg.LatencyP99 = p(15.5), p(16), p(20.25)
	tg.KVBytes, tg.GBPerS, tg.GOPS, tg.LimitGBS, tg.LimitGOPS, tg.LimitMix = 14_155_776, p(24.5), p(184.25), p(31.5), p(326), "int8"
	tg.ShareGBS, tg.ShareGOPS = p(0.7777), p(0.565)
	tg.Verdict, tg.Reason = wire.Contended, "other processes' share of a core: 9.5 %, the limit is 4.4 %"
	tg.Warnings = []wire.Warning{{Code: "psi-unknown", Text: "the kernel does not tell pressure"}}
	tg.SamplesNS, tg.SamplesTS = []int64{2_000_000_000, 2_000_000_000}, []float64{256, 256}
	return []benchRecord{pp, tg}
}

// Scripts that read llama-bench's output read ours: names and their order are a
// contract.
func TestBenchFormats(t *testing.T) {
	for _, format := range benchFormats {
		t.Run(format, func(t *testing.T) {
			var b bytes.Buffer
			w := newBenchWriter(format, &b)
			for _, r := range exampleRecords() {
				if err := w.add(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "bench."+format)
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("(-want +got; -update rewrites it):\n%s", diff)
			}
		})
	}
}

// A run that ends before its first result must leave no half of a document.
func TestBenchFormatsOfNothing(t *testing.T) {
	for format, want := range map[string]string{"table": "", "json": "[]\n", "jsonl": "", "csv": "", "md": ""} {
		var b bytes.Buffer
		if err := newBenchWriter(format, &b).close(); err != nil || b.String() != want {
			t.Errorf("%s: %q, %v", format, b.String(), err)
		}
	}
}

func TestBenchLists(t *testing.T) {
	for _, tt := range []struct {
		name string
		sets []string
		want []int // nil = refused
	}{
		{"one", []string{"512"}, []int{512}},
		{"several", []string{"1,2,8"}, []int{1, 2, 8}},
		{"twice", []string{"1", "4"}, []int{1, 4}},
		{"none", []string{"0"}, []int{0}},
		{"range", []string{"1-4"}, []int{1, 2, 3, 4}},
		{"step", []string{"128-512+128"}, []int{128, 256, 384, 512}},
		{"factor", []string{"8-70*2,3"}, []int{8, 16, 32, 64, 3}},
		{"a range of one", []string{"5-5"}, []int{5}},
		{"empty", []string{""}, nil},
		{"a hole", []string{"1,,2"}, nil},
		{"a word", []string{"many"}, nil},
		{"negative", []string{"-1"}, nil},
		{"downwards", []string{"4-1"}, nil},
		{"step without range", []string{"4+2"}, nil},
		{"no step", []string{"1-4+0"}, nil},
		{"factor of one", []string{"1-4*1"}, nil},
		{"factor of nothing", []string{"0-4*2"}, nil},
		{"too many", []string{"0-100000"}, nil},
		{"too large", []string{"99999999"}, nil},
		{"overflow", []string{"99999999999999999999"}, nil},
	} {
		l := ints{values: []int{7}}
		var err error
		for _, s := range tt.sets {
			if err == nil {
				err = l.Set(s)
			}
		}
		if tt.want == nil {
			if err == nil {
				t.Errorf("%s: %v", tt.name, l.values)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, l.values); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
		// What the harness passes on must mean the same.
		var again ints
		if err := again.Set(l.String()); err != nil || cmp.Diff(l.values, again.values) != "" {
			t.Errorf("%s: %q is read as %v, %v", tt.name, l.String(), again.values, err)
		}
	}
}

func TestBenchPairs(t *testing.T) {
	var l pairs
	for _, s := range []string{"512,128", "1,2;3,0"} {
		if err := l.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.String(); got != "512,128;1,2;3,0" {
		t.Errorf("got %s", got)
	}
	for _, s := range []string{"", "512", "1,2,3", "a,b", "-1,2", "1;2"} {
		if err := new(pairs).Set(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

// llama-bench's command lines work as they are.
func TestLongFlags(t *testing.T) {
	for _, tt := range []struct{ args, want []string }{
		{[]string{"bench", "-ub", "64", "-pg=5,6", "-p", "1"}, []string{"bench", "--ubatch-size", "64", "--prompt-gen=5,6", "-p", "1"}},
		{[]string{"--quiet", "runner", "bench", "-ub", "64"}, []string{"--quiet", "runner", "bench", "--ubatch-size", "64"}},
		{[]string{"bench", "--", "-ub"}, []string{"bench", "--", "-ub"}},
		{[]string{"generate", "--prompt", "bench", "-ub"}, []string{"generate", "--prompt", "bench", "-ub"}},
		{[]string{"info"}, []string{"info"}},
		{nil, nil},
	} {
		if diff := cmp.Diff(tt.want, LongFlags(tt.args)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.args, diff)
		}
	}
}
