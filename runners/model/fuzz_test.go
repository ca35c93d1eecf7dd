package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A hostile file may be refused, but must not crash, hang or take memory
// beyond its own size.
func FuzzSafetensors(f *testing.F) {
	header := `{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}}`
	valid := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	f.Add(append(valid, make([]byte, 19)...))
	f.Add(valid)
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := newSafetensors("fuzz", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		total := 0
		for _, name := range s.Names() {
			tensor, err := s.Tensor(name)
			if err != nil {
				t.Fatalf("a checked tensor: %v", err)
			}
			total += len(tensor.Data)
		}
		if total > len(b) {
			t.Fatalf("%d bytes of tensors from a file of %d", total, len(b))
		}
	})
}

// fuzzConfig is a small valid configuration.
const fuzzConfig = `{"model_type":"ernie4_5","hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,
"num_key_value_heads":1,"head_dim":4,"vocab_size":4,"id2label":{"0":"a"},
"harness":{"layers":[{"heads":2,"kv_heads":1,"ffn":8,"attention":true,"mlp":true}],"gates":[{"layer":0,"kind":"exit"}]}}`

func FuzzConfig(f *testing.F) {
	f.Add([]byte(fuzzConfig))
	f.Add([]byte(`{"model_type":"ernie4_5","eos_token_id":[2,3],"rope_parameters":{"rope_theta":1e4,"rope_type":"default"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig("fuzz", b)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted, yet %v", err)
		}
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseConfig("again", out)
		if err != nil {
			t.Fatalf("written as %s, which is refused: %v", out, err)
		}
		if c.Harness != nil && again.Harness != nil {
			c.Harness.Recipe, again.Harness.Recipe = nil, nil // white space may differ
		}
		if d := cmp.Diff(c, again, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzWeights loads weights under a configuration that fits the seed.
func FuzzWeights(f *testing.F) {
	f.Add(seedWeights(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := newSafetensors("fuzz", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		config, err := parseConfig("fuzz", []byte(fuzzConfig))
		if err != nil {
			t.Fatal(err)
		}
		w := &weights{path: "fuzz", where: map[string]*Safetensors{}, meta: s.meta}
		for name := range s.entries {
			w.where[name] = s
		}
		m, err := assemble(config, w)
		if err != nil || m.materialize() != nil {
			return
		}
		for name, x := range m.Matrices {
			if len(x.Dense()) != x.Rows*x.Cols {
				t.Fatalf("%s has %d values for %d×%d", name, len(x.Dense()), x.Rows, x.Cols)
			}
		}
	})
}

// seedWeights is a file with dense, integer and factored matrices and a gate.
func seedWeights(f *testing.F) []byte {
	config, err := parseConfig("seed", []byte(fuzzConfig))
	if err != nil {
		f.Fatal(err)
	}
	dense := func(rows, cols int) *Matrix {
		return &Matrix{Rows: rows, Cols: cols, F32: make([]float32, rows*cols)}
	}
	ints := &Matrix{Rows: 8, Cols: 8, Q: make([]int8, 64), Scale: make([]uint16, 8), Bits: 3, Group: 32}
	ones := []float32{1, 1, 1, 1, 1, 1, 1, 1}
	m := &Model{
		Config: config, Embed: dense(4, 8), Norm: ones,
		Layers: []Layer{{
			Heads: 2, KVHeads: 1, FFN: 8, AttnNorm: ones, MLPNorm: ones,
			Q: ints, K: dense(4, 8), V: dense(4, 8), O: &Matrix{Rows: 8, Cols: 8, B: dense(8, 2), A: dense(2, 8)},
			Gate: ints, Up: dense(8, 8), Down: dense(8, 8),
		}},
		Classifier: dense(1, 8), Gates: []Gate{{Kind: GateExit, Weight: ones, Exit: dense(1, 8), ExitBias: []float32{0}}},
	}
	dir := filepath.Join(f.TempDir(), "seed")
	if err := m.Save(dir); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, weightsName))
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// ggufSeed is a small GGUF file with a value of each kind and a tensor of each
// type.
func ggufSeed() []byte {
	w := &ggufWriter{}
	w.str("general.architecture", ggufArchitecture)
	w.u32("ernie4_5.block_count", 1)
	w.f32("eps", 1e-5)
	w.bool("flag", true)
	w.strs("list", []string{"a", "b"})
	w.i32s("numbers", []int32{1, 2})
	w.f32s("scores", []float32{1, 2})
	f := &ggufFile{}
	for _, kind := range slices.Sorted(maps.Keys(codings)) {
		f.add(ggufTensor{name: kind.String(), dims: []int{codings[kind].values, 2}, kind: kind}, nil, nil)
	}
	b := w.header(f.tensors)
	for _, t := range f.tensors {
		b = append(b, make([]byte, aligned(t.size))...)
	}
	return b
}

// ggufModelSeed is a whole model in a GGUF file.
func ggufModelSeed(f *testing.F) []byte {
	config, err := parseConfig("seed", []byte(fuzzConfig))
	if err != nil {
		f.Fatal(err)
	}
	config.HiddenSize, config.IntermediateSize, config.VocabSize = 32, 256, 8
	config.Harness, config.Labels = nil, nil
	m := &Model{Config: config, Layers: []Layer{{Heads: 2, KVHeads: 1, FFN: 256, Q: &Matrix{}, Gate: &Matrix{}}}}
	for _, s := range m.matrixSlots() {
		if !s.optional {
			*s.at = storedMatrix(s.rows, s.cols, randomRows{1, 2, s.rows, s.cols, 1})
		}
	}
	for _, s := range m.vectorSlots() {
		*s.at = slices.Repeat([]float32{1}, s.n)
	}
	path := filepath.Join(f.TempDir(), "seed.gguf")
	if err := WriteGGUF(path, m, MadeUp(config.VocabSize), "q4_k_m"); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

func FuzzGGUF(f *testing.F) {
	f.Add(ggufSeed())
	f.Add(ggufModelSeed(f))
	f.Add([]byte("GGUF\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := newGGUF("fuzz", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(g.values)) {
			g.Strings(key)
			g.Floats(key)
			g.Ints(key)
		}
		for name, tensor := range g.tensors {
			if len(tensor.dims) != 2 || tensor.size == 0 {
				continue
			}
			m, err := g.matrix(name, tensor.dims[1], tensor.dims[0])
			if err != nil {
				t.Fatalf("a checked tensor: %v", err)
			}
			readBothWays(t, m)
		}
		if m, err := g.model(); err == nil {
			if err := m.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzEncode writes any values as blocks of any type: they are refused or come
// back finite, no further off than the largest of their block.
func FuzzEncode(f *testing.F) {
	f.Add(make([]byte, 1024))
	f.Add(binary.LittleEndian.AppendUint32(nil, math.Float32bits(65504)))
	f.Add(binary.LittleEndian.AppendUint32(nil, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := make([]float32, superValues)
		for i := range min(len(b)/4, len(x)) {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		for kind, c := range codings {
			src := x[:max(c.values, blockValues)]
			block, got := make([]byte, len(src)/c.values*c.bytes), make([]float32, len(src))
			if c.encode(block, src) != nil {
				continue
			}
			if err := c.floats(block, got); err != nil {
				t.Fatalf("%v: what was written cannot be read: %v", kind, err)
			}
			for i, v := range got {
				if e := math.Abs(float64(v) - float64(src[i])); e > 1.1*float64(largest(src))+1e-6 {
					t.Fatalf("%v: value %d of %g is read as %g", kind, i, src[i], v)
				}
			}
		}
	})
}

// Integers of every width come back from the bit stream, from wherever in it.
func FuzzBits(f *testing.F) {
	f.Add([]byte{1, 2, 3, 255, 128}, uint8(3))
	f.Fuzz(func(t *testing.T, raw []byte, width uint8) {
		bits := 2 + int(width%7)
		q := make([]int8, len(raw))
		for i, v := range raw {
			q[i] = int8(v<<(8-bits)) >> (8 - bits)
		}
		packed := packBits(q, bits)
		if int64(len(packed)) != packedBytes(int64(len(q)), bits) {
			t.Fatalf("%d values of %d bits took %d bytes", len(q), bits, len(packed))
		}
		for from := range min(len(q), 9) {
			got := make([]int8, len(q)-from)
			at := from * bits
			unpackBits(got, packed[at/8:], at%8, bits)
			if d := cmp.Diff(q[from:], got); d != "" {
				t.Fatalf("from value %d on: %s", from, d)
			}
		}
	})
}
