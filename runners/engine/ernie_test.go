package engine

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// quick stores fast random integers of about unit gain: the speed of a shape
// does not depend on the values.
func quick(bits int) func(rows, cols int) *model.Matrix {
	rng := rand.New(rand.NewPCG(1, uint64(bits)))
	return func(rows, cols int) *model.Matrix {
		const group = 32
		m := &model.Matrix{Rows: rows, Cols: cols, Bits: bits, Group: group, Q: make([]int8, rows*cols), Scale: make([]uint16, rows*((cols+group-1)/group))}
		for i := 0; i < len(m.Q); {
			for v := rng.Uint64(); i < len(m.Q) && v != 0; i, v = i+1, v>>8 {
				m.Q[i] = int8(v) >> (8 - bits)
			}
		}
		scale := kernels.F32ToF16(float32(1.5 / float64(int(1)<<(bits-1)) / 32))
		for i := range m.Scale {
			m.Scale[i] = scale
		}
		return m
	}
}

// ernie is the shape of ERNIE-4.5-0.3B with random weights. keep is the share of
// heads and channels that pruning leaves, rank the share of parameters that
// factoring leaves; 1 is dense.
type ernie struct {
	bits       int
	keep, rank float64
	classes    int
}

const ernieVocab, ernieHidden, ernieLayers = 103424, 1024, 18

func (s ernie) model() *model.Model {
	w := quick(s.bits)
	factored := func(rows, cols int) *model.Matrix {
		if s.rank == 1 {
			return w(rows, cols)
		}
		r := int(s.rank * float64(rows*cols) / float64(rows+cols))
		return &model.Matrix{Rows: rows, Cols: cols, B: w(rows, r), A: w(r, cols)}
	}
	ones := make([]float32, ernieHidden)
	for i := range ones {
		ones[i] = 1
	}
	m := &model.Model{Config: model.Config{
		ModelType: model.ModelType, HiddenSize: ernieHidden, NumLayers: ernieLayers, HeadDim: 128, IntermediateSize: 3072,
		NumHeads: 16, NumKVHeads: 2, VocabSize: ernieVocab, MaxPositions: 131072, RopeTheta: 500000, RMSNormEps: 1e-5,
		TieWordEmbeddings: true, BOS: 1, EOS: 2,
	}}
	m.Embed, m.Norm = w(ernieVocab, ernieHidden), ones
	for range ernieLayers {
		ffn, kv := int(3072*s.keep), max(1, int(2*s.keep))
		heads := int(16 * s.keep)
		m.Layers = append(m.Layers, model.Layer{
			Heads: heads, KVHeads: kv, FFN: ffn, AttnNorm: ones, MLPNorm: ones,
			Q: factored(heads*128, ernieHidden), K: factored(kv*128, ernieHidden), V: factored(kv*128, ernieHidden), O: factored(ernieHidden, heads*128),
			Gate: factored(ffn, ernieHidden), Up: factored(ffn, ernieHidden), Down: factored(ernieHidden, ffn),
		})
	}
	if s.classes > 0 {
		m.Classifier, m.ClassifierBias = w(s.classes, ernieHidden), make([]float32, s.classes)
		m.Config.Labels = make([]string, s.classes)
		for i := range m.Config.Labels {
			m.Config.Labels[i] = fmt.Sprint(i)
		}
	}
	return m
}

func ignore(int, int, []float32) {}
