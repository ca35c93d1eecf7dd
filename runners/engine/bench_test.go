package engine

import (
	"fmt"
	"testing"
)

// nano is about the shape of the shipped classifiers.
func nano(of storage) shape {
	return shape{hidden: 256, headDim: 64, vocab: 4096, classes: 150, positions: 512, layers: uniform(6, 768), store: of}
}

// BenchmarkPrefill is the throughput of one long prompt.
func BenchmarkPrefill(b *testing.B) {
	for _, s := range invariantStores {
		b.Run(s.name, func(b *testing.B) {
			sh := nano(s.of)
			sh.classes = 0
			e := engineOf(b, random(sh, 1), Options{})
			ids := tokens(sh.vocab, 2, 512)[0]
			seq := e.NewSequence()
			steps := []Step{{Seq: seq, Tokens: ids}}
			for b.Loop() {
				seq.Reset()
				if err := e.Forward(b.Context(), steps, 0, func(int, int, []float32) {}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(ids))/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

// BenchmarkDecode is the speed of single tokens behind 64 others.
func BenchmarkDecode(b *testing.B) {
	for _, s := range invariantStores {
		b.Run(s.name, func(b *testing.B) {
			sh := nano(s.of)
			sh.classes = 0
			e := engineOf(b, random(sh, 1), Options{})
			ids := tokens(sh.vocab, 2, 65)[0]
			seq := e.NewSequence()
			steps := []Step{{Seq: seq, Tokens: ids[:64]}}
			read := func() {
				if err := e.Forward(b.Context(), steps, 0, func(int, int, []float32) {}); err != nil {
					b.Fatal(err)
				}
			}
			read()
			steps[0].Tokens = ids[64:]
			for b.Loop() {
				if seq.pos == sh.positions {
					seq.pos = 64
				}
				read()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tok/s")
		})
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
				for b.Loop() {
					if _, err := e.Classify(b.Context(), ids, 0, logits); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*sum)/b.Elapsed().Seconds(), "tok/s")
				b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "seq/s")
			})
		}
	}
}
