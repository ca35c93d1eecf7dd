package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// The files of a saved model.
const (
	configName  = "config.json"
	weightsName = "model.safetensors"
	indexName   = "model.safetensors.index.json"
)

// Save writes the model as a folder: config.json and model.safetensors. See
// SaveWith.
func (m *Model) Save(dir string) error { return m.SaveWith(dir, nil) }

// SaveWith writes the model and more files (a tokenizer, a README) by name. A
// folder that does not exist yet appears complete or not at all; in one that
// exists each file is replaced atomically, the weights first. The weights'
// metadata hold m.Meta, the recipe of Config.Harness where m.Meta has none, and
// m.Hash, if set, as parent_sha256.
func (m *Model) SaveWith(dir string, files map[string][]byte) error {
	out := m.Clone()
	out.describe()
	if err := out.Validate(); err != nil {
		return fmt.Errorf("saving model to %s: %w", dir, err)
	}
	for name := range files {
		if !filepath.IsLocal(name) || filepath.Base(name) != name || name == configName || name == weightsName {
			return fmt.Errorf("saving model to %s: %q is not a name for a file beside the weights", dir, name)
		}
	}
	if err := out.saveFolder(filepath.Clean(dir), files); err != nil {
		return fmt.Errorf("saving model to %s: %w", dir, err)
	}
	return nil
}

// describe brings Config.Harness and Meta in line with the layers.
func (m *Model) describe() {
	ext := Extension{}
	if e := m.Config.Harness; e != nil {
		ext.Recipe = e.Recipe
	}
	plain := m.shapeless()
	for i := range m.Layers {
		l := &m.Layers[i]
		s := LayerShape{Attention: l.HasAttention(), MLP: l.HasMLP()}
		if s.Attention {
			s.Heads, s.KVHeads = l.Heads, l.KVHeads
		}
		if s.MLP {
			s.FFN = l.FFN
		}
		if s != plain.shape(i) || ext.Layers != nil {
			if ext.Layers == nil {
				for j := range i {
					ext.Layers = append(ext.Layers, plain.shape(j))
				}
			}
			ext.Layers = append(ext.Layers, s)
		}
	}
	for _, g := range m.Gates {
		ext.Gates = append(ext.Gates, GateShape{g.Layer, g.Kind})
	}
	m.Config.Harness = nil
	if ext.Layers != nil || ext.Gates != nil || ext.Recipe != nil {
		m.Config.Harness = &ext
	}
	meta := map[string]string{"format": "pt"}
	if ext.Recipe != nil {
		meta["recipe"] = string(ext.Recipe)
	}
	maps.Copy(meta, m.Meta)
	if m.Hash != "" {
		meta["parent_sha256"] = m.Hash
	}
	m.Meta = meta
}

// shapeless is the configuration without per-layer shapes.
func (m *Model) shapeless() *Config {
	c := m.Config
	c.Harness = nil
	return &c
}

func (m *Model) saveFolder(dir string, files map[string][]byte) error {
	target := dir
	_, err := os.Stat(dir)
	fresh := errors.Is(err, os.ErrNotExist)
	if fresh {
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return explain(err)
		}
		if target, err = os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".tmp-*"); err != nil {
			return explain(err)
		}
		defer os.RemoveAll(target) // gone after the rename
		if err := os.Chmod(target, 0o755); err != nil {
			return err
		}
	}
	if err := m.writeWeights(filepath.Join(target, weightsName)); err != nil {
		return err
	}
	config, err := json.Marshal(m.Config)
	if err != nil {
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, config, "", "  "); err != nil {
		return err
	}
	pretty.WriteByte('\n')
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeBytes(filepath.Join(target, name), files[name]); err != nil {
			return err
		}
	}
	if err := writeBytes(filepath.Join(target, configName), pretty.Bytes()); err != nil {
		return err
	}
	if !fresh {
		return nil
	}
	return os.Rename(target, dir)
}

func writeBytes(path string, b []byte) error {
	return writeAtomic(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// writeWeights writes model.safetensors.
func (m *Model) writeWeights(path string) error {
	var parts []part
	shapes := map[string]intShape{}
	for name, w := range m.Matrices {
		parts = appendMatrix(parts, shapes, name, w)
	}
	for _, v := range m.vectorSlots() {
		if len(*v.at) > 0 {
			parts = append(parts, part{TensorInfo{v.name, "F32", []int{len(*v.at)}}, emitF32(*v.at)})
		}
	}
	for i, g := range m.Gates {
		parts = append(parts, part{TensorInfo{gateBiasName(i), "F32", []int{1}}, emitF32([]float32{g.Bias})})
	}
	meta := maps.Clone(m.Meta)
	delete(meta, matricesKey)
	if len(shapes) > 0 {
		text, err := json.Marshal(shapes)
		if err != nil {
			return err
		}
		meta[matricesKey] = string(text)
	}
	return writeAtomic(path, func(w io.Writer) error { return writeParts(w, meta, parts) })
}

func gateBiasName(i int) string { return fmt.Sprintf("gates.%d.bias", i) }

// appendMatrix adds the tensors that hold w: NAME itself, NAME.q and
// NAME.scale, or NAME.b and NAME.a.
func appendMatrix(parts []part, shapes map[string]intShape, name string, w *Matrix) []part {
	shape := []int{w.Rows, w.Cols}
	switch w.Kind() {
	case KindF32:
		return append(parts, part{TensorInfo{name, "F32", shape}, emitF32(w.F32)})
	case KindBF16:
		return append(parts, part{TensorInfo{name, "BF16", shape}, emitU16(w.BF16, bf16Exponent)})
	case KindInt:
		shapes[name] = intShape{w.Rows, w.Cols, w.Bits, w.Group}
		packed := int(packedBytes(w.Params(), w.Bits))
		return append(
			parts,
			part{TensorInfo{name + ".q", "U8", []int{packed}}, func(out io.Writer) error {
				_, err := out.Write(packBits(w.Q, w.Bits))
				return err
			}},
			part{TensorInfo{name + ".scale", "F16", []int{w.Rows, w.Groups()}}, emitU16(w.Scale, f16Exponent)},
		)
	case KindStored:
		return appendStored(parts, shapes, name, w)
	}
	return appendMatrix(appendMatrix(parts, shapes, name+".b", w.B), shapes, name+".a", w.A)
}

// appendStored adds the tensors of the form that w materializes to, which each
// of them does when it is written.
func appendStored(parts []part, shapes map[string]intShape, name string, w *Matrix) []part {
	for i, p := range appendMatrix(nil, shapes, name, w.form()) {
		p.emit = func(out io.Writer) error {
			m, err := w.Materialize()
			if err != nil {
				return err
			}
			return appendMatrix(nil, map[string]intShape{}, name, m)[i].emit(out)
		}
		parts = append(parts, p)
	}
	return parts
}
