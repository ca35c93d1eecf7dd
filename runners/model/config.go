package model

import (
	"encoding/json"
	"fmt"
	"math"
)

// ModelType is the one architecture this engine runs.
const ModelType = "ernie4_5"

// Upper bounds of a plausible configuration. They keep products of two of them
// far from overflow and refuse absurd files before any allocation.
const (
	maxHidden    = 1 << 16
	maxFFN       = 1 << 20
	maxLayers    = 1 << 10
	maxHeads     = 1 << 10
	maxHeadDim   = 1 << 12
	maxVocab     = 1 << 22
	maxPositions = 1 << 24
	maxLabels    = 1 << 16
)

// Config is a model's shape. Its JSON keys are those of Hugging Face's
// config.json for ERNIE-4.5; pruned layers are described by Harness.
type Config struct {
	ModelType        string
	HiddenSize       int
	IntermediateSize int // FFN width of an unpruned layer
	NumLayers        int
	NumHeads         int // query heads of an unpruned layer
	NumKVHeads       int
	HeadDim          int // even; hidden/heads where the file says nothing
	VocabSize        int
	MaxPositions     int
	RopeTheta        float64
	RMSNormEps       float64

	TieWordEmbeddings bool
	BOS, EOS, PAD     int // token ids

	Labels  []string   // class names in class order; nil = no classifier
	Harness *Extension // nil in files from elsewhere
}

// Extension is the part of config.json that Hugging Face has no key for.
type Extension struct {
	Layers []LayerShape    `json:"layers,omitempty"`
	Gates  []GateShape     `json:"gates,omitempty"`
	Recipe json.RawMessage `json:"recipe,omitempty"` // how the model was made
}

// LayerShape is the shape of one layer after pruning.
type LayerShape struct {
	Heads     int  `json:"heads"`
	KVHeads   int  `json:"kv_heads"`
	FFN       int  `json:"ffn"`
	Attention bool `json:"attention"` // false = attention block removed
	MLP       bool `json:"mlp"`       // false = MLP block removed
}

// GateShape says where a gate sits and what it decides.
type GateShape struct {
	Layer int      `json:"layer"`
	Kind  GateKind `json:"kind"`
}

// shape is the shape of layer l.
func (c *Config) shape(l int) LayerShape {
	if c.Harness != nil && l < len(c.Harness.Layers) {
		return c.Harness.Layers[l]
	}
	return LayerShape{Heads: c.NumHeads, KVHeads: c.NumKVHeads, FFN: c.IntermediateSize, Attention: true, MLP: true}
}

// Validate refuses a configuration that no model can have. The error names the
// key, its value and its limit.
func (c *Config) Validate() error {
	if c.ModelType != ModelType {
		return unsupportedf("model_type %q is not supported (supported: %q, the dense ERNIE-4.5 models)", c.ModelType, ModelType)
	}
	for _, f := range []struct {
		key       string
		value, to int
	}{
		{"hidden_size", c.HiddenSize, maxHidden},
		{"intermediate_size", c.IntermediateSize, maxFFN},
		{"num_hidden_layers", c.NumLayers, maxLayers},
		{"num_attention_heads", c.NumHeads, maxHeads},
		{"num_key_value_heads", c.NumKVHeads, maxHeads},
		{"head_dim", c.HeadDim, maxHeadDim},
		{"vocab_size", c.VocabSize, maxVocab},
		{"max_position_embeddings", c.MaxPositions, maxPositions},
	} {
		if f.value < 1 || f.value > f.to {
			return fmt.Errorf("%s is %d, not between 1 and %d", f.key, f.value, f.to)
		}
	}
	if c.HeadDim%2 != 0 {
		return fmt.Errorf("head_dim is %d, but rotary embedding needs an even one", c.HeadDim)
	}
	if c.NumHeads%c.NumKVHeads != 0 {
		return fmt.Errorf("num_attention_heads is %d, not a multiple of num_key_value_heads %d", c.NumHeads, c.NumKVHeads)
	}
	if !(c.RopeTheta > 1) || math.IsInf(c.RopeTheta, 0) || c.RopeTheta > 1e12 {
		return fmt.Errorf("rope_theta is %g, not between 1 and 1e12", c.RopeTheta)
	}
	if !(c.RMSNormEps > 0) || c.RMSNormEps > 1 {
		return fmt.Errorf("rms_norm_eps is %g, not above 0 and at most 1", c.RMSNormEps)
	}
	for _, f := range []struct {
		key string
		id  int
	}{{"bos_token_id", c.BOS}, {"eos_token_id", c.EOS}, {"pad_token_id", c.PAD}} {
		if f.id < -1 || f.id >= c.VocabSize {
			return fmt.Errorf("%s is %d, outside the vocabulary of %d", f.key, f.id, c.VocabSize)
		}
	}
	if len(c.Labels) > maxLabels {
		return fmt.Errorf("id2label has %d classes, more than %d", len(c.Labels), maxLabels)
	}
	return c.validateExtension()
}

func (c *Config) validateExtension() error {
	if c.Harness == nil {
		return nil
	}
	if n := len(c.Harness.Layers); n != 0 && n != c.NumLayers {
		return fmt.Errorf("harness.layers has %d entries for %d layers", n, c.NumLayers)
	}
	for l, s := range c.Harness.Layers {
		if s.Attention && (s.Heads < 1 || s.Heads > maxHeads || s.KVHeads < 1 || s.Heads%s.KVHeads != 0) {
			return fmt.Errorf("harness.layers[%d] has %d heads on %d key/value heads", l, s.Heads, s.KVHeads)
		}
		if s.MLP && (s.FFN < 1 || s.FFN > maxFFN) {
			return fmt.Errorf("harness.layers[%d].ffn is %d, not between 1 and %d", l, s.FFN, maxFFN)
		}
	}
	if n := len(c.Harness.Gates); n > 2*c.NumLayers {
		return fmt.Errorf("harness.gates has %d entries for %d layers", n, c.NumLayers)
	}
	for i, g := range c.Harness.Gates {
		if err := g.validate(c.NumLayers); err != nil {
			return fmt.Errorf("harness.gates[%d]: %w", i, err)
		}
	}
	return nil
}

func (g GateShape) validate(layers int) error {
	if g.Kind != GateAttention && g.Kind != GateExit {
		return fmt.Errorf("kind %q is neither %q nor %q", g.Kind, GateAttention, GateExit)
	}
	if g.Layer < 0 || g.Layer >= layers {
		return fmt.Errorf("layer %d is outside the %d layers", g.Layer, layers)
	}
	return nil
}
