package train

import (
	"encoding/json"
	"fmt"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// roundWeights returns a copy of flat in which every matrix is rounded to
// bf16, as the saved file holds it; gains and biases stay f32.
func roundWeights(s shape, flat []float32) []float32 {
	out := append([]float32(nil), flat...)
	for _, g := range s.segments() {
		if !g.matrix {
			continue
		}
		for i := g.lo; i < g.hi; i++ {
			out[i] = kernels.BF16ToF32(kernels.F32ToBF16(out[i]))
		}
	}
	return out
}

// special are the token ids a model's configuration names.
type special struct{ bos, eos, pad int32 }

// export makes the model of a flat vector.
func export(s shape, flat []float32, labels []string, ids special, positions int, recipe json.RawMessage) (*model.Model, error) {
	w := viewWeights(s, flat)
	m := &model.Model{
		Config: model.Config{
			ModelType: model.ModelType, HiddenSize: s.hidden, IntermediateSize: s.ffn, NumLayers: s.layers,
			NumHeads: s.heads, NumKVHeads: s.kvHeads, HeadDim: s.headDim, VocabSize: s.vocab, MaxPositions: positions,
			RopeTheta: s.theta, RMSNormEps: s.eps, TieWordEmbeddings: true,
			BOS: int(ids.bos), EOS: int(ids.eos), PAD: int(ids.pad), Labels: labels,
			Harness: &model.Extension{Recipe: recipe},
		},
		Embed: bf16Matrix(w.embed, s.vocab, s.hidden), Norm: clone(w.norm),
		Classifier: bf16Matrix(w.classifier, s.classes, s.hidden), ClassifierBias: clone(w.bias),
	}
	q, kv, d, f := s.qWidth(), s.kvWidth(), s.hidden, s.ffn
	for _, l := range w.layers {
		m.Layers = append(m.Layers, model.Layer{
			Heads: s.heads, KVHeads: s.kvHeads, FFN: f, AttnNorm: clone(l.attnNorm), MLPNorm: clone(l.mlpNorm),
			Q: bf16Matrix(l.qkv[:q*d], q, d), K: bf16Matrix(l.qkv[q*d:(q+kv)*d], kv, d), V: bf16Matrix(l.qkv[(q+kv)*d:], kv, d),
			O: bf16Matrix(l.o, d, q), Gate: bf16Matrix(l.gateUp[:f*d], f, d), Up: bf16Matrix(l.gateUp[f*d:], f, d), Down: bf16Matrix(l.down, d, f),
		})
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("exporting the trained model: %w", err)
	}
	return m, nil
}

func clone(x []float32) []float32 { return append([]float32(nil), x...) }

func bf16Matrix(w []float32, rows, cols int) *model.Matrix {
	out := make([]uint16, len(w))
	for i, v := range w {
		out[i] = kernels.F32ToBF16(v)
	}
	return &model.Matrix{Rows: rows, Cols: cols, BF16: out}
}
