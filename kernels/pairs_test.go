//go:build linux

package kernels

import (
	"math/rand/v2"
	"testing"
)

// TestIntMulOfManyTokens has what kernels take at once, several panels of one token,
// or two and several tiles of tokens; and what they leave: a third panel, one that is
// not full, and some tokens. All of it has forbidden pages around.
func TestIntMulOfManyTokens(t *testing.T) {
	const cols = 96
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(33, 34))
		var cases []intCase
		for _, rows := range []int{2 * panelRows, 3*panelRows + 5, 8*panelRows + 5} {
			for bits := 2; bits <= 8; bits++ {
				c := newIntCase(r, bits, rows, cols, 64)
				cases = append(cases, c)
				if bits <= 4 {
					cases = append(cases, c.withMins(r))
				}
			}
			cases = append(cases, newIntCase(r, 6, rows, cols, 16), newIntCase(r, 8, rows, cols, 32))
		}
		for i, c := range cases {
			m, atEnd := c.pack(), i%2 == 1
			m.panels, m.scales, m.mins = fenced(t, m.panels, atEnd), fenced(t, m.scales, atEnd), fenced(t, m.mins, atEnd)
			for _, n := range []int{1, 6, 8, 15, 27, 43, 48} {
				x := random(r, n*cols)
				var a Acts
				a.Quantize(nil, x, cols, n, cols)
				a.q, a.scale = fenced(t, a.q, atEnd), fenced(t, a.scale, atEnd)
				a.corr, a.half = fenced(t, a.corr, atEnd), fenced(t, a.half, atEnd)
				a.fenceStarts(t, m, n, atEnd)
				a.sum()
				a.sums = fenced(t, a.sums, atEnd)
				y := fenced(t, make([]float32, n*c.rows), atEnd)
				m.Mul(nil, y, c.rows, &a, n)
				c.exactly(t, y, x)
			}
		}
	})
}

// TestIntMulOfWideInputs has so many inputs that tokens of one product take
// several calls, which bound the time without preemption, and adds a second plane
// of activations and what was there.
func TestIntMulOfWideInputs(t *testing.T) {
	const rows, cols, n = 4 * panelRows, 1 << 14, 44
	r := rand.New(rand.NewPCG(35, 36))
	c := newIntCase(r, 4, rows, cols, 128)
	m, x := c.pack(), random(r, n*cols)
	eachCore(t, func(t *testing.T) {
		var a, rest Acts
		a.Quantize(nil, x, cols, n, cols)
		rest.QuantizeRest(nil, &a, x, cols, n, cols)
		y, one := make([]float32, n*rows), make([]float32, rows)
		for i := range y {
			y[i] = float32(i)
		}
		MulAll(nil, n, Out{M: m, A: &a, Rest: &rest, Y: y, LdY: rows, Add: true})
		for _, tok := range []int{0, 9, 31, n - 1} {
			var a, rest Acts
			a.Quantize(nil, x[tok*cols:], cols, 1, cols)
			rest.QuantizeRest(nil, &a, x[tok*cols:], cols, 1, cols)
			for i := range one {
				one[i] = float32(tok*rows + i)
			}
			MulAll(nil, 1, Out{M: m, A: &a, Rest: &rest, Y: one, LdY: rows, Add: true})
			for o, want := range one {
				if got := y[tok*rows+o]; got != want {
					t.Fatalf("token %d output %d is %v among %d tokens and %v alone", tok, o, got, n, want)
				}
			}
		}
	})
}
