//go:build linux

package kernels

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// fenced copies s to pages of its own with forbidden pages around, so that it
// starts right behind the one or ends right before the other.
func fenced[T any](t *testing.T, s []T, atEnd bool) []T {
	t.Helper()
	if len(s) == 0 {
		return s
	}
	page, size := os.Getpagesize(), int(sizeBytes(s))
	pages := (size + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, pages+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	for _, fence := range [][]byte{m[:page], m[page+pages:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	at := page
	if atEnd {
		at += pages - size
	}
	out := unsafe.Slice((*T)(unsafe.Pointer(&m[at])), len(s))
	copy(out, s)
	return out
}

// TestIntMulStaysInItsMemory ends with a fault if a kernel reads or writes a
// byte beside what it was given: in a large model that crashes once in a while.
func TestIntMulStaysInItsMemory(t *testing.T) {
	const cols = 96
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(31, 32))
		for _, atEnd := range []bool{false, true} {
			var cases []intCase
			for bits := 2; bits <= 8; bits++ {
				c := newIntCase(r, bits, panelRows, cols, 64)
				cases = append(cases, c)
				if bits <= 4 {
					cases = append(cases, c.withMins(r))
				}
			}
			cases = append(cases, newIntCase(r, 6, panelRows, cols, 16))
			for _, c := range cases {
				m := c.pack()
				m.panels, m.scales, m.mins = fenced(t, m.panels, atEnd), fenced(t, m.scales, atEnd), fenced(t, m.mins, atEnd)
				for n := 1; n <= 13; n++ {
					x := random(r, n*cols)
					var a Acts
					a.Quantize(nil, x, cols, n, cols)
					a.q, a.scale = fenced(t, a.q, atEnd), fenced(t, a.scale, atEnd)
					a.corr, a.half = fenced(t, a.corr, atEnd), fenced(t, a.half, atEnd)
					a.fenceStarts(t, m, n, atEnd)
					y := fenced(t, make([]float32, n*panelRows), atEnd)
					m.Mul(nil, y, panelRows, &a, n)
					c.exactly(t, y, x)
				}
			}
		}
	})
}

// fenceStarts makes what kernels derive from a to multiply n tokens with m, between
// forbidden pages.
func (a *Acts) fenceStarts(t *testing.T, m *IntMatrix, n int, atEnd bool) {
	o := Out{M: m, A: a}
	o.start(Active(), n)
	for i := range a.ready {
		s := &a.ready[i]
		s.all, s.first, s.second = fenced(t, s.all, atEnd), fenced(t, s.first, atEnd), fenced(t, s.second, atEnd)
	}
}

// exactly fails where y is not the products of tokens x.
func (c intCase) exactly(t *testing.T, y, x []float32) {
	t.Helper()
	n := len(x) / c.cols
	for tok := range n {
		for o, want := range c.want(x[tok*c.cols:][:c.cols]) {
			if got := y[tok*c.rows+o]; got != want {
				t.Fatalf("%s, %d rows, %d tokens: y[%d,%d] = %v, want exactly %v: tiers would give different models", c, c.rows, n, tok, o, got, want)
			}
		}
	}
}

// TestSupersStayInTheirMemory is the same for superblocks.
func TestSupersStayInTheirMemory(t *testing.T) {
	const rows, cols = 8 * panelRows, 2 * SuperValues // a stripe of four panels a thread of two
	pool := NewPool(2)
	defer pool.Close()
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(33, 34))
		for _, atEnd := range []bool{false, true} {
			for _, c := range []struct {
				bits, group int
				mins        bool
			}{{4, 32, true}, {6, 16, false}, {3, 64, true}} {
				s, rounded, exact := superCase(r, c.bits, rows, cols, c.group, c.mins)
				m := NewSuper(c.bits, rows, cols, c.group, c.mins)
				m.SetSuperRows(0, rounded.q, &s)
				m.panels, m.super.bytes = fenced(t, m.panels, atEnd), fenced(t, m.super.bytes, atEnd)
				oracle := rounded
				if m.fused(Active()) {
					oracle = exact
				}
				for _, n := range []int{1, 2, 5, 9, 17, 41} {
					x := random(r, n*cols)
					var a Acts
					a.Quantize(nil, x, cols, n, cols)
					y := fenced(t, make([]float32, n*rows), atEnd)
					m.Mul(pool, y, rows, &a, n)
					oracle.exactly(t, y, x)
				}
			}
		}
	})
}

// String names a case in messages.
func (c intCase) String() string {
	return fmt.Sprintf("%d bits, groups of %d, minimums %v", c.bits, c.group, c.min != nil)
}

// TestIntExtremes holds every weight and activation at the ends of their ranges,
// where sums in 16 bits are largest.
func TestIntExtremes(t *testing.T) {
	const rows, cols = 3 * panelRows, 64
	eachCore(t, func(t *testing.T) {
		for bits := 2; bits <= 8; bits++ {
			for _, group := range []int{16, 32} {
				if group == 16 && bits != 6 {
					continue
				}
				lo, hi := -1<<(bits-1), 1<<(bits-1)-1
				for _, w := range []int{lo, hi} {
					for _, sign := range []float32{1, -1} {
						c := intCase{nil, bits, rows, cols, group, make([]int8, rows*cols), make([]uint16, rows*cols/group), nil}
						for i := range c.q {
							c.q[i] = int8(w)
						}
						for i := range c.scale {
							c.scale[i] = F32ToF16(1)
						}
						m := c.pack()
						for _, n := range []int{1, 2, 4, 8, 16, 41} {
							x, y := make([]float32, n*cols), make([]float32, n*rows)
							for i := range x {
								x[i] = sign * 127
							}
							var a Acts
							a.Quantize(nil, x, cols, n, cols)
							m.Mul(nil, y, rows, &a, n)
							want := float32(w) * sign * 127 * cols
							for i, got := range y {
								if got != want {
									t.Fatalf("%s, %d tokens, %d times %v: y[%d] = %v, want %v: a sum overflowed", c, n, w, sign*127, i, got, want)
								}
							}
						}
					}
				}
			}
		}
	})
}
