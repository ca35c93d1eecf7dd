package model

import "fmt"

// ggmlType is the storage of a GGUF tensor.
type ggmlType uint32

// The types this engine reads and writes.
const (
	ggmlF32  ggmlType = 0
	ggmlF16  ggmlType = 1
	ggmlQ4_0 ggmlType = 2
	ggmlQ8_0 ggmlType = 8
	ggmlQ4_K ggmlType = 12
	ggmlQ6_K ggmlType = 14
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
	if c := codings[t]; c != nil {
		return c.values, c.bytes
	}
	return 0, 0
}

// matrix describes a tensor as a matrix whose rows are read when asked for.
func (g *GGUF) matrix(name string, rows, cols int) (*Matrix, error) {
	t, err := g.tensor(name)
	if err != nil {
		return nil, err
	}
	if len(t.dims) != 2 || t.dims[0] != cols || t.dims[1] != rows {
		return nil, fmt.Errorf("tensor %s of %s has the dimensions %v where the metadata ask for [%d %d]", name, g.path, t.dims, cols, rows)
	}
	return storedMatrix(rows, cols, &blockRows{
		kind: t.kind, coding: codings[t.kind], label: fmt.Sprintf("tensor %s of %s", name, g.path),
		file: g.source, at: t.offset, rows: rows, cols: cols,
	}), nil
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
	v, err := span{g.source, t.offset, t.size}.vector(t.kind.String(), n)
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
		return ggufTensor{}, unsupportedf("tensor %s of %s is stored as %v, which is not supported (supported: F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K): convert the model to one of these from its original weights, for instance with llama-quantize, or load those weights and compress them here", name, g.path, t.kind)
	}
	return t, nil
}
