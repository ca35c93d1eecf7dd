package model

import "fmt"

// Kind says how a matrix holds its values.
type Kind uint8

// The storages of a matrix.
const (
	KindInvalid Kind = iota
	KindF32
	KindBF16
	KindInt      // symmetric integers with a scale a group
	KindFactored // B·A
	KindStored   // not in memory
)

// String names the kind as reports do.
func (k Kind) String() string {
	switch k {
	case KindF32:
		return "f32"
	case KindBF16:
		return "bf16"
	case KindInt:
		return "int"
	case KindFactored:
		return "factored"
	case KindStored:
		return "stored"
	}
	return "invalid"
}

// Matrix is a weight of Rows outputs by Cols inputs, row-major, in exactly one
// storage.
type Matrix struct {
	Rows, Cols int

	F32  []float32
	BF16 []uint16 // bfloat16 bits

	// Symmetric integers: w = Q·Scale, one f16 scale for each Group values
	// along a row, so Scale has Rows × ceil(Cols/Group) entries. Values lie in
	// [-2^(Bits-1), 2^(Bits-1)-1]; Bits is 2..8, Group a multiple of 32.
	Q           []int8
	Scale       []uint16
	Bits, Group int

	// Factors: W = B·A with B Rows × r and A r × Cols. A factor is not itself
	// factored.
	B, A *Matrix

	// Values that are read some rows at a time; models from Open and Random
	// have them.
	Stored *Stored
}

// Kind tells which storage is in use, KindInvalid if not exactly one is.
func (m *Matrix) Kind() Kind {
	kind, n := KindInvalid, 0
	if m.F32 != nil {
		kind, n = KindF32, n+1
	}
	if m.BF16 != nil {
		kind, n = KindBF16, n+1
	}
	if m.Q != nil {
		kind, n = KindInt, n+1
	}
	if m.A != nil || m.B != nil {
		kind, n = KindFactored, n+1
	}
	if m.Stored != nil {
		kind, n = KindStored, n+1
	}
	if n != 1 {
		return KindInvalid
	}
	return kind
}

// Groups is the number of scales in a row of an integer matrix.
func (m *Matrix) Groups() int { return (m.Cols + m.Group - 1) / m.Group }

// Rank is the inner dimension of a factored matrix, 0 for others.
func (m *Matrix) Rank() int {
	if m.A == nil {
		return 0
	}
	return m.A.Rows
}

// Params counts stored values: Rows·Cols, or r·(Rows+Cols) when factored.
func (m *Matrix) Params() int64 {
	if m == nil {
		return 0
	}
	if m.A != nil && m.B != nil {
		return m.A.Params() + m.B.Params()
	}
	return int64(m.Rows) * int64(m.Cols)
}

// StoredBytes is what the matrix takes in a file: packed bits and scales.
func (m *Matrix) StoredBytes() int64 {
	if m == nil {
		return 0
	}
	switch m.Kind() {
	case KindF32:
		return 4 * m.Params()
	case KindBF16:
		return 2 * m.Params()
	case KindInt:
		return packedBytes(m.Params(), m.Bits) + 2*int64(len(m.Scale))
	case KindFactored:
		return m.A.StoredBytes() + m.B.StoredBytes()
	case KindStored:
		return m.Stored.source.bytes()
	}
	return 0
}

// Validate checks that exactly one storage is in use and that its slices have
// the lengths its shape asks for.
func (m *Matrix) Validate() error {
	if m.Rows < 1 || m.Cols < 1 || m.Rows > maxDim || m.Cols > maxDim {
		return fmt.Errorf("shape %d×%d is not between 1 and %d a side", m.Rows, m.Cols, maxDim)
	}
	n := m.Rows * m.Cols
	switch m.Kind() {
	case KindF32:
		return wantLen("f32 values", len(m.F32), n)
	case KindBF16:
		return wantLen("bf16 values", len(m.BF16), n)
	case KindInt:
		if m.Bits < 2 || m.Bits > 8 {
			return fmt.Errorf("bits is %d, not between 2 and 8", m.Bits)
		}
		if m.Group < 32 || m.Group%32 != 0 || m.Group > maxDim {
			return fmt.Errorf("group is %d, not a multiple of 32 between 32 and %d", m.Group, maxDim)
		}
		if err := wantLen("integers", len(m.Q), n); err != nil {
			return err
		}
		return wantLen("scales", len(m.Scale), m.Rows*m.Groups())
	case KindFactored:
		return m.validateFactors()
	case KindStored:
		if m.Stored.rows != m.Rows || m.Stored.cols != m.Cols {
			return fmt.Errorf("%d×%d stored where the shape is %d×%d", m.Stored.rows, m.Stored.cols, m.Rows, m.Cols)
		}
		return nil
	}
	return fmt.Errorf("a matrix of %d×%d needs exactly one storage (f32, bf16, integers, factors or stored rows)", m.Rows, m.Cols)
}

func (m *Matrix) validateFactors() error {
	if m.A == nil || m.B == nil {
		return fmt.Errorf("a factored matrix needs both factors")
	}
	if m.A.Kind() == KindFactored || m.B.Kind() == KindFactored {
		return fmt.Errorf("a factor is itself factored")
	}
	if m.B.Rows != m.Rows || m.A.Cols != m.Cols || m.B.Cols != m.A.Rows {
		return fmt.Errorf("factors %d×%d and %d×%d do not make %d×%d", m.B.Rows, m.B.Cols, m.A.Rows, m.A.Cols, m.Rows, m.Cols)
	}
	if err := m.B.Validate(); err != nil {
		return fmt.Errorf("factor b: %w", err)
	}
	if err := m.A.Validate(); err != nil {
		return fmt.Errorf("factor a: %w", err)
	}
	return nil
}

// maxDim bounds a side of a matrix; the product of two fits an int64 and an
// amd64 or arm64 int.
const maxDim = 1 << 23

func wantLen(what string, have, want int) error {
	if have != want {
		return fmt.Errorf("%d %s where the shape asks for %d", have, what, want)
	}
	return nil
}
