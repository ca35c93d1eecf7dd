package kernels

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// partRecorder adds what a pair has computed of some rows and quantizes the sums,
// as the engine does with gates.
type partRecorder struct {
	mu   sync.Mutex
	seen []int // how often a row was told
	n    int
	a, b []float32
	acts Acts
}

func (p *partRecorder) Done(from, to int) {
	rows := len(p.seen)
	for t := range p.n {
		a, b := p.a[t*rows:][from:to], p.b[t*rows:][from:to]
		for i := range a {
			a[i] += b[i]
		}
		p.acts.SetPart(t, from, a)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := from; r < to; r++ {
		p.seen[r]++
	}
}

// A pair must give what its products give apart, each row once and not before both
// have it: else the MLP block reads half a gate.
func TestMulPair(t *testing.T) {
	const cols = 96
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(51, 52))
		for _, rows := range []int{16, 40, 333, 1024} {
			var m [2]*IntMatrix
			for i := range m {
				c := newIntCase(r, 4, rows, cols, 32)
				m[i] = c.pack()
			}
			for _, n := range []int{1, 3, 9, 50} {
				x := activations(r, n, cols)
				var acts, whole Acts
				acts.Quantize(nil, x, cols, n, cols)
				var want [2][]float32
				for i := range want {
					want[i] = make([]float32, n*rows)
					m[i].Mul(nil, want[i], rows, &acts, n)
				}
				for i, v := range want[1] {
					want[0][i] += v
				}
				whole.Quantize(nil, want[0], rows, n, rows)
				for _, threads := range []int{0, 1, 3} {
					var p *Pool
					if threads > 0 {
						p = NewPool(threads)
					}
					got := &partRecorder{seen: make([]int, rows), n: n, a: make([]float32, n*rows), b: make([]float32, n*rows)}
					got.acts.Resize(n, rows)
					MulPair(p, n, Out{M: m[0], A: &acts, Y: got.a, LdY: rows}, Out{M: m[1], A: &acts, Y: got.b, LdY: rows}, got)
					p.Close()
					for row, times := range got.seen {
						if times != 1 {
							t.Fatalf("%d rows, %d threads: row %d was told %d times", rows, threads, row, times)
						}
					}
					if !slices.Equal(got.a, want[0]) {
						t.Fatalf("%d rows, %d tokens, %d threads: sums differ from those of products apart", rows, n, threads)
					}
					if !slices.Equal(got.acts.q, whole.q) || !slices.Equal(got.acts.scale, whole.scale) || !slices.Equal(got.acts.corr, whole.corr) || !slices.Equal(got.acts.half, whole.half) {
						t.Fatalf("%d rows, %d tokens, %d threads: quantized in parts is not quantized whole", rows, n, threads)
					}
				}
			}
		}
	})
}

// Parts that are no whole blocks would be rounded with others' scales.
func TestSetPartRefuses(t *testing.T) {
	var a Acts
	a.Resize(2, 70)
	for _, part := range []struct{ t, from, n int }{{2, 0, 32}, {-1, 0, 32}, {0, 16, 32}, {0, 32, 30}, {0, 64, 8}, {0, -32, 32}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("SetPart took %+v", part)
				}
			}()
			a.SetPart(part.t, part.from, make([]float32, part.n))
		}()
	}
	a.SetPart(1, 64, make([]float32, 6))
}

// Units must cut all stripes of all products between them, whatever the shapes and
// the threads: a gap is rows of zeros, an overlap adds twice.
func TestUnitsCoverStripes(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(61, 62))
		for range 300 {
			outs := make([]Out, 1+r.IntN(maxOuts))
			for i := range outs {
				outs[i].M = &IntMatrix{rows: 1 + r.IntN(700), cols: 32 * (1 + r.IntN(20)), format: 4, group: 32}
				if r.IntN(3) == 0 {
					outs[i].Rest = new(Acts)
				}
			}
			var then Part
			if len(outs) == 2 && r.IntN(2) == 0 {
				outs[1].M, then = outs[0].M, new(partRecorder)
			}
			threads, n := 1+r.IntN(9), 1+r.IntN(3)
			var j intJob
			units := j.set(threads, n, outs, then)
			for k := range outs {
				if then != nil && k == 1 {
					break
				}
				seen := make([]int, max(1, j.stripes[k]))
				for u := range units {
					from, to := j.part(u, k)
					if then != nil && from < to && from%2 != 0 {
						t.Fatalf("%d threads: unit %d of a pair begins with stripe %d, within a block", threads, u, from)
					}
					for i := from; i < to; i++ {
						seen[i]++
					}
				}
				for i, times := range seen {
					if times != 1 {
						t.Fatalf("product %d of %d, %d threads, %d tokens: stripe %d of %d is in %d units", k, len(outs), threads, n, i, len(seen), times)
					}
				}
			}
		}
	})
}
