package engine

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %v, want one with %q", err, text)
	}
}

// TestInputErrors guards that a wrong input is named, with its limit, and leaves
// conversations as they were.
func TestInputErrors(t *testing.T) {
	sh := regular(inF32)
	m := random(sh, 1)
	e, other := engineOf(t, m, Options{Threads: 1}), engineOf(t, m, Options{Threads: 1})
	seq := e.NewSequence()
	ignore := func(int, int, []float32) {}
	long := slices.Repeat([]int32{1}, 60)
	if err := e.Forward(t.Context(), []Step{{Seq: seq, Tokens: long}}, 0, ignore); err != nil {
		t.Fatal(err)
	}
	fresh := e.NewSequence()
	for _, c := range []struct {
		name  string
		steps []Step
		tau   float64
		is    error
		text  string
	}{
		{"too long", []Step{{Seq: seq, Tokens: long[:5]}}, 0, ErrContext, "5 tokens on top of 60, the limit is 64"},
		{"empty", []Step{{Seq: fresh, Tokens: long}, {Seq: seq}}, 0, ErrEmpty, "step 1"},
		{"vocabulary", []Step{{Seq: seq, Tokens: []int32{3, 50}}}, 0, ErrToken, "token 1 is 50, the vocabulary has 50"},
		{"negative", []Step{{Seq: seq, Tokens: []int32{-1}}}, 0, ErrToken, "token 0 is -1"},
		{"no sequence", []Step{{Tokens: long}}, 0, nil, "was not made by this engine's NewSequence"},
		{"foreign", []Step{{Seq: other.NewSequence(), Tokens: long}}, 0, nil, "was not made by this engine's NewSequence"},
		{"twice", []Step{{Seq: fresh, Tokens: long[:1]}, {Seq: fresh, Tokens: long[:1]}}, 0, nil, "twice"},
		{"threshold", []Step{{Seq: seq, Tokens: long[:1]}}, -0.1, nil, "threshold is -0.1: use 0"},
		{"threshold NaN", []Step{{Seq: seq, Tokens: long[:1]}}, math.NaN(), nil, "threshold is NaN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := e.Forward(t.Context(), c.steps, c.tau, ignore)
			wantError(t, err, c.text)
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("errors.Is does not find %v in %v", c.is, err)
			}
			if seq.Len() != 60 || fresh.Len() != 0 {
				t.Errorf("sequences have %d and %d tokens afterwards", seq.Len(), fresh.Len())
			}
		})
	}
	if err := e.Forward(t.Context(), []Step{{Seq: seq, Tokens: long[:4]}}, 0, ignore); err != nil {
		t.Errorf("the last free positions are refused: %v", err)
	}
}

// TestClassifyErrors does the same for classifying.
func TestClassifyErrors(t *testing.T) {
	sh := regular(inF32)
	e := engineOf(t, random(sh, 1), Options{Threads: 1})
	out := make([]float32, 2*sh.classes)
	for _, c := range []struct {
		name  string
		batch [][]int32
		out   []float32
		text  string
	}{
		{"empty sequence", [][]int32{{1}, {}}, out, "step 1: no tokens"},
		{"too long", [][]int32{{1}, make([]int32, 65)}, out, "65 tokens on top of 0, the limit is 64"},
		{"token", [][]int32{{1}, {-7}}, out, "token 0 is -7"},
		{"room", [][]int32{{1}}, out, "14 logits where 1 sequences of 7 classes need 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := e.Classify(t.Context(), c.batch, 0, c.out)
			wantError(t, err, c.text)
		})
	}
	if _, err := e.Classify(t.Context(), nil, 0.5, nil); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
	sh.classes = 0
	language := engineOf(t, random(sh, 1), Options{Threads: 1})
	_, err := language.Classify(t.Context(), [][]int32{{1}}, 0, nil)
	wantError(t, err, "has no classifier")
	_, err = language.Observe(t.Context(), [][]int32{{1}}, Plan{Layers: 9}, nil, nil)
	wantError(t, err, "plan runs 9 layers, the model has 4")
}

// TestOptionsErrors guards flags that reach the engine unchecked.
func TestOptionsErrors(t *testing.T) {
	m := random(regular(inF32), 1)
	_, err := New(m, Options{Threads: -1})
	wantError(t, err, "threads is -1")
	_, err = New(m, Options{Chunk: -3})
	wantError(t, err, "chunk is -3")
	broken := m.Clone()
	broken.Norm = broken.Norm[1:]
	_, err = New(broken, Options{})
	wantError(t, err, "has 63 values where the configuration asks for 64")
}

// TestCancel guards that Ctrl-C ends a long prompt, and that the conversation
// can go on from what it has read.
func TestCancel(t *testing.T) {
	sh := regular(inF32)
	m := random(sh, 1)
	e := engineOf(t, m, Options{Threads: 2, Chunk: 8})
	ids := tokens(sh.vocab, 5, 40)[0]
	seq := e.NewSequence()
	ctx, cancel := context.WithCancel(t.Context())
	var got []float32
	seen := 0
	collect := func(_, pos int, l []float32) {
		got = append(got[:pos*sh.vocab], l...)
		if seen++; seen == 16 {
			cancel()
		}
	}
	if err := e.Forward(ctx, []Step{{Seq: seq, Tokens: ids, All: true}}, 0, collect); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if seq.Len() != 16 {
		t.Fatalf("%d tokens read, cancelled after 16", seq.Len())
	}
	if err := e.Forward(t.Context(), []Step{{Seq: seq, Tokens: ids[16:], All: true}}, 0, collect); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, allLogits(t, m, Options{Threads: 1}, ways[0], [][]int32{ids})[0]) {
		t.Error("a cancelled sequence goes on differently")
	}
}

// TestDecodeAllocatesNothing guards latency: garbage of a decode step would be
// collected in the middle of somebody's sample.
func TestDecodeAllocatesNothing(t *testing.T) {
	for _, s := range invariantStores {
		sh := regular(s.of)
		sh.positions = 1024
		m := withGates(random(sh, 1), 1)
		e := engineOf(t, m, Options{Threads: 2})
		prompts := tokens(sh.vocab, 3, 6, 20, 3)
		steps := make([]Step, len(prompts))
		for i := range steps {
			steps[i] = Step{Seq: e.NewSequence(), Tokens: prompts[i]}
			steps[i].Seq.Reserve(sh.positions)
		}
		var sum float32
		out := func(_, _ int, l []float32) { sum += l[0] }
		decode := func() {
			if err := e.Forward(t.Context(), steps, 0.5, out); err != nil {
				t.Fatal(err)
			}
		}
		decode()
		next := []int32{4}
		for i := range steps {
			steps[i].Tokens = next
		}
		for range 300 { // past the first growth of the rotation table
			decode()
		}
		if n := testing.AllocsPerRun(100, decode); n > 0 {
			t.Errorf("%s: a decode step of %d sequences allocates %g times", s.name, len(steps), n)
		}
	}
}

// TestClassifyHardlyAllocates guards the same for batches: the counts returned
// are the only garbage.
func TestClassifyHardlyAllocates(t *testing.T) {
	sh := regular(inBits(4, 32))
	e := engineOf(t, withGates(random(sh, 1), 1), Options{Threads: 2})
	batch := tokens(sh.vocab, 3, 6, 20, 3, 44)
	logits := make([]float32, len(batch)*sh.classes)
	run := func() {
		if _, err := e.Classify(t.Context(), batch, 0.5, logits); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if n := testing.AllocsPerRun(50, run); n > 2 {
		t.Errorf("classifying allocates %g times, want 2 at most", n)
	}
}
