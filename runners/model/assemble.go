package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// loadWeights builds the model that the configuration describes from the
// tensors of a file.
func loadWeights(configPath string, w *weights) (*Model, error) {
	config, err := LoadConfig(configPath)
	if err != nil {
		return nil, err
	}
	return assemble(config, w)
}

// assemble builds the model of a configuration from tensors.
func assemble(config Config, w *weights) (*Model, error) {
	ints, err := parseIntShapes(w.meta[matricesKey])
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", w.path, err)
	}
	a := &assembly{
		weights: w, ints: ints, used: map[string]bool{},
		model: &Model{Config: config, Meta: maps.Clone(w.meta)},
	}
	delete(a.model.Meta, matricesKey)
	if err := a.build(); err != nil {
		return nil, err
	}
	if err := a.model.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", w.path, err)
	}
	return a.model, nil
}

// assembly is one load under way.
type assembly struct {
	*weights
	ints  map[string]intShape
	used  map[string]bool
	model *Model
}

func (a *assembly) build() error {
	m := a.model
	prefix, err := a.prefix()
	if err != nil {
		return err
	}
	// Placeholders make the slots list the blocks that are to be read.
	m.Layers = make([]Layer, m.NumLayers)
	for i := range m.Layers {
		s := m.Config.shape(i)
		l := &m.Layers[i]
		if s.Attention {
			l.Heads, l.KVHeads = s.Heads, s.KVHeads
			l.Q = &Matrix{}
		}
		if s.MLP {
			l.FFN = s.FFN
			l.Gate = &Matrix{}
		}
	}
	if m.Harness != nil {
		for _, g := range m.Harness.Gates {
			m.Gates = append(m.Gates, Gate{Layer: g.Layer, Kind: g.Kind})
		}
	}
	if err := a.readFused(prefix); err != nil {
		return err
	}
	for _, s := range m.matrixSlots() {
		if *s.at != nil && (*s.at).Rows > 0 {
			continue // came out of a fused tensor
		}
		if err := a.readSlot(prefix, s); err != nil {
			return err
		}
	}
	for _, s := range m.vectorSlots() {
		name := a.fileName(prefix, s.name)
		if s.optional && !a.has(name) {
			continue
		}
		if *s.at, err = a.vector(name, s.n, a.used); err != nil {
			return err
		}
	}
	for i := range m.Gates {
		bias, err := a.vector(gateBiasName(i), 1, a.used)
		if err != nil {
			return err
		}
		m.Gates[i].Bias = bias[0]
	}
	return a.leftOver()
}

// prefix is what layer names start with: "model." in Hugging Face's files,
// "ernie." in Paddle's.
func (a *assembly) prefix() (string, error) {
	const embed = "embed_tokens.weight"
	for _, p := range []string{"model.", "ernie."} {
		for _, storage := range []string{"", ".q", ".a", ".a.q"} {
			if a.has(p + embed + storage) {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("%s holds neither model.%s nor ernie.%s: its tensors are not named as ERNIE-4.5's", a.path, embed, embed)
}

// fileName is the name in the file of the tensor that our files call name.
func (a *assembly) fileName(prefix, name string) string {
	if rest, ok := strings.CutPrefix(name, "model."); ok {
		return prefix + rest
	}
	if name == "classifier.weight" && !a.has(name) && !a.has(name+".q") && a.has("score.weight") {
		return "score.weight" // Hugging Face's name
	}
	return name
}

func (a *assembly) readSlot(prefix string, s matrixSlot) error {
	name := a.fileName(prefix, s.name)
	if s.at == &a.model.Head && a.model.TieWordEmbeddings {
		a.used[name] = true // some files hold the tied matrix twice
		return nil
	}
	w, err := a.matrix(name, s.rows, s.cols, a.ints, a.used)
	if errors.Is(err, errMissing) && s.optional {
		return nil
	}
	if err != nil {
		return err
	}
	*s.at = w
	return nil
}

// readFused splits Paddle's fused tensors by rows: qkv_proj = [q; k; v] and
// up_gate_proj = [gate; up].
func (a *assembly) readFused(prefix string) error {
	c := &a.model.Config
	for i := range a.model.Layers {
		l := &a.model.Layers[i]
		p := fmt.Sprintf("%slayers.%d.", prefix, i)
		if l.HasAttention() {
			q, kv := l.Heads*c.HeadDim, l.KVHeads*c.HeadDim
			if err := a.split(p+"self_attn.qkv_proj.weight", []**Matrix{&l.Q, &l.K, &l.V}, []int{q, kv, kv}); err != nil {
				return err
			}
		}
		if l.HasMLP() {
			if err := a.split(p+"mlp.up_gate_proj.weight", []**Matrix{&l.Gate, &l.Up}, []int{l.FFN, l.FFN}); err != nil {
				return err
			}
		}
	}
	return nil
}

// split reads consecutive row ranges of one tensor as separate matrices.
func (a *assembly) split(name string, into []**Matrix, rows []int) error {
	if !a.has(name) {
		return nil
	}
	a.used[name] = true
	info, at, err := a.find(name)
	if err != nil {
		return err
	}
	total := 0
	for _, n := range rows {
		total += n
	}
	cols := a.model.HiddenSize
	if len(info.Shape) != 2 || info.Shape[0] != total || info.Shape[1] != cols {
		return fmt.Errorf("tensor %s of %s has the shape %v where the configuration asks for [%d %d]", name, a.path, info.Shape, total, cols)
	}
	skip := int64(0)
	for i, part := range into {
		if *part, err = at.matrix(a.label(name), info.DType, skip, rows[i], cols); err != nil {
			return fmt.Errorf("tensor %s of %s: %w", name, a.path, err)
		}
		skip += (*part).StoredBytes()
	}
	return nil
}

// leftOver refuses tensors that nothing asked for: a model with biases,
// experts or more layers would otherwise be computed wrongly without a word.
func (a *assembly) leftOver() error {
	for _, name := range slices.Sorted(maps.Keys(a.where)) {
		if a.used[name] || strings.HasSuffix(name, "rotary_emb.inv_freq") {
			continue
		}
		return unsupportedf("%s holds tensor %s, which a dense %s model of %d layers has no use for", a.path, name, ModelType, a.model.NumLayers)
	}
	return nil
}
