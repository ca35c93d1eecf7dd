package engine

import (
	"fmt"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
)

// nano is about the shape of the shipped classifiers.
func nano(of storage) shape {
	return shape{hidden: 256, headDim: 64, vocab: 4096, classes: 150, positions: 512, layers: uniform(6, 768), store: of}
}

// speed calls f, which reads so many tokens, and reports tokens a second.
func speed(b *testing.B, tokens int, f func() error) {
	b.Helper()
	if err := f(); err != nil { // buffers grow
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*tokens)/b.Elapsed().Seconds(), "tok/s")
}

// prefill measures one prompt of n tokens with logits after the last.
func prefill(b *testing.B, e *Engine, n int) {
	seq := e.NewSequence()
	seq.Reserve(n)
	steps := []Step{{Seq: seq, Tokens: tokens(e.config.VocabSize, 2, n)[0]}}
	speed(b, n, func() error {
		seq.Reset()
		return e.Forward(b.Context(), steps, 0, ignore)
	})
}

// decode measures single tokens of each sequence behind depth others and more.
func decode(b *testing.B, e *Engine, depths ...int) {
	const more = 64
	steps := make([]Step, len(depths))
	for i, d := range depths {
		seq := e.NewSequence()
		seq.Reserve(d + 1 + more)
		steps[i] = Step{Seq: seq, Tokens: tokens(e.config.VocabSize, 2, d+1)[0]}
	}
	if err := e.Forward(b.Context(), steps, 0, ignore); err != nil {
		b.Fatal(err)
	}
	one := []int32{7}
	for i := range steps {
		steps[i].Tokens = one
	}
	run := 0
	speed(b, len(steps), func() error {
		for i, d := range depths {
			steps[i].Seq.pos = d + 1 + run%more
		}
		run++
		return e.Forward(b.Context(), steps, 0, ignore)
	})
}

// BenchmarkNano is a small model in every storage: a prompt, and tokens.
func BenchmarkNano(b *testing.B) {
	for _, s := range invariantStores {
		sh := nano(s.of)
		sh.classes = 0
		e := engineOf(b, random(sh, 1), Options{})
		b.Run(s.name+"/prefill=512", func(b *testing.B) { prefill(b, e, 512) })
		b.Run(s.name+"/decode@64", func(b *testing.B) { decode(b, e, 64) })
	}
}

// BenchmarkClassify is the sweep's workload: short utterances by batch.
func BenchmarkClassify(b *testing.B) {
	for _, s := range invariantStores {
		for _, batch := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/batch=%d", s.name, batch), func(b *testing.B) {
				sh := nano(s.of)
				e := engineOf(b, random(sh, 1), Options{})
				lengths, sum := make([]int, batch), 0
				for i := range lengths {
					lengths[i] = 8 + 5*i%11
					sum += lengths[i]
				}
				ids, logits := tokens(sh.vocab, 2, lengths...), make([]float32, batch*sh.classes)
				speed(b, sum, func() error {
					_, err := e.Classify(b.Context(), ids, 0, logits)
					return err
				})
				b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "seq/s")
			})
		}
	}
}

// BenchmarkErnie is ERNIE-4.5-0.3B with random weights, as llama-bench measures
// it: prompts, tokens at a depth, tokens of many sequences.
func BenchmarkErnie(b *testing.B) {
	for _, bits := range []int{8, 4} {
		b.Run(fmt.Sprintf("q%d", bits), func(b *testing.B) {
			e := engineOf(b, ernie{bits: bits, keep: 1, rank: 1}.model(), Options{})
			for _, n := range []int{128, 1024, 8192} {
				b.Run(fmt.Sprintf("prefill=%d", n), func(b *testing.B) { prefill(b, e, n) })
			}
			for _, depth := range []int{0, 1024} {
				b.Run(fmt.Sprintf("decode@%d", depth), func(b *testing.B) { decode(b, e, depth) })
			}
			depths := make([]int, 16)
			b.Run("decode@0/batch=16", func(b *testing.B) { decode(b, e, depths...) })
			for i := range depths {
				depths[i] = 32 * i
			}
			b.Run("decode@0-480/batch=16", func(b *testing.B) { decode(b, e, depths...) })
		})
	}
}

// BenchmarkErnieKV compares formats of keys and values where they count.
func BenchmarkErnieKV(b *testing.B) {
	m := ernie{bits: 4, keep: 1, rank: 1}.model()
	for _, kv := range []string{"f32", "f16", "q16", "q8"} {
		e := engineOf(b, m, Options{KV: kv})
		b.Run(kv+"/prefill=4096", func(b *testing.B) { prefill(b, e, 4096) })
		b.Run(kv+"/decode@4096", func(b *testing.B) { decode(b, e, 4096) })
	}
}

// BenchmarkErnieCompressed is real time against the promise of the axes: pruned
// and factored to half of the blocks' parameters, with the whole head and with
// label rows, as a prompt is classified, and with blocks left out until no more than
// 40 % of the products of the blocks are done.
func BenchmarkErnieCompressed(b *testing.B) {
	labels := []int32{5, 17, 2000, 40000, 103000}
	dense := ernie{bits: 8, keep: 1, rank: 1}
	for _, c := range []struct {
		name string
		ernie
	}{{"dense", dense}, {"prune=.5", ernie{bits: 8, keep: .5, rank: 1}}, {"rank=.5", ernie{bits: 8, keep: 1, rank: .5}}} {
		b.Run(c.name, func(b *testing.B) {
			e := engineOf(b, c.model(), Options{})
			for _, n := range []int{128, 1024} {
				b.Run(fmt.Sprintf("prefill=%d", n), func(b *testing.B) { prefill(b, e, n) })
			}
			b.Run("decode", func(b *testing.B) { decode(b, e, 0) })
			if err := e.Restrict(labels); err != nil {
				b.Fatal(err)
			}
			b.Run("decode/labels", func(b *testing.B) { decode(b, e, 0) })
			b.Run("prefill=128/labels", func(b *testing.B) { prefill(b, e, 128) })
		})
	}
	e := engineOf(b, dense.model(), Options{})
	attention, ffn := make([]bool, ernieLayers), make([]bool, ernieLayers)
	for l := 1; l < 12; l++ {
		attention[l], ffn[l] = l%2 == 1, l%3 == 1
	}
	for _, plan := range []struct {
		name string
		Plan
	}{{"all", Plan{}}, {"skip", Plan{SkipAttention: attention, SkipFFN: ffn, Layers: 10}}} {
		b.Run("plan="+plan.name, func(b *testing.B) {
			batch := tokens(ernieVocab, 2, 1024)
			var st Stats
			speed(b, 1024, func() (err error) {
				st, err = e.Observe(b.Context(), batch, plan.Plan, nil, nil)
				return err
			})
			b.ReportMetric(100*float64(st.ExecutedMAC)/float64(st.DenseMAC), "%MAC")
		})
	}
}

// BenchmarkPrefix is a classifier's instruction of 256 tokens with questions of
// 16, read anew or shared.
func BenchmarkPrefix(b *testing.B) {
	m := ernie{bits: 8, keep: 1, rank: 1, classes: 10}.model()
	instruction := tokens(ernieVocab, 1, 256)[0]
	batch := tokens(ernieVocab, 2, 16, 16, 16, 16)
	for i := range batch {
		batch[i] = append(instruction[:256:256], batch[i]...)
	}
	logits := make([]float32, 10*len(batch))
	for _, share := range []bool{false, true} {
		e := engineOf(b, m, Options{SharePrefix: share})
		b.Run(fmt.Sprintf("share=%v", share), func(b *testing.B) {
			speed(b, 4*272, func() error {
				_, err := e.Classify(b.Context(), batch, 0, logits)
				return err
			})
		})
	}
}

// BenchmarkNew is packing of a model that lies in memory.
func BenchmarkNew(b *testing.B) {
	for _, bits := range []int{8, 4} {
		var m *model.Model
		b.Run(fmt.Sprintf("q%d", bits), func(b *testing.B) {
			if m == nil {
				m = ernie{bits: bits, keep: 1, rank: 1}.model()
			}
			var bytes int64
			for b.Loop() {
				e, err := New(m, Options{})
				if err != nil {
					b.Fatal(err)
				}
				bytes = e.Bytes()
				e.Close()
			}
			b.SetBytes(bytes)
		})
	}
}
