package model

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-c6f48606/harness/kernels"
)

// randomBlocks is blocks of a type with every bit at random but for f16 scales
// of moderate size.
func randomBlocks(kind ggmlType, blocks int) []byte {
	rng := rand.New(rand.NewPCG(uint64(kind), 1))
	width := codings[kind].bytes
	b := make([]byte, blocks*width)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	for i := range blocks {
		for _, at := range map[ggmlType][]int{ggmlQ8_0: {0}, ggmlQ4_0: {0}, ggmlQ4_K: {0, 2}, ggmlQ6_K: {208}}[kind] {
			binary.LittleEndian.PutUint16(b[i*width+at:], kernels.F32ToF16(float32(rng.NormFloat64())*.01))
		}
	}
	return b
}

// definition computes value i of a block as the format's text says, one at a
// time and in float64.
func definition(kind ggmlType, b []byte, i int) float64 {
	half := func(at int) float64 { return float64(kernels.F16ToF32(binary.LittleEndian.Uint16(b[at:]))) }
	bits := func(at, low, n int) int { return int(b[at]) >> low & (1<<n - 1) }
	switch kind {
	case ggmlQ8_0:
		return half(0) * float64(int8(b[2+i]))
	case ggmlQ4_0:
		return half(0) * float64(bits(2+i%16, i/16*4, 4)-8)
	case ggmlQ4_K:
		g := i / 32
		var scale, minimum int
		if g < 4 {
			scale, minimum = bits(4+g, 0, 6), bits(8+g, 0, 6)
		} else {
			scale = bits(8+g, 0, 4) + 16*bits(g, 6, 2)
			minimum = bits(8+g, 4, 4) + 16*bits(4+g, 6, 2)
		}
		u := bits(16+i/64*32+i%32, i/32%2*4, 4)
		return half(0)*float64(scale*u) - half(2)*float64(minimum)
	default: // Q6_K
		h, part, at := i/128, i/32%4, i%32
		u := bits(64*h+at+part%2*32, part/2*4, 4) + 16*bits(128+32*h+at, 2*part, 2)
		return half(208) * float64(int(int8(b[192+i/16]))*(u-32))
	}
}

// integers are values as the kernels take them.
type integers struct {
	Format
	q     []int8
	scale []uint16
	super kernels.Supers
}

// integersOf has room for n values.
func integersOf(f Format, n int) *integers {
	groups := make([]int8, 2*n/f.Group)
	return &integers{Format: f, q: make([]int8, n), scale: make([]uint16, n/f.Group), super: kernels.Supers{
		Scale: make([]uint16, n/superValues), Min: make([]uint16, n/superValues),
		Fine: groups[:n/f.Group], FineMin: groups[n/f.Group:],
	}}
}

func (n *integers) from(ints func([]byte, []int8, []uint16) error, supers func([]byte, []int8, *kernels.Supers) error, src []byte) error {
	if n.Super {
		return supers(src, n.q, &n.super)
	}
	return ints(src, n.q, n.scale)
}

// value is value i by the definition of kernels.IntMatrix; it is exact.
func (n *integers) value(i int) float64 {
	q, g := float64(n.q[i]), i/n.Group
	if !n.Super {
		return float64(kernels.F16ToF32(n.scale[g])) * q
	}
	s := float64(kernels.F16ToF32(n.super.Scale[i/superValues])) * float64(n.super.Fine[g])
	if !n.Mins {
		return s * q
	}
	low := float64(kernels.F16ToF32(n.super.Min[i/superValues])) * float64(n.super.FineMin[g])
	return s*(q+float64(int(1)<<(n.Bits-1))) - low
}

// A user who runs a quantized file must run the weights that are in it: every
// value is that of the format's definition, and so are the integers and scales
// that the kernels take.
func TestBlocksByDefinition(t *testing.T) {
	for _, kind := range []ggmlType{ggmlQ8_0, ggmlQ4_0, ggmlQ4_K, ggmlQ6_K} {
		t.Run(kind.String(), func(t *testing.T) {
			const blocks = 50
			c, src := codings[kind], randomBlocks(kind, blocks)
			n := blocks * c.values
			got := make([]float32, n)
			if err := c.floats(src, got); err != nil {
				t.Fatal(err)
			}
			read := integersOf(Format{c.bits, c.group, c.mins, c.supers != nil}, n)
			if err := read.from(c.ints, c.supers, src); err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				want := definition(kind, src[i/c.values*c.bytes:], i%c.values)
				if v != float32(want) {
					t.Fatalf("value %d is %g, want %g", i, v, want)
				}
				if q, lo := int(read.q[i]), -1<<(c.bits-1); q < lo || q > -lo-1 {
					t.Fatalf("integer %d is %d, no number of %d bits", i, q, c.bits)
				}
				if e := read.value(i); e != want {
					t.Fatalf("value %d as an integer is %g, want %g", i, e, want)
				}
			}
		})
	}
}

// Export must not cost more quality than the format does: the error of normal
// weights stays at what each type allows, and odd groups come through.
func TestEncode(t *testing.T) {
	normal := make([]float32, 64*256)
	if err := (randomRows{1, 2, 64, 256, .02}).floats(0, 64, normal); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind ggmlType
		rms  float64 // of normal weights, relative to theirs
	}{{ggmlF32, 0}, {ggmlF16, 3e-4}, {ggmlBF16, 2e-3}, {ggmlQ8_0, .0058}, {ggmlQ4_0, .083}, {ggmlQ4_K, .073}, {ggmlQ6_K, .0175}} {
		t.Run(c.kind.String(), func(t *testing.T) {
			if e := encodeError(t, c.kind, normal); e > c.rms {
				t.Errorf("normal weights are off by %.4f of their size, allowed %.4f", e, c.rms)
			} else {
				t.Logf("normal weights are off by %.4f of their size", e)
			}
			one := make([]float32, 256)
			one[7] = -3
			rising := make([]float32, 256)
			for i := range rising {
				rising[i] = 1 + float32(i%16)/16
			}
			for name, x := range map[string][]float32{"one value": one, "a rising line": rising, "zeros": make([]float32, 256)} {
				if e := encodeError(t, c.kind, x); e > .08 {
					t.Errorf("%s comes back off by %.3f of its size", name, e)
				}
			}
			for name, v := range map[string]float32{"NaN": float32(math.NaN()), "infinity": float32(math.Inf(-1))} {
				x := make([]float32, 256)
				x[200] = v
				if err := codings[c.kind].encode(make([]byte, 1024), x); err == nil {
					t.Errorf("%s was written", name)
				}
			}
		})
	}
}

// encodeError is the root mean square error of x after a round trip, relative to
// x's own.
func encodeError(t *testing.T, kind ggmlType, x []float32) float64 {
	t.Helper()
	c := codings[kind]
	b, y := make([]byte, len(x)/c.values*c.bytes), make([]float32, len(x))
	if err := c.encode(b, x); err != nil {
		t.Fatal(err)
	}
	if err := c.floats(b, y); err != nil {
		t.Fatal(err)
	}
	var diff, sum float64
	for i, v := range x {
		diff += float64(v-y[i]) * float64(v-y[i])
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return diff
	}
	return math.Sqrt(diff / sum)
}

// readBothWays reads a stored matrix as floats and as integers; either way is
// an error or gives the same values.
func readBothWays(t *testing.T, m *Matrix) {
	t.Helper()
	w, err := m.Materialize()
	if err != nil {
		return
	}
	dense := w.Dense()
	if len(dense) != m.Rows*m.Cols {
		t.Fatalf("%d values for %d×%d", len(dense), m.Rows, m.Cols)
	}
	f := m.Stored.Format()
	if f.Bits == 0 || m.Cols%f.Group != 0 {
		return
	}
	n := integersOf(f, len(dense))
	read := func() error { return m.Stored.Ints(0, m.Rows, n.q, n.scale) }
	if f.Super {
		read = func() error { return m.Stored.Supers(0, m.Rows, n.q, &n.super) }
	}
	if read() != nil {
		return // a product of scales beyond f16
	}
	for i := range n.q {
		if v := n.value(i); float32(v) != dense[i] {
			t.Fatalf("value %d is %g as float and %g as integer", i, dense[i], v)
		}
	}
}
