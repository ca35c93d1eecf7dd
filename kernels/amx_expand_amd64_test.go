//go:build !noasm

package kernels

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// The tile unit multiplies signed bytes. What makes them needs AVX-512 alone, so
// that it is tested where no tile unit is.
func TestExpandAMX(t *testing.T) {
	if !slices.Contains(available, AVX512) {
		t.Skip("this processor has no AVX-512")
	}
	const cols = 3 * blockSize
	r := rand.New(rand.NewPCG(61, 62))
	for _, bits := range []int{8, 6, 5, 4, 3, 2} {
		q := make([]int8, panelRows*cols)
		for i := range q {
			q[i] = int8(r.IntN(1<<bits) - 1<<(bits-1))
		}
		m := PackInt(bits, q, make([]uint16, panelRows*cols/blockSize), panelRows, cols, blockSize)
		got := make([]uint8, panelRows*cols)
		expandAMX(m.format, &got[0], &m.panels[0], m.blocks)
		for i, v := range q {
			row, quad := i/cols, i%cols/4
			word := binary.LittleEndian.Uint32(got[quad*wordBytes+4*row:])
			if g := int8(word >> (8 * (i % 4))); g != v {
				t.Fatalf("%d bits: row %d, column %d is %d, want %d", bits, row, i%cols, g, v)
			}
		}
	}
}
