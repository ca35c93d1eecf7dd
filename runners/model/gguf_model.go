package model

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ggufArchitecture is the value of general.architecture for dense ERNIE-4.5.
const ggufArchitecture = "ernie4_5"

// ggufLayerNames maps our names within a layer to llama.cpp's. Its conversion
// of ERNIE-4.5 leaves the rows of q and k as they are in the checkpoint
// (interleaved rotary pairs), so nothing is permuted here.
var ggufLayerNames = map[string]string{
	"self_attn.q_proj.weight": "attn_q.weight", "self_attn.k_proj.weight": "attn_k.weight",
	"self_attn.v_proj.weight": "attn_v.weight", "self_attn.o_proj.weight": "attn_output.weight",
	"mlp.gate_proj.weight": "ffn_gate.weight", "mlp.up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight",
	"input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
}

// ggufName is llama.cpp's name for the tensor that our files call name.
func ggufName(name string) string {
	switch name {
	case "model.embed_tokens.weight":
		return "token_embd.weight"
	case "model.norm.weight":
		return "output_norm.weight"
	case "lm_head.weight":
		return "output.weight"
	}
	if rest, ok := strings.CutPrefix(name, "model.layers."); ok {
		if layer, leaf, ok := strings.Cut(rest, "."); ok && ggufLayerNames[leaf] != "" {
			return "blk." + layer + "." + ggufLayerNames[leaf]
		}
	}
	return ""
}

// openGGUF builds the model of a file, whose rows stay there.
func openGGUF(path string) (*Model, error) {
	g, err := OpenGGUF(path)
	if err != nil {
		return nil, err
	}
	m, err := g.model()
	if err != nil {
		g.Close()
		return nil, err
	}
	m.files = append(m.files, g)
	return m, nil
}

// model builds the model the file describes.
func (g *GGUF) model() (*Model, error) {
	path := g.path
	config, err := g.config()
	if err != nil {
		return nil, fmt.Errorf("reading GGUF file %s: %w", path, err)
	}
	m := &Model{Config: config, Meta: map[string]string{}}
	if name, ok := g.String("general.name"); ok {
		m.Meta["name"] = name
	}
	m.Layers = make([]Layer, m.NumLayers)
	for i := range m.Layers {
		m.Layers[i] = Layer{Heads: m.NumHeads, KVHeads: m.NumKVHeads, FFN: m.IntermediateSize, Q: &Matrix{}, Gate: &Matrix{}}
	}
	used := map[string]bool{}
	for _, s := range m.matrixSlots() {
		name := ggufName(s.name)
		if name == "" || s.optional {
			continue // a GGUF file of this architecture has no classifier
		}
		used[name] = true
		if *s.at, err = g.matrix(name, s.rows, s.cols); err != nil {
			return nil, err
		}
	}
	for _, s := range m.vectorSlots() {
		name := ggufName(s.name)
		if name == "" || s.optional {
			continue
		}
		used[name] = true
		if *s.at, err = g.vector(name, s.n); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.tensors)) {
		if !used[name] {
			return nil, unsupportedf("%s holds tensor %s, which a dense %s model of %d layers has no use for", path, name, ModelType, m.NumLayers)
		}
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// config translates the metadata. Absent keys take llama.cpp's defaults.
func (g *GGUF) config() (Config, error) {
	arch, ok := g.String("general.architecture")
	if !ok {
		return Config{}, errors.New("it does not say its general.architecture")
	}
	if arch != ggufArchitecture {
		return Config{}, unsupportedf("its architecture is %q (supported: %q)", arch, ggufArchitecture)
	}
	if _, ok := g.String(arch + ".rope.scaling.type"); ok {
		if t, _ := g.String(arch + ".rope.scaling.type"); t != "none" {
			return Config{}, unsupportedf("its rope.scaling.type %q is not supported (supported: none)", t)
		}
	}
	c := Config{ModelType: ModelType, BOS: 1, EOS: 2, PAD: 0, RopeTheta: 10000, RMSNormEps: 1e-5}
	for _, f := range []struct {
		key      string
		at       *int
		optional bool
	}{
		{"block_count", &c.NumLayers, false},
		{"embedding_length", &c.HiddenSize, false},
		{"feed_forward_length", &c.IntermediateSize, false},
		{"attention.head_count", &c.NumHeads, false},
		{"context_length", &c.MaxPositions, false},
		{"attention.head_count_kv", &c.NumKVHeads, true},
		{"attention.key_length", &c.HeadDim, true},
	} {
		v, ok := g.Int(arch + "." + f.key)
		if !ok && !f.optional {
			return Config{}, fmt.Errorf("its key %s.%s is missing or not one integer", arch, f.key)
		}
		if v < 0 || v > math.MaxInt32 {
			return Config{}, fmt.Errorf("its key %s.%s is %d", arch, f.key, v)
		}
		*f.at = int(v)
	}
	if c.NumKVHeads == 0 {
		c.NumKVHeads = c.NumHeads
	}
	if c.HeadDim == 0 && c.NumHeads > 0 {
		c.HeadDim = c.HiddenSize / c.NumHeads
	}
	for key, want := range map[string]int{"attention.value_length": c.HeadDim, "rope.dimension_count": c.HeadDim} {
		if v, ok := g.Int(arch + "." + key); ok && v != int64(want) {
			return Config{}, unsupportedf("its key %s.%s is %d where %d, the head dimension, is supported", arch, key, v, want)
		}
	}
	if v, ok := g.Float(arch + ".rope.freq_base"); ok {
		c.RopeTheta = v
	}
	if v, ok := g.Float(arch + ".attention.layer_norm_rms_epsilon"); ok {
		c.RMSNormEps = shortest(v)
	}
	embed, ok := g.tensors["token_embd.weight"]
	if !ok || len(embed.dims) != 2 {
		return Config{}, errors.New("its tensor token_embd.weight is missing or no matrix")
	}
	c.VocabSize = embed.dims[1]
	_, head := g.tensors["output.weight"]
	c.TieWordEmbeddings = !head
	for key, at := range map[string]*int{"bos": &c.BOS, "eos": &c.EOS, "padding": &c.PAD} {
		if v, ok := g.Int("tokenizer.ggml." + key + "_token_id"); ok && v >= 0 && v < int64(c.VocabSize) {
			*at = int(v)
		}
	}
	return c, c.Validate()
}

// shortest undoes the widening of a float32: 9.999999747378752e-06 was written
// as 1e-05.
func shortest(v float64) float64 {
	s, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64)
	if err != nil {
		return v
	}
	return s
}
