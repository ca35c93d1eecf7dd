package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// superCase is random weights in superblocks, with the scales and minimums of
// groups that they stand for.
func superCase(r *rand.Rand, bits, rows, cols, group int, mins bool) (s Supers, plain intCase) {
	plain = newIntCase(r, bits, rows, cols, group)
	groups, supers := len(plain.scale), rows*cols/SuperValues
	s = Supers{Scale: make([]uint16, supers), Fine: make([]int8, groups)}
	for i := range s.Scale {
		s.Scale[i] = F32ToF16(float32(r.NormFloat64()) / 64)
	}
	for i := range s.Fine {
		s.Fine[i] = int8(r.IntN(256) - 128)
	}
	if mins {
		s.Min, s.FineMin = make([]uint16, supers), make([]int8, groups)
		for i := range s.Min {
			s.Min[i] = F32ToF16(float32(r.NormFloat64()) / 64)
		}
		for i := range s.FineMin {
			s.FineMin[i] = int8(r.IntN(64))
		}
		plain.min = make([]uint16, groups)
	}
	for i := range plain.scale {
		super := i * group / SuperValues
		scale := float64(F16ToF32(s.Scale[super])) * float64(s.Fine[i])
		plain.scale[i] = F32ToF16(float32(scale))
		if mins {
			low := float64(F16ToF32(s.Min[super])) * float64(s.FineMin[i])
			plain.min[i] = F32ToF16(float32(scale*float64(int(1)<<(bits-1)) - low))
		}
	}
	return s, plain
}

// A matrix in superblocks must give what the scales of its groups give, on every
// tier and for every number of tokens: else a k-quant file runs as another model.
func TestSupersAreTheirGroups(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(41, 42))
		for _, c := range []struct {
			bits, group int
			mins        bool
		}{{4, 32, true}, {6, 16, false}, {8, 64, false}, {3, 64, true}} {
			for _, rows := range []int{16, 37, 80, 200} {
				const cols = 2 * SuperValues
				s, plain := superCase(r, c.bits, rows, cols, c.group, c.mins)
				m, want := NewSuper(c.bits, rows, cols, c.group, c.mins), plain.pack()
				m.SetSuperRows(0, plain.q, &s)
				if m.Bytes() >= want.Bytes() {
					t.Errorf("%d bytes in superblocks, %d without", m.Bytes(), want.Bytes())
				}
				some := []int32{3, int32(rows - 1), 0, 15}
				for _, pair := range []struct {
					name      string
					got, want *IntMatrix
				}{{"all rows", m, want}, {"selected rows", m.Select(some), want.Select(some)}} {
					n := pair.got.Rows()
					a, b := make([]float32, cols), make([]float32, cols)
					for i := range n {
						pair.got.Row(a, i)
						pair.want.Row(b, i)
						if !slices.Equal(a, b) {
							t.Fatalf("%v, %d rows, %s: row %d differs", c, rows, pair.name, i)
						}
					}
					for _, tokens := range []int{1, 2, 4, 9, 48} {
						var acts Acts
						x := activations(r, tokens, cols)
						acts.Quantize(pool, x, cols, tokens, cols)
						got, check := guarded(r, tokens*n)
						pair.got.Mul(pool, got, n, &acts, tokens)
						check(t)
						y := make([]float32, tokens*n)
						pair.want.Mul(pool, y, n, &acts, tokens)
						if !slices.Equal(got, y) {
							t.Fatalf("%v, %d rows, %s, %d tokens: products differ", c, rows, pair.name, tokens)
						}
					}
				}
			}
		}
	})
}

// A wrong call must say what it was given before it writes anything.
func TestNewSuperRefuses(t *testing.T) {
	for _, call := range []func(){
		func() { NewSuper(4, 16, 288, 32, true) },
		func() { NewSuper(4, 16, 512, 96, true) },
		func() { NewSuper(6, 16, 256, 16, false).SetRows(0, make([]int8, 16*256), make([]uint16, 256), nil) },
		func() { NewInt(6, 16, 256, 16, false).SetSuperRows(0, make([]int8, 16*256), &Supers{}) },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); len(text) < 20 {
					t.Errorf("panic %q", text)
				}
			}()
			call()
		}()
	}
}
