package model_test

import (
	"encoding/binary"
	"math"
	"os"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
)

// A user who loads a quantized GGUF file must get the values that llama.cpp
// stored: the same integers and scales, within the format's error of the
// original weights.
func TestGGUFBlocks(t *testing.T) {
	for _, c := range []struct {
		dir, file string
		bits      int
		relative  float64 // root mean square error allowed
	}{
		{"tiny", "tiny/model-q8_0.gguf", 8, 0.006},
		{"tiny", "tiny/model-q4_0.gguf", 4, 0.1},
		{"small", "small/model-q8_0.gguf", 8, 0.006},
		{"small", "small/model-q4_0.gguf", 4, 0.1},
	} {
		t.Run(c.file, func(t *testing.T) {
			want := mustLoad(t, golden(t, c.dir))
			got := mustLoad(t, golden(t, c.file))
			dense := denseAll(want)
			for name, m := range got.Matrices {
				if m.Kind() != model.KindInt || m.Group != 32 || m.Bits != c.bits {
					// llama.cpp keeps a matrix wider where its rows do not
					// fit, or where it is the output.
					t.Logf("%s is %v of %d bits", name, m.Kind(), m.Bits)
				}
				var diff, sum float64
				for i, v := range m.Dense() {
					d := float64(v - dense[name][i])
					diff += d * d
					sum += float64(dense[name][i]) * float64(dense[name][i])
				}
				if e := math.Sqrt(diff / sum); e > c.relative {
					t.Errorf("%s is off by %.4f of its size", name, e)
				}
			}
		})
	}
}

// The first block of a Q4_0 tensor by the format's definition, apart from the
// reader's own code: w[j] = d·(low nibble of byte j − 8), w[j+16] the high one.
func TestQ4BlockByDefinition(t *testing.T) {
	path := golden(t, "small/model-q4_0.gguf")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := mustLoad(t, path)
	first := m.Layers[0].Q
	// blk.0.attn_q.weight lies 148480 bytes into the data, which end with
	// output_norm.weight's 256 float32 at 2367488.
	data := len(b) - 2367488 - 4*256
	block := b[data+148480:]
	if got := binary.LittleEndian.Uint16(block); got != first.Scale[0] {
		t.Fatalf("scale %#x, file has %#x", first.Scale[0], got)
	}
	for j := range 16 {
		if lo, hi := int8(block[2+j]&15)-8, int8(block[2+j]>>4)-8; first.Q[j] != lo || first.Q[j+16] != hi {
			t.Errorf("byte %d: got %d and %d, want %d and %d", j, first.Q[j], first.Q[j+16], lo, hi)
		}
	}
}
