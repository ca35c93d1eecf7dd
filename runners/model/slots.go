package model

import "fmt"

// matrixSlot ties a matrix's name in the file to its place in the model.
type matrixSlot struct {
	name       string
	at         **Matrix
	rows, cols int
	optional   bool
}

// vectorSlot does the same for gains and biases.
type vectorSlot struct {
	name     string
	at       *[]float32
	n        int
	optional bool
}

// matrixSlots lists every matrix that the model's layers, gates and
// configuration call for. Blocks that a layer lacks are left out.
func (m *Model) matrixSlots() []matrixSlot {
	c := &m.Config
	slots := []matrixSlot{{"model.embed_tokens.weight", &m.Embed, c.VocabSize, c.HiddenSize, false}}
	for i := range m.Layers {
		l := &m.Layers[i]
		p := fmt.Sprintf("model.layers.%d.", i)
		if l.HasAttention() {
			q, kv := l.Heads*c.HeadDim, l.KVHeads*c.HeadDim
			slots = append(
				slots,
				matrixSlot{p + "self_attn.q_proj.weight", &l.Q, q, c.HiddenSize, false},
				matrixSlot{p + "self_attn.k_proj.weight", &l.K, kv, c.HiddenSize, false},
				matrixSlot{p + "self_attn.v_proj.weight", &l.V, kv, c.HiddenSize, false},
				matrixSlot{p + "self_attn.o_proj.weight", &l.O, c.HiddenSize, q, false},
			)
		}
		if l.HasMLP() {
			slots = append(
				slots,
				matrixSlot{p + "mlp.gate_proj.weight", &l.Gate, l.FFN, c.HiddenSize, false},
				matrixSlot{p + "mlp.up_proj.weight", &l.Up, l.FFN, c.HiddenSize, false},
				matrixSlot{p + "mlp.down_proj.weight", &l.Down, c.HiddenSize, l.FFN, false},
			)
		}
	}
	slots = append(
		slots,
		matrixSlot{"lm_head.weight", &m.Head, c.VocabSize, c.HiddenSize, c.TieWordEmbeddings},
		matrixSlot{"classifier.weight", &m.Classifier, len(c.Labels), c.HiddenSize, true},
	)
	for i := range m.Gates {
		if g := &m.Gates[i]; g.Kind == GateExit {
			slots = append(slots, matrixSlot{fmt.Sprintf("gates.%d.exit.weight", i), &g.Exit, len(c.Labels), c.HiddenSize, true})
		}
	}
	return slots
}

// vectorSlots lists every gain and bias in the same way.
func (m *Model) vectorSlots() []vectorSlot {
	c := &m.Config
	var slots []vectorSlot
	for i := range m.Layers {
		l := &m.Layers[i]
		p := fmt.Sprintf("model.layers.%d.", i)
		if l.HasAttention() {
			slots = append(slots, vectorSlot{p + "input_layernorm.weight", &l.AttnNorm, c.HiddenSize, false})
		}
		if l.HasMLP() {
			slots = append(slots, vectorSlot{p + "post_attention_layernorm.weight", &l.MLPNorm, c.HiddenSize, false})
		}
	}
	slots = append(
		slots,
		vectorSlot{"model.norm.weight", &m.Norm, c.HiddenSize, false},
		vectorSlot{"classifier.bias", &m.ClassifierBias, len(c.Labels), true},
	)
	for i := range m.Gates {
		g := &m.Gates[i]
		slots = append(slots, vectorSlot{fmt.Sprintf("gates.%d.weight", i), &g.Weight, c.HiddenSize, false})
		if g.Kind == GateExit {
			slots = append(slots, vectorSlot{fmt.Sprintf("gates.%d.exit.bias", i), &g.ExitBias, len(c.Labels), true})
		}
	}
	return slots
}
