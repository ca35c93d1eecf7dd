package engine

import (
	"fmt"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
)

// odd has no width that fits a kernel: every layer of its own shape, blocks
// missing, channels short of a quantization group.
func odd(of storage) shape {
	return shape{
		hidden: 44, headDim: 6, vocab: 37, classes: 5, positions: 40, store: of,
		layers: []model.LayerShape{
			{Heads: 6, KVHeads: 3, FFN: 51, Attention: true, MLP: true},
			{FFN: 7, MLP: true},
			{Heads: 2, KVHeads: 1, Attention: true},
			{},
			{Heads: 1, KVHeads: 1, FFN: 130, Attention: true, MLP: true},
		},
	}
}

// TestShapesAgainstDefinition guards variants that compression makes and no
// reference file holds: uneven widths, missing blocks, factors, few bits. A
// failure means that F1 and perplexity of such an artefact are those of another
// model.
func TestShapesAgainstDefinition(t *testing.T) {
	stores := []struct {
		name string
		of   storage
		rms  float64 // limit with int8 activations, of logits of about unit size; 0 = as exact
	}{
		{"f32", inF32, 0},
		{"bf16", inBF16, 0},
		{"int8", inBits(8, 32), 0.05},
		{"int6 group 64", inBits(6, 64), 0.05},
		{"int4", inBits(4, 32), 0.05},
		{"int2", inBits(2, 32), 0.05},
		{"factored f32", inFactors(inF32), 0},
		{"factored int4", inFactors(inBits(4, 32)), 0.07},
		{"factors of unequal ranks", factors(inBits(8, 32), inBits(8, 32), 3), 0.07},
		{"factors f32 and int8", factors(inF32, inBits(8, 32), 3), 0.07},
		{"factors int8 and f32", factors(inBits(8, 32), inF32, 3), 0.07},
	}
	for _, s := range stores {
		for name, sh := range map[string]shape{"regular": regular(s.of), "odd": odd(s.of), "tied": func() shape { r := odd(s.of); r.tied = true; return r }()} {
			for _, exact := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/exact=%v", name, s.name, exact), func(t *testing.T) {
					m := random(sh, 1)
					ids := tokens(sh.vocab, 2, 1, 9, 40)
					want := make([][]float32, len(ids))
					for i := range ids {
						want[i] = unrouted(m).vocabulary(ids[i])
					}
					got := allLogits(t, m, Options{Threads: 2, Exact: exact}, ways[0], ids)
					for i := range ids {
						d := deviate(got[i], want[i], sh.vocab, 2e-3)
						if exact || s.rms == 0 {
							if d.greatest > 2e-4 || d.flips > 0 {
								t.Errorf("%d tokens: largest error %.2g, %d wrong best tokens", len(ids[i]), d.greatest, d.flips)
							}
						} else if d.rms > s.rms {
							t.Errorf("%d tokens: root mean square error %.4f, limit %.3f", len(ids[i]), d.rms, s.rms)
						}
					}
				})
			}
		}
	}
}

// TestClassifyAgainstDefinition guards the class that a user gets.
func TestClassifyAgainstDefinition(t *testing.T) {
	for name, sh := range map[string]shape{"regular": regular(inF32), "odd": odd(inF32)} {
		m := random(sh, 3)
		e := engineOf(t, m, Options{Threads: 2, Chunk: 16})
		ids := tokens(sh.vocab, 4, 3, 1, 17, 39)
		got := make([]float32, len(ids)*sh.classes)
		if _, err := e.Classify(t.Context(), ids, 0, got); err != nil {
			t.Fatal(err)
		}
		for i := range ids {
			want := unrouted(m).classes(ids[i], m.Classifier, m.ClassifierBias)
			if d := deviate(got[i*sh.classes:][:sh.classes], want, sh.classes, 1e-3); d.greatest > 1e-4 || d.flips > 0 {
				t.Errorf("%s, sequence %d: largest error %.2g", name, i, d.greatest)
			}
		}
	}
}

// TestBytesFollowStorage guards the memory axis: fewer bits and lower rank must
// show in what is held, and no weight may be held twice by a classifier.
func TestBytesFollowStorage(t *testing.T) {
	sh := regular(nil)
	sh.layers, sh.hidden, sh.headDim = uniform(3, 512), 256, 64
	last := int64(1 << 62)
	for _, s := range []struct {
		name  string
		of    storage
		slack float64 // over what the file takes
	}{
		{"f32", inF32, 1.05},
		{"bf16", inBF16, 1.05},
		{"int8", inBits(8, 32), 1.15},
		{"int4", inBits(4, 32), 1.15},
		{"factored int4", inFactors(inBits(4, 32)), 1.3},
	} {
		sh.store = s.of
		m := random(sh, 5)
		e := engineOf(t, m, Options{Threads: 1})
		stored := m.StoredBytes() - m.Head.StoredBytes() // unused by a classifier
		if got := e.Bytes(); got >= last || float64(got) > s.slack*float64(stored) || got < stored/2 {
			t.Errorf("%s holds %d bytes: stored are %d, the format before held %d", s.name, got, stored, last)
		} else {
			last = got
		}
	}
}

// engineOf returns an engine that the test closes.
func engineOf(t testing.TB, m *model.Model, o Options) *Engine {
	t.Helper()
	e, err := New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}
