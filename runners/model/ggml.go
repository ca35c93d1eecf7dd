package model

import (
	"encoding/binary"
	"fmt"
	"io"
)

// ggmlType is the storage of a GGUF tensor.
type ggmlType uint32

// The types this engine reads.
const (
	ggmlF32  ggmlType = 0
	ggmlF16  ggmlType = 1
	ggmlQ4_0 ggmlType = 2
	ggmlQ8_0 ggmlType = 8
	ggmlBF16 ggmlType = 30
)

// ggmlNames lists the types by number, to name those that are refused.
var ggmlNames = map[ggmlType]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1",
	10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K",
	16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
	24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

// String is the type's name in llama.cpp.
func (t ggmlType) String() string {
	if name, ok := ggmlNames[t]; ok {
		return name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// block is the number of values in a block and its bytes, 0 for types that are
// not read.
func (t ggmlType) block() (values, bytes int) {
	switch t {
	case ggmlF32:
		return 1, 4
	case ggmlF16, ggmlBF16:
		return 1, 2
	case ggmlQ4_0:
		return 32, 18
	case ggmlQ8_0:
		return 32, 34
	}
	return 0, 0
}

// matrix reads a tensor as a matrix. Q8_0 and Q4_0 blocks become integers with
// their f16 scales, exactly.
func (g *GGUF) matrix(name string, rows, cols int) (*Matrix, error) {
	t, err := g.tensor(name)
	if err != nil {
		return nil, err
	}
	if len(t.dims) != 2 || t.dims[0] != cols || t.dims[1] != rows {
		return nil, fmt.Errorf("tensor %s of %s has the dimensions %v where the metadata ask for [%d %d]", name, g.path, t.dims, cols, rows)
	}
	r := io.NewSectionReader(g.source, t.offset, t.size)
	m := &Matrix{Rows: rows, Cols: cols}
	switch t.kind {
	case ggmlQ8_0, ggmlQ4_0:
		m.Group = 32
		err = m.readBlocks(r, t.kind)
	default:
		m, err = readDense(r, t.kind.String(), rows, cols)
	}
	if err != nil {
		return nil, fmt.Errorf("tensor %s of %s: %w", name, g.path, err)
	}
	return m, nil
}

// vector reads a tensor of one dimension as float32.
func (g *GGUF) vector(name string, n int) ([]float32, error) {
	t, err := g.tensor(name)
	if err != nil {
		return nil, err
	}
	if len(t.dims) != 1 || t.dims[0] != n {
		return nil, fmt.Errorf("tensor %s of %s has the dimensions %v where the metadata ask for [%d]", name, g.path, t.dims, n)
	}
	v, err := readF32(io.NewSectionReader(g.source, t.offset, t.size), t.kind.String(), n)
	if err != nil {
		return nil, fmt.Errorf("tensor %s of %s: %w", name, g.path, err)
	}
	return v, nil
}

// tensor looks a tensor up and refuses types that are not read.
func (g *GGUF) tensor(name string) (ggufTensor, error) {
	t, ok := g.tensors[name]
	if !ok {
		return ggufTensor{}, fmt.Errorf("tensor %s is missing from %s", name, g.path)
	}
	if values, _ := t.kind.block(); values == 0 {
		return ggufTensor{}, unsupportedf("tensor %s of %s is stored as %v, which is not supported (supported: F32, F16, BF16, Q8_0, Q4_0): convert the model to one of these from its original weights, for instance with llama-quantize, or load those weights and compress them here", name, g.path, t.kind)
	}
	return t, nil
}

// readBlocks reads blocks of 32 values: an f16 scale, then 32 int8 (Q8_0) or
// 16 bytes of two nibbles (Q4_0: byte j holds value j low and j+16 high, each
// 8 too large).
func (m *Matrix) readBlocks(r io.Reader, kind ggmlType) error {
	blocks := m.Rows * m.Cols / 32
	_, width := kind.block()
	m.Q = make([]int8, m.Rows*m.Cols)
	m.Scale = make([]uint16, blocks)
	m.Bits = 8
	if kind == ggmlQ4_0 {
		m.Bits = 4
	}
	return readPieces(r, blocks, width, func(at int, b []byte) error {
		for i := 0; i < len(b); i, at = i+width, at+1 {
			scale := binary.LittleEndian.Uint16(b[i:])
			if scale&f16Exponent == f16Exponent {
				return errNotFinite
			}
			m.Scale[at] = scale
			q, data := m.Q[32*at:32*at+32], b[i+2:i+width]
			if kind == ggmlQ8_0 {
				for j, v := range data {
					q[j] = int8(v)
				}
				continue
			}
			for j, v := range data {
				q[j], q[j+16] = int8(v&15)-8, int8(v>>4)-8
			}
		}
		return nil
	})
}
