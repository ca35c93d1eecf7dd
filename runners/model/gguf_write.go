package model

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// ggufKind is a way to store a whole model in a GGUF file: the type of its
// matrices, that of those which llama.cpp's mixes keep finer, and llama.cpp's
// number for it.
type ggufKind struct {
	plain, fine ggmlType
	fileType    uint32
}

var ggufKinds = map[string]ggufKind{
	"F32":    {ggmlF32, ggmlF32, 0},
	"F16":    {ggmlF16, ggmlF16, 1},
	"Q4_0":   {ggmlQ4_0, ggmlQ4_0, 2},
	"Q8_0":   {ggmlQ8_0, ggmlQ8_0, 7},
	"Q4_K":   {ggmlQ4_K, ggmlQ4_K, 14},
	"Q4_K_M": {ggmlQ4_K, ggmlQ6_K, 15},
	"Q6_K":   {ggmlQ6_K, ggmlQ6_K, 18},
	"BF16":   {ggmlBF16, ggmlBF16, 32},
}

// GGUFKinds lists the names that WriteGGUF takes, in lower case.
func GGUFKinds() []string {
	var names []string
	for name := range ggufKinds {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	return names
}

// of is the type of the matrix that llama.cpp calls name, of rows of cols
// values. In a mix the head (the embedding where it serves as one) and, in
// layers that moreBits picks, the value and down matrices are the finer ones.
// Rows that are not whole superblocks take Q8_0, rows that are not whole blocks
// F16.
func (k ggufKind) of(name string, cols int, c *Config) ggmlType {
	t := k.plain
	var layer int
	var leaf string
	switch n, _ := fmt.Sscanf(name, "blk.%d.%s", &layer, &leaf); {
	case name == "output.weight", name == "token_embd.weight" && c.TieWordEmbeddings:
		t = k.fine
	case n == 2 && (leaf == "attn_v.weight" || leaf == "ffn_down.weight") && moreBits(layer, c.NumLayers):
		t = k.fine
	}
	for _, t := range []ggmlType{t, ggmlQ8_0} {
		if values, _ := t.block(); cols%values == 0 {
			return t
		}
	}
	return ggmlF16
}

// moreBits is llama.cpp's choice for the mixes named M: the first and the last
// eighth of the layers and every third between.
func moreBits(layer, layers int) bool {
	eighth := layers / 8
	return layer < eighth || layer >= 7*layers/8 || (layer-eighth)%3 == 2
}

// WriteGGUF writes the model as a GGUF file that llama.cpp reads, atomically
// and some rows at a time. Kind is a name of GGUFKinds in any case. Integer
// matrices in groups that are whole blocks of 32 keep their integers and scales
// where the kind's type has room for them (Q8_0 always, Q4_0 up to 4 bits);
// everything else is rounded anew. Factored matrices are multiplied out;
// classifier and gates have no place in the format and are left out; layers
// that pruning made unequal are refused. tok may have fewer pieces than the
// model has ids.
func WriteGGUF(path string, m *Model, tok Vocabulary, kind string) error {
	k, ok := ggufKinds[strings.ToUpper(kind)]
	if !ok {
		return fmt.Errorf("writing %s: kind %q is not one of %s", path, kind, strings.Join(GGUFKinds(), ", "))
	}
	w, err := newGGUFFile(m, tok, k)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return replaceFile(path, w.write)
}

// ggufFile is a file about to be written.
type ggufFile struct {
	header  []byte
	tensors []ggufTensor
	rows    []*Matrix   // of each tensor, nil for vectors
	vectors [][]float32 // nil for matrices
}

func newGGUFFile(m *Model, tok Vocabulary, kind ggufKind) (*ggufFile, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	config, err := m.uniform()
	if err != nil {
		return nil, err
	}
	if tok, err = tok.fit(config.VocabSize); err != nil {
		return nil, err
	}
	f := &ggufFile{}
	for _, s := range m.matrixSlots() {
		if name := ggufName(s.name); name != "" && *s.at != nil {
			f.add(ggufTensor{name: name, dims: []int{s.cols, s.rows}, kind: kind.of(name, s.cols, &config)}, *s.at, nil)
		}
	}
	for _, s := range m.vectorSlots() {
		if name := ggufName(s.name); name != "" {
			f.add(ggufTensor{name: name, dims: []int{s.n}, kind: ggmlF32}, nil, *s.at)
		}
	}
	w := &ggufWriter{}
	config.write(w, cmp.Or(m.Meta["name"], "model"), kind)
	tok.write(w)
	f.header = w.header(f.tensors)
	return f, nil
}

func (f *ggufFile) add(t ggufTensor, m *Matrix, v []float32) {
	values, bytes := t.kind.block()
	t.size = int64(bytes)
	for i, d := range t.dims {
		if i == 0 {
			d /= values
		}
		t.size *= int64(d)
	}
	if n := len(f.tensors); n > 0 {
		last := f.tensors[n-1]
		t.offset = aligned(last.offset + last.size)
	}
	f.tensors, f.rows, f.vectors = append(f.tensors, t), append(f.rows, m), append(f.vectors, v)
}

// uniform is the configuration with the one shape that all layers have.
func (m *Model) uniform() (Config, error) {
	c := m.Config
	if len(m.Layers) == 0 {
		return c, unsupportedf("a model without layers has no place in GGUF")
	}
	first := &m.Layers[0]
	for i := range m.Layers {
		l := &m.Layers[i]
		if !l.HasAttention() || !l.HasMLP() {
			return c, unsupportedf("layer %d has lost a block, which has no place in GGUF: export a model that was not pruned", i)
		}
		if l.Heads != first.Heads || l.KVHeads != first.KVHeads || l.FFN != first.FFN {
			return c, unsupportedf("layer %d has other widths than layer 0, which has no place in GGUF: export a model that was not pruned", i)
		}
	}
	c.NumHeads, c.NumKVHeads, c.IntermediateSize = first.Heads, first.KVHeads, first.FFN
	c.TieWordEmbeddings = m.Head == nil
	return c, nil
}

// write adds the shape to the metadata.
func (c *Config) write(w *ggufWriter, name string, kind ggufKind) {
	w.str("general.architecture", ggufArchitecture)
	w.str("general.name", name)
	w.u32("general.file_type", kind.fileType)
	w.u32("general.quantization_version", 2)
	const p = ggufArchitecture + "."
	for _, f := range []struct {
		key   string
		value int
	}{
		{"block_count", c.NumLayers},
		{"context_length", c.MaxPositions},
		{"embedding_length", c.HiddenSize},
		{"feed_forward_length", c.IntermediateSize},
		{"attention.head_count", c.NumHeads},
		{"attention.head_count_kv", c.NumKVHeads},
		{"attention.key_length", c.HeadDim},
		{"attention.value_length", c.HeadDim},
		{"rope.dimension_count", c.HeadDim},
		{"vocab_size", c.VocabSize},
	} {
		w.u32(p+f.key, uint32(f.value))
	}
	w.f32(p+"rope.freq_base", float32(c.RopeTheta))
	w.f32(p+"attention.layer_norm_rms_epsilon", float32(c.RMSNormEps))
}

// write writes the whole file.
func (f *ggufFile) write(out *os.File) error {
	if _, err := out.WriteAt(f.header, 0); err != nil {
		return err
	}
	data := int64(len(f.header))
	for i, t := range f.tensors {
		at := data + t.offset
		var err error
		if v := f.vectors[i]; v != nil {
			err = writeEncoded(out, at, codings[t.kind], v)
		} else {
			err = writeMatrix(out, at, t.kind, f.rows[i])
		}
		if err != nil {
			return fmt.Errorf("tensor %s: %w", t.name, err)
		}
	}
	last := f.tensors[len(f.tensors)-1]
	return out.Truncate(aligned(data + last.offset + last.size))
}

func writeEncoded(out *os.File, at int64, c *coding, v []float32) error {
	b := make([]byte, len(v)/c.values*c.bytes)
	if err := c.encode(b, v); err != nil {
		return err
	}
	_, err := out.WriteAt(b, at)
	return err
}

// writeMatrix writes the rows of w from byte at on, several at once.
func writeMatrix(out *os.File, at int64, kind ggmlType, w *Matrix) error {
	c := codings[kind]
	width := w.Cols / c.values * c.bytes
	encode := rowEncoder(kind, w)
	return eachRows(w.Rows, w.Cols, func(from, n int) error {
		b := make([]byte, n*width)
		if err := encode(from, n, b); err != nil {
			return err
		}
		_, err := out.WriteAt(b, at+int64(from)*int64(width))
		return err
	})
}
