package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// weights is the tensors of one or several safetensors files by name.
type weights struct {
	path  string // for errors
	files []*Safetensors
	where map[string]*Safetensors
	meta  map[string]string
}

func openWeights(path string) (*weights, error) {
	f, err := OpenSafetensors(path)
	if err != nil {
		return nil, err
	}
	w := &weights{path: path, files: []*Safetensors{f}, where: map[string]*Safetensors{}, meta: f.Meta()}
	for name := range f.entries {
		w.where[name] = f
	}
	return w, nil
}

// openShards opens the files that model.safetensors.index.json lists. They
// must lie beside it.
func openShards(dir string) (*weights, error) {
	path := filepath.Join(dir, indexName)
	b, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("reading %s: it has no weight_map", path)
	}
	w := &weights{path: path, where: map[string]*Safetensors{}, meta: map[string]string{}}
	open := map[string]*Safetensors{}
	for _, name := range slices.Sorted(maps.Keys(index.WeightMap)) {
		shard := index.WeightMap[name]
		if !filepath.IsLocal(shard) || filepath.Base(shard) != shard {
			w.close()
			return nil, fmt.Errorf("reading %s: tensor %s is said to be in %q, which is not a file beside it", path, name, shard)
		}
		f := open[shard]
		if f == nil {
			if f, err = OpenSafetensors(filepath.Join(dir, shard)); err != nil {
				w.close()
				return nil, err
			}
			open[shard] = f
			w.files = append(w.files, f)
			maps.Copy(w.meta, f.Meta())
		}
		if _, ok := f.entries[name]; !ok {
			w.close()
			return nil, fmt.Errorf("reading %s: tensor %s is not in %s", path, name, shard)
		}
		w.where[name] = f
	}
	return w, nil
}

// attach makes the model that reads these files close them, or closes them now.
func (w *weights) attach(m *Model, err error) (*Model, error) {
	if err != nil {
		w.close()
		return nil, err
	}
	for _, f := range w.files {
		m.files = append(m.files, f)
	}
	return m, nil
}

func (w *weights) close() {
	for _, f := range w.files {
		f.Close()
	}
}

func (w *weights) has(name string) bool { return w.where[name] != nil }

// find returns a tensor's description and its place.
func (w *weights) find(name string) (TensorInfo, span, error) {
	f := w.where[name]
	if f == nil {
		return TensorInfo{}, span{}, fmt.Errorf("tensor %s is missing from %s", name, w.path)
	}
	e := f.entries[name]
	return e.TensorInfo, span{f.source, f.data + e.begin, e.end - e.begin}, nil
}

// label names a tensor in the errors of reading it.
func (w *weights) label(name string) string { return fmt.Sprintf("tensor %s of %s", name, w.path) }

// matrix reads the matrix NAME in whichever storage the file has it.
func (w *weights) matrix(name string, rows, cols int, ints map[string]intShape, used map[string]bool) (*Matrix, error) {
	m, err := w.anyMatrix(name, rows, cols, ints, used, true)
	if err != nil {
		return nil, fmt.Errorf("tensor %s of %s: %w", name, w.path, err)
	}
	return m, nil
}

func (w *weights) anyMatrix(name string, rows, cols int, ints map[string]intShape, used map[string]bool, factors bool) (*Matrix, error) {
	switch {
	case w.has(name):
		used[name] = true
		info, at, err := w.find(name)
		if err != nil {
			return nil, err
		}
		if len(info.Shape) != 2 || info.Shape[0] != rows || info.Shape[1] != cols {
			return nil, fmt.Errorf("its shape is %v where the configuration asks for [%d %d]", info.Shape, rows, cols)
		}
		return at.matrix(w.label(name), info.DType, 0, rows, cols)
	case w.has(name + ".q"):
		return w.intMatrix(name, rows, cols, ints, used)
	case factors && w.has(name+".a") || factors && w.has(name+".a.q"):
		rank, err := w.rank(name, ints)
		if err != nil {
			return nil, err
		}
		m := &Matrix{Rows: rows, Cols: cols}
		if m.B, err = w.anyMatrix(name+".b", rows, rank, ints, used, false); err != nil {
			return nil, fmt.Errorf("factor b: %w", err)
		}
		if m.A, err = w.anyMatrix(name+".a", rank, cols, ints, used, false); err != nil {
			return nil, fmt.Errorf("factor a: %w", err)
		}
		return m, nil
	}
	return nil, errMissing
}

var errMissing = errors.New("it is missing")

// rank finds the inner dimension of a factored matrix from its factor a.
func (w *weights) rank(name string, ints map[string]intShape) (int, error) {
	r := ints[name+".a"].Rows
	if f := w.where[name+".a"]; f != nil {
		if shape := f.entries[name+".a"].Shape; len(shape) == 2 {
			r = shape[0]
		}
	}
	if r < 1 || r > maxDim {
		return 0, fmt.Errorf("its factors have no usable rank (%d)", r)
	}
	return r, nil
}

func (w *weights) intMatrix(name string, rows, cols int, ints map[string]intShape, used map[string]bool) (*Matrix, error) {
	s, ok := ints[name]
	if !ok {
		return nil, fmt.Errorf("metadata %s do not describe it", matricesKey)
	}
	if s.Rows != rows || s.Cols != cols {
		return nil, fmt.Errorf("its shape is [%d %d] where the configuration asks for [%d %d]", s.Rows, s.Cols, rows, cols)
	}
	if s.Bits < 2 || s.Bits > 8 || s.Group < 32 || s.Group%32 != 0 || s.Group > maxDim {
		return nil, unsupportedf("%d bits in groups of %d are not supported (2 to 8 bits, groups a multiple of 32)", s.Bits, s.Group)
	}
	used[name+".q"], used[name+".scale"] = true, true
	m := &packedRows{intShape: s, label: w.label(name)}
	info, q, err := w.find(name + ".q")
	if err != nil {
		return nil, err
	}
	n := packedBytes(int64(rows)*int64(cols), s.Bits)
	if info.DType != "U8" || int64(info.Elements()) != n {
		return nil, fmt.Errorf("its integers are %s %v where %d bytes of U8 are needed", info.DType, info.Shape, n)
	}
	groups := (cols + s.Group - 1) / s.Group
	info, scale, err := w.find(name + ".scale")
	if err != nil {
		return nil, err
	}
	if info.DType != "F16" || info.Elements() != rows*groups {
		return nil, fmt.Errorf("its scales are %s %v where F16 [%d %d] is needed", info.DType, info.Shape, rows, groups)
	}
	m.q, m.scale = q, scale
	return storedMatrix(rows, cols, m), nil
}

// vector reads a gain or bias of n values.
func (w *weights) vector(name string, n int, used map[string]bool) ([]float32, error) {
	info, at, err := w.find(name)
	if err != nil {
		return nil, err
	}
	used[name] = true
	if len(info.Shape) != 1 || info.Shape[0] != n {
		return nil, fmt.Errorf("tensor %s of %s has the shape %v where the configuration asks for [%d]", name, w.path, info.Shape, n)
	}
	v, err := at.vector(info.DType, n)
	if err != nil {
		return nil, fmt.Errorf("tensor %s of %s: %w", name, w.path, err)
	}
	return v, nil
}
