package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed-c6f48606/harness/kernels"
)

// everyTier runs f with each kernel set of this machine.
func everyTier(t *testing.T, f func(t *testing.T)) {
	for _, tier := range kernels.Available() {
		t.Run(tier.String(), func(t *testing.T) {
			restore, err := kernels.Force(tier)
			if err != nil {
				t.Fatal(err)
			}
			defer restore()
			f(t)
		})
	}
}

var invariantStores = []struct {
	name string
	of   storage
}{
	{"f32", inF32}, {"bf16", inBF16}, {"int8", inBits(8, 32)}, {"int4", inBits(4, 32)}, {"factored int4", inFactors(inBits(4, 32))},
}

// TestLogitsDoNotDependOnCompany guards quality measured once per artefact: were
// a logit to move with the batch, the chunk or the threads, F1 of a sweep's
// cells could not be compared.
func TestLogitsDoNotDependOnCompany(t *testing.T) {
	everyTier(t, func(t *testing.T) {
		for _, s := range invariantStores {
			for _, sh := range []shape{regular(s.of), odd(s.of)} {
				m := random(sh, 1)
				ids := tokens(sh.vocab, 2, 1, 40, 7, 33, 2, 18)
				want := allLogits(t, m, Options{Threads: 1}, ways[0], ids)
				for _, threads := range []int{1, 2, 3} {
					for _, w := range ways {
						got := allLogits(t, m, Options{Threads: threads}, w, ids)
						for i := range ids {
							if !slices.Equal(got[i], want[i]) {
								t.Errorf("%s, hidden %d, sequence %d: other logits with %s on %d threads", s.name, sh.hidden, i, w.name, threads)
							}
						}
					}
				}
			}
		}
	})
}

// TestClassesDoNotDependOnBatch guards the same for the classifier, with and
// without gates: the batch axis must not change F1.
func TestClassesDoNotDependOnBatch(t *testing.T) {
	for _, s := range invariantStores {
		sh := regular(s.of)
		m := withGates(random(sh, 1), 1)
		ids := tokens(sh.vocab, 3, 5, 1, 64, 12, 30, 8, 3, 21, 2, 50, 9)
		for _, threshold := range []float64{0, 0.3, 0.6, 1} {
			alone := engineOf(t, m, Options{Threads: 1})
			var want []float32
			var sum Stats
			for i := range ids {
				got := make([]float32, sh.classes)
				st, err := alone.Classify(t.Context(), ids[i:i+1], threshold, got)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, got...)
				sum.Tokens, sum.Eligible, sum.Skipped = sum.Tokens+st.Tokens, sum.Eligible+st.Eligible, sum.Skipped+st.Skipped
				sum.DenseMAC, sum.ExecutedMAC, sum.Int8MAC = sum.DenseMAC+st.DenseMAC, sum.ExecutedMAC+st.ExecutedMAC, sum.Int8MAC+st.Int8MAC
			}
			for _, threads := range []int{1, 2} {
				e := engineOf(t, m, Options{Threads: threads})
				for range 2 { // the second time in used buffers
					got := make([]float32, len(ids)*sh.classes)
					st, err := e.Classify(t.Context(), ids, threshold, got)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s, threshold %g, %d threads: a batch has other logits than its sequences alone", s.name, threshold, threads)
					}
					st.Exits = nil
					if a, b := fmt.Sprint(st), fmt.Sprint(sum); a != b {
						t.Errorf("%s, threshold %g: a batch counts %s, its sequences alone %s", s.name, threshold, a, b)
					}
				}
			}
		}
	}
}

// TestResetForgets guards that a sequence that was reset or whose cache
// has grown answers like a new one.
func TestResetForgets(t *testing.T) {
	m := random(regular(inBits(8, 32)), 1)
	e := engineOf(t, m, Options{Threads: 2, KV: "f16"})
	ids := tokens(50, 5, 64, 20)
	read := func(s *Sequence, ids []int32) []float32 {
		var out []float32
		if err := e.Forward(t.Context(), []Step{{Seq: s, Tokens: ids}}, 0, func(_, _ int, l []float32) { out = slices.Clone(l) }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	used, reserved := e.NewSequence(), e.NewSequence()
	reserved.Reserve(1 << 30)
	read(used, ids[0])
	used.Reset()
	want := read(e.NewSequence(), ids[1])
	if !slices.Equal(read(used, ids[1]), want) || !slices.Equal(read(reserved, ids[1]), want) {
		t.Error("a sequence that was used or reserved before answers differently")
	}
	if used.Len() != 20 {
		t.Errorf("length %d after 20 tokens", used.Len())
	}
	// 4 layers x 2 KV heads x 16 channels, keys and values, 64 positions, 2 bytes.
	if got, want := reserved.Bytes(), int64(4*2*16*2*64*2); got != want {
		t.Errorf("a reserved cache holds %d bytes, the model's positions need %d", got, want)
	}
}

// TestBatchIsOnePass guards continuous batching: one token each of 16
// conversations of any depth takes every weight once, and all answer as alone.
func TestBatchIsOnePass(t *testing.T) {
	sh := regular(inBits(4, 32))
	sh.classes, sh.positions = 0, 512
	m := random(sh, 1)
	e := engineOf(t, m, Options{Threads: 2})
	alone := engineOf(t, m, Options{Threads: 1})
	const batch = 16
	var steps []Step
	want := make([][]float32, batch)
	for i := range batch {
		ids := tokens(sh.vocab, uint64(i), 1+29*i, 1)
		steps = append(steps, Step{Seq: e.NewSequence(), Tokens: ids[0]})
		s := alone.NewSequence()
		for _, part := range ids {
			if err := alone.Forward(t.Context(), []Step{{Seq: s, Tokens: part}}, 0, func(_, _ int, l []float32) { want[i] = slices.Clone(l) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.Forward(t.Context(), steps, 0, ignore); err != nil {
		t.Fatal(err)
	}
	for i := range steps {
		steps[i].Tokens = tokens(sh.vocab, uint64(i), 1+29*i, 1)[1]
	}
	answers := 0
	if err := e.Forward(t.Context(), steps, 0, func(step, pos int, l []float32) {
		answers++
		if pos != 1+29*step || !slices.Equal(l, want[step]) {
			t.Errorf("sequence %d at position %d answers differently in a batch", step, pos)
		}
		if e.pass.rows != batch {
			t.Errorf("sequence %d is in a pass of %d rows, not %d", step, e.pass.rows, batch)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if answers != batch {
		t.Errorf("%d answers to %d tokens", answers, batch)
	}
}
