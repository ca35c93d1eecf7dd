package model

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Layer is one transformer block. Nil attention or MLP matrices mean that the
// block was removed; its residual connection stays.
type Layer struct {
	Heads, KVHeads, FFN int

	AttnNorm, MLPNorm []float32 // RMSNorm gains, hidden values each; nil with their block

	Q    *Matrix // Heads·HeadDim × hidden
	K, V *Matrix // KVHeads·HeadDim × hidden
	O    *Matrix // hidden × Heads·HeadDim

	Gate, Up *Matrix // FFN × hidden
	Down     *Matrix // hidden × FFN
}

// HasAttention reports whether the attention block is there.
func (l *Layer) HasAttention() bool { return l.Q != nil }

// HasMLP reports whether the MLP block is there.
func (l *Layer) HasMLP() bool { return l.Gate != nil }

// GateKind is what a gate decides about.
type GateKind string

// The kinds of gate: one skips the attention block of its layer, the other
// ends the sequence's computation after its layer.
const (
	GateAttention GateKind = "attention"
	GateExit      GateKind = "exit"
)

// Gate decides by need = sigmoid(Weight·features + Bias) whether a sequence
// still needs the attention block of Layer, or the layers after Layer.
type Gate struct {
	Layer  int
	Kind   GateKind
	Weight []float32 // hidden values
	Bias   float32

	Exit     *Matrix   // classes × hidden, exit gates of classifiers only
	ExitBias []float32 // classes values
}

// Model is a language model, with or without a classifier on its last token.
type Model struct {
	Config

	Embed  *Matrix // vocabulary × hidden
	Layers []Layer
	Norm   []float32 // final RMSNorm gain
	Head   *Matrix   // vocabulary × hidden; nil = tied to Embed

	Classifier     *Matrix // classes × hidden, nil = none
	ClassifierBias []float32

	Gates []Gate

	Meta map[string]string // free text kept in the file: recipe, parent_sha256
	Path string            // where it was loaded from, "" if made in memory
	Hash string            // SHA-256 of the loaded files, hex; "" after Open, see HashPath

	files []io.Closer // that stored matrices read
}

// Close closes the files that a model from Open reads; its stored matrices are
// of no use afterwards. Other models need no closing, and clones share one.
func (m *Model) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	m.files = nil
	return errors.Join(errs...)
}

// materialize reads every stored matrix into memory and closes the files.
func (m *Model) materialize() error {
	for _, s := range m.matrixSlots() {
		if *s.at == nil {
			continue
		}
		w, err := (*s.at).Materialize()
		if err != nil {
			return err
		}
		*s.at = w
	}
	return m.Close()
}

// Clone copies the model's structure; matrices, gains and biases are shared,
// so replace them instead of writing into them. Path and Hash are kept.
func (m *Model) Clone() *Model {
	out := *m
	out.Layers = slices.Clone(m.Layers)
	out.Gates = slices.Clone(m.Gates)
	out.Meta = maps.Clone(m.Meta)
	out.Config.Labels = slices.Clone(m.Config.Labels)
	if e := m.Config.Harness; e != nil {
		out.Config.Harness = &Extension{
			Layers: slices.Clone(e.Layers), Gates: slices.Clone(e.Gates), Recipe: slices.Clone(e.Recipe),
		}
	}
	return &out
}

// Matrices calls yield with every matrix and its name in the file, in a fixed
// order, until yield returns false. The embedding comes first.
func (m *Model) Matrices(yield func(name string, w *Matrix) bool) {
	for _, s := range m.matrixSlots() {
		if *s.at != nil && !yield(s.name, *s.at) {
			return
		}
	}
}

// BlockParams counts the values of all layers' matrices, without embedding,
// head, classifier, gains and gates.
func (m *Model) BlockParams() int64 {
	var n int64
	for i := range m.Layers {
		l := &m.Layers[i]
		for _, w := range []*Matrix{l.Q, l.K, l.V, l.O, l.Gate, l.Up, l.Down} {
			n += w.Params()
		}
	}
	return n
}

// Params counts every stored value of the model.
func (m *Model) Params() int64 {
	var n int64
	for _, w := range m.Matrices {
		n += w.Params()
	}
	for _, v := range m.vectorSlots() {
		n += int64(len(*v.at))
	}
	return n
}

// StoredBytes is what the weights take in a file, without headers.
func (m *Model) StoredBytes() int64 {
	var n int64
	for _, w := range m.Matrices {
		n += w.StoredBytes()
	}
	for _, v := range m.vectorSlots() {
		n += 4 * int64(len(*v.at))
	}
	return n
}

// Validate checks every shape against the configuration. The error names the
// tensor.
func (m *Model) Validate() error {
	c := &m.Config
	if err := c.Validate(); err != nil {
		return err
	}
	if len(m.Layers) != c.NumLayers {
		return fmt.Errorf("%d layers where num_hidden_layers is %d", len(m.Layers), c.NumLayers)
	}
	for i := range m.Layers {
		if err := m.Layers[i].validateBlocks(i); err != nil {
			return err
		}
	}
	for i, g := range m.Gates {
		if err := (GateShape{g.Layer, g.Kind}).validate(c.NumLayers); err != nil {
			return fmt.Errorf("gate %d: %w", i, err)
		}
	}
	for _, s := range m.matrixSlots() {
		w := *s.at
		if w == nil {
			if s.optional {
				continue
			}
			return fmt.Errorf("tensor %s is missing", s.name)
		}
		if w.Rows != s.rows || w.Cols != s.cols {
			return fmt.Errorf("tensor %s has the shape %d×%d where the configuration asks for %d×%d", s.name, w.Rows, w.Cols, s.rows, s.cols)
		}
		if err := w.Validate(); err != nil {
			return fmt.Errorf("tensor %s: %w", s.name, err)
		}
	}
	for _, s := range m.vectorSlots() {
		if len(*s.at) == 0 && s.optional {
			continue
		}
		if len(*s.at) != s.n {
			return fmt.Errorf("tensor %s has %d values where the configuration asks for %d", s.name, len(*s.at), s.n)
		}
	}
	return nil
}

func (l *Layer) validateBlocks(i int) error {
	if a := l.HasAttention(); a != (l.K != nil) || a != (l.V != nil) || a != (l.O != nil) {
		return fmt.Errorf("layer %d has only some of its attention matrices", i)
	}
	if p := l.HasMLP(); p != (l.Up != nil) || p != (l.Down != nil) {
		return fmt.Errorf("layer %d has only some of its MLP matrices", i)
	}
	if l.HasAttention() && (l.Heads < 1 || l.KVHeads < 1 || l.Heads%l.KVHeads != 0) {
		return fmt.Errorf("layer %d has %d heads on %d key/value heads", i, l.Heads, l.KVHeads)
	}
	return nil
}
