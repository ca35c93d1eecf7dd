package measure

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// openNano loads a random model of the smallest shape, stored as kind.
func openNano(t *testing.T, kind string, o BenchOptions) *Bench {
	t.Helper()
	m, err := model.Random("nano", 1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nano.gguf")
	if err := model.WriteGGUF(path, m, model.MadeUp(m.VocabSize), kind); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBench(t.Context(), This(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// A sample that misses a repeat, a step or the work done makes every figure of
// the table wrong.
func TestBenchCounts(t *testing.T) {
	b := openNano(t, "q8_0", BenchOptions{Threads: 2, Chunk: 16, KV: kernels.KVF16})
	for _, test := range []Test{
		{Prompt: 40, Parallel: 1, Batch: 2048, Repeats: 3},
		{Prompt: 40, Parallel: 1, Batch: 7, Repeats: 2, Cold: true},
		{Gen: 5, Parallel: 1, Batch: 1, Repeats: 3},
		{Gen: 5, Depth: 9, Parallel: 3, Batch: 4, Repeats: 1},
		{Prompt: 6, Gen: 2, Parallel: 2, Batch: 512, Repeats: 2},
	} {
		got, err := b.Run(t.Context(), test)
		if err != nil {
			t.Fatal(err)
		}
		m := b.Model()
		if len(got.Samples) != test.Repeats || len(got.StepNS) != test.Repeats*test.Gen {
			t.Errorf("%+v: %d samples, %d steps", test, len(got.Samples), len(got.StepNS))
		}
		for _, s := range b.sequences {
			if s.Len() != test.Depth+test.Prompt+test.Gen {
				t.Errorf("%+v: a sequence read %d tokens", test, s.Len())
			}
		}
		layout := kernels.KVLayout{Format: kernels.KVF16, Heads: m.Config.NumKVHeads, HeadDim: m.Config.HeadDim}
		group, tokens := int64(m.Config.NumLayers*test.Parallel*layout.GroupBytes()), int64(test.Depth+test.Prompt+test.Gen)
		if least := (tokens + kernels.KVGroup - 1) / kernels.KVGroup * group; got.KVBytes < least || got.KVBytes > least+4*group {
			t.Errorf("%+v: %d bytes of keys and values, at least %d are needed", test, got.KVBytes, least)
		}
		if len(b.sequences) != test.Parallel {
			t.Errorf("%+v: %d sequences", test, len(b.sequences))
		}
		w := got.Work
		if w.Total <= 0 || w.Decode > w.Total || (w.Decode > 0) != (test.Gen > 0) || (w.DecodeBytes > 0) != (test.Gen > 0) {
			t.Errorf("%+v: %+v", test, w)
		}
		// Every token passes the layers' matrices, but for some of the last.
		head := float64(m.Config.VocabSize * m.Config.HiddenSize)
		least := 0.7 * float64(test.Repeats*test.Parallel) * float64(test.Prompt+test.Gen) * (float64(m.Params) - head)
		if float64(w.MACs) < least {
			t.Errorf("%+v: %d multiply-accumulates, at least %.0f", test, w.MACs, least)
		}
		if got.KVBytes <= 0 || got.PeakRSS <= 0 || got.Verdict == "" {
			t.Errorf("%+v: %+v", test, got)
		}
	}
	if m := b.Model(); m.Threads != 2 || m.Load <= 0 || m.FirstToken <= m.Load || m.StoredBytes <= 0 || m.MemoryBytes <= 0 {
		t.Errorf("%+v", m)
	}
}

// Garbage while decoding means pauses at random tokens on a board.
func TestDecodeAllocatesNothing(t *testing.T) {
	for _, kind := range []string{"q8_0", "q4_0", "q4_k_m", "bf16"} {
		for _, parallel := range []int{1, 4} {
			b := openNano(t, kind, BenchOptions{Threads: 2})
			b.prepare(Test{Gen: 200, Parallel: parallel})
			if err := b.generate(t.Context(), 40); err != nil {
				t.Fatal(err)
			}
			i := 0
			per := testing.AllocsPerRun(100, func() {
				i++
				if err := b.step(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			})
			if per != 0 {
				t.Errorf("%s, %d sequences: %g allocations a token", kind, parallel, per)
			}
		}
	}
}

// More tokens than the model can read would be an error in the middle of an
// hour's grid.
func TestBenchRefusesWhatDoesNotFit(t *testing.T) {
	b := openNano(t, "q8_0", BenchOptions{Threads: 1})
	limit := b.Model().Config.MaxPositions
	var fault *wire.Error
	for _, test := range []Test{{Prompt: limit + 1, Parallel: 1, Batch: 1}, {Gen: 1, Depth: limit, Parallel: 1, Batch: 1}} {
		if _, err := b.Run(t.Context(), test); !errors.As(err, &fault) || fault.Kind != wire.Harness || fault.Mend == "" {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if err := b.Check(Test{Prompt: limit - 2, Gen: 1, Depth: 1, Parallel: 1, Batch: 1}); err != nil {
		t.Errorf("exactly full: %v", err)
	}
	_, err := OpenBench(t.Context(), This(), filepath.Join(t.TempDir(), "none.gguf"), BenchOptions{})
	if !errors.As(err, &fault) || fault.Kind != wire.Target {
		t.Errorf("a missing file: %v", err)
	}
}

// The traffic of the 0.3B shape is known by hand: 360.7 million weights.
func TestTraffic(t *testing.T) {
	m, err := model.Random("ernie-0.3b", 1)
	if err != nil {
		t.Fatal(err)
	}
	const gains = 4 * (18*2*1024 + 1024) // f32
	const layers = 18 * (1024*(2048+2*256) + 2048*1024 + 3*1024*3072)
	const head = 103424 * 1024
	got := TrafficOf(m, 0, kernels.KVF16)
	want := Traffic{WeightBytes: 4*(layers+head) + gains, CacheBytes: 18 * 2 * 256 * 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if rows := TrafficOf(m, 150, kernels.KVF16); rows.WeightBytes != want.WeightBytes-4*head+4*150*1024 {
		t.Errorf("150 rows of the head: %d bytes", rows.WeightBytes)
	}
	// Three steps behind 10 tokens read 10, 11 and 12 of them.
	small := Traffic{WeightBytes: 1000, CacheBytes: 3}
	if got := small.Decode(10, 3, 4); got != 3*1000+4*33*3 {
		t.Errorf("decoding reads %g bytes", got)
	}
	if got := small.Decode(10, 0, 4); got != 0 {
		t.Errorf("decoding nothing reads %g bytes", got)
	}
}

func TestRoofline(t *testing.T) {
	limits := Ceilings{Read: Rate{Best: 20}, Peaks: []Peak{
		{"avx2", "int8", Rate{Best: 100}}, {"avx2", "int4", Rate{Best: 200}}, {"neon-dotprod", "int8", Rate{Best: 50}},
	}}
	p := func(v float64) *float64 { return &v }
	decode := Work{DecodeBytes: 10e9, Decode: time.Second, MACs: 25e9, Total: time.Second, Mix: kernels.MixInt4, Tier: kernels.AVX2}
	prefill := Work{MACs: 20e9, Total: 2 * time.Second, Mix: kernels.MixInt8, Tier: kernels.AVX2}
	dot := decode
	dot.Tier = kernels.DotProd
	for _, tt := range []struct {
		name   string
		work   Work
		limits *Ceilings
		want   Roofline
	}{
		{"decode", decode, &limits, Roofline{
			GBPerS: p(10), GOPS: p(50), Mix: kernels.MixInt4, ReadLimit: p(20), PeakLimit: p(200), ReadShare: p(.5), PeakShare: p(.25),
		}},
		{"prefill", prefill, &limits, Roofline{
			GOPS: p(20), Mix: kernels.MixInt8, ReadLimit: p(20), PeakLimit: p(100), PeakShare: p(.2),
		}},
		{"a tier with one product for all", dot, &limits, Roofline{
			GBPerS: p(10), GOPS: p(50), Mix: kernels.MixInt8, ReadLimit: p(20), PeakLimit: p(50), ReadShare: p(.5), PeakShare: p(1),
		}},
		{"no limits", decode, nil, Roofline{GBPerS: p(10), GOPS: p(50), Mix: kernels.MixInt4}},
		{"nothing done", Work{}, &limits, Roofline{ReadLimit: p(20)}},
	} {
		if diff := cmp.Diff(tt.want, tt.work.Roofline(tt.limits), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A limit that a neighbour slowed must not make a test look better than it is.
func TestRaise(t *testing.T) {
	first := []Peak{{"avx2", "int8", Rate{Best: 100}}}
	c := Ceilings{Read: Rate{Best: 20}, Peaks: first}
	c.Raise(Ceilings{
		Read:     Rate{Best: 19},
		Peaks:    []Peak{{"avx2", "int8", Rate{Best: 110}}, {"avx2", "f32", Rate{Best: 1}}},
		Products: []Peak{{"avx2", "int8", Rate{Best: 80, Median: 60}}},
	})
	c.Raise(Ceilings{Products: []Peak{{"avx2", "int8", Rate{Best: 90, Median: 50}}}})
	c.Raise(Ceilings{Products: []Peak{{"avx2", "int8", Rate{Best: 70, Median: 65}}}})
	want := Ceilings{
		Read:     Rate{Best: 20},
		Peaks:    []Peak{{"avx2", "int8", Rate{Best: 110}}, {"avx2", "f32", Rate{Best: 1}}},
		Products: []Peak{{"avx2", "int8", Rate{Best: 90, Median: 50}}},
	}
	if first[0].GOPS.Best != 100 {
		t.Errorf("the peaks measured before are now %+v", first)
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.Raise(Ceilings{Read: Rate{Best: 21, N: 2}, ReadWay: "other", ReadBytes: 5})
	if c.Read.Best != 21 || c.ReadWay != "other" || c.ReadBytes != 5 {
		t.Errorf("%+v", c)
	}
}

// What most weights are decides which peak a test is held against.
func TestMixOfModels(t *testing.T) {
	for kind, want := range map[string]kernels.Mix{"q8_0": kernels.MixInt8, "q4_0": kernels.MixInt4, "q4_k_m": kernels.MixInt4, "f32": kernels.MixF32} {
		if b := openNano(t, kind, BenchOptions{Threads: 1}); b.mix != want {
			t.Errorf("%s: %v, want %v", kind, b.mix, want)
		}
	}
}

// A cold start ends at the logits that were asked for, not at others before.
func TestColdStart(t *testing.T) {
	b := openNano(t, "q4_0", BenchOptions{Threads: 1, Cold: true})
	if b.Model().FirstToken != 0 || b.Model().Load <= 0 {
		t.Fatalf("before the first test: %+v", b.Model())
	}
	got, err := b.Run(t.Context(), Test{Prompt: 9, Parallel: 1, Batch: 64, Repeats: 2, Cold: true})
	if err != nil {
		t.Fatal(err)
	}
	if first, least := b.Model().FirstToken, b.Model().Load+got.Samples[0]; first < least {
		t.Errorf("the first token after %v, loading and the first repeat took %v", first, least)
	}
	if got.PeakRSS <= 0 {
		t.Errorf("%+v", got)
	}
}

// What is measured has its weights in huge pages by then; a cold start and the
// time of a warm-up leave them out.
func TestPagesAreJoinedBeforeAWindow(t *testing.T) {
	const takes = 300 * time.Millisecond
	joins := 0
	before := joinPages
	joinPages = func() { joins++; time.Sleep(takes) }
	t.Cleanup(func() { joinPages = before })
	want := func(when string, n int) {
		t.Helper()
		if joins != n {
			t.Errorf("%s: joined %d times, want %d", when, joins, n)
		}
		joins = 0
	}
	run := func(b *Bench, test Test) {
		t.Helper()
		if _, err := b.Run(t.Context(), test); err != nil {
			t.Fatal(err)
		}
	}

	b := openNano(t, "q8_0", BenchOptions{Threads: 1})
	want("a bench was opened", 1)
	if m := b.Model(); m.FirstToken-b.startup-m.Load >= takes {
		t.Errorf("the first token waited: %+v", m)
	}
	run(b, Test{Prompt: 9, Parallel: 1, Batch: 64, Repeats: 2})
	want("a test", 1)

	b = openNano(t, "q8_0", BenchOptions{Threads: 1, Cold: true})
	want("a cold bench was opened", 0)
	cold := Test{Prompt: 9, Parallel: 1, Batch: 64, Repeats: 3, Cold: true}
	run(b, cold)
	want("three cold repeats", 2)
	run(b, cold)
	want("three more", 3)

	s := load(t, writeModel(t, 1, labels), This())
	got, err := s.Measure(t.Context(), wire.Measure{
		Items: writeItems(t, testItems), Batch: 1, Window: time.Millisecond, MaxInferences: 2, WarmupLimit: time.Millisecond, NoEnergy: true,
	}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	want("a trial", 1)
	if got.WarmupS >= takes.Seconds() {
		t.Errorf("the warm-up took %g s with what joined pages", got.WarmupS)
	}
}
