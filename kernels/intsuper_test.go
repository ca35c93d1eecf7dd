package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// superCase is random weights in superblocks, with the scales and minimums of
// groups that they stand for: rounded to binary16, and not.
func superCase(r *rand.Rand, bits, rows, cols, group int, mins bool) (s Supers, rounded, exact intCase) {
	rounded = newIntCase(r, bits, rows, cols, group)
	groups, supers := len(rounded.scale), rows*cols/SuperValues
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
		rounded.min = make([]uint16, groups)
	}
	exact = rounded
	exact.exact = make([][2]float32, groups)
	for i := range rounded.scale {
		super := i * group / SuperValues
		scale := float64(F16ToF32(s.Scale[super])) * float64(s.Fine[i])
		rounded.scale[i] = F32ToF16(float32(scale))
		exact.exact[i][0] = float32(scale)
		if mins {
			low := float64(F16ToF32(s.Min[super])) * float64(s.FineMin[i])
			exact.exact[i][1] = float32(scale*float64(int(1)<<(bits-1)) - low)
			rounded.min[i] = F32ToF16(exact.exact[i][1])
		}
	}
	return s, rounded, exact
}

// A matrix in superblocks must give what the scales of its groups give, on every
// tier and for every number of tokens: else a k-quant file runs as another model.
// Kernels that join scales themselves do not round them.
func TestSupersAreTheirGroups(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(41, 42))
		for _, c := range []struct {
			bits, group int
			mins        bool
		}{{4, 32, true}, {6, 16, false}, {4, 32, false}, {8, 64, false}, {3, 64, true}} {
			for _, rows := range []int{16, 37, 80, 200} {
				const cols = 2 * SuperValues
				s, rounded, exact := superCase(r, c.bits, rows, cols, c.group, c.mins)
				m := NewSuper(c.bits, rows, cols, c.group, c.mins)
				m.SetSuperRows(0, rounded.q, &s)
				if full := rounded.pack().Bytes(); m.Bytes() >= full {
					t.Errorf("%d bytes in superblocks, %d without", m.Bytes(), full)
				}
				oracle := rounded
				if m.fused(Active()) {
					oracle = exact
				}
				x := activations(r, 49, cols)
				all := make([]int32, rows)
				for i := range all {
					all[i] = int32(i)
				}
				for _, rows := range [][]int32{all, {3, int32(rows - 1), 0, 15}} {
					m := m
					if len(rows) < len(all) {
						m = m.Select(rows)
					}
					for i, from := range rows {
						row := make([]float32, cols)
						m.Row(row, i)
						for k, v := range row {
							at := int(from)*cols + k
							scale, low := exact.scales(at / c.group)
							if want := float32(exact.q[at])*scale + low; v != want {
								t.Fatalf("%v: weight %d of row %d is %v, want %v", c, k, from, v, want)
							}
						}
					}
					for _, tokens := range []int{1, 2, 4, 8, 9, 17, 49} {
						var acts Acts
						acts.Quantize(pool, x, cols, tokens, cols)
						got, check := guarded(r, tokens*len(rows))
						m.Mul(pool, got, len(rows), &acts, tokens)
						check(t)
						for tok := range tokens {
							want := oracle.want(x[tok*cols:][:cols])
							for i, from := range rows {
								if v := got[tok*len(rows)+i]; v != want[from] {
									t.Fatalf("%v, %d rows, %d tokens: y[%d,%d] = %v, want exactly %v", c, len(rows), tokens, tok, from, v, want[from])
								}
							}
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
