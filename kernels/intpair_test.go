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
	ld   int
	a, b []float32 // [tokens][ld]; b may be nil
	acts Acts
}

func (p *partRecorder) Done(from, to int) {
	for t := 0; t < p.n && p.b != nil; t++ {
		a, b := p.a[t*p.ld:][from:to], p.b[t*p.ld:][from:to]
		for i := range a {
			a[i] += b[i]
		}
	}
	p.acts.SetPart(0, p.n, from, to-from, p.a[from:], p.ld)
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := from; r < to; r++ {
		p.seen[r]++
	}
}

// check compares with what is quantized as a whole.
func (p *partRecorder) check(t *testing.T, whole *Acts) {
	t.Helper()
	for row, times := range p.seen {
		if times != 1 {
			t.Fatalf("row %d was told %d times", row, times)
		}
	}
	if !slices.Equal(p.acts.q, whole.q) || !slices.Equal(p.acts.scale, whole.scale) || !slices.Equal(p.acts.corr, whole.corr) || !slices.Equal(p.acts.half, whole.half) {
		t.Fatal("quantized in parts is not quantized whole")
	}
}

// A pair must give what its products give apart, each row once and not before both
// have it: else the MLP block reads half a gate.
func TestMulPair(t *testing.T) {
	const cols = 96
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(51, 52))
		for _, rows := range []int{16, 40, 333, 1024} {
			var m [2]*IntMatrix
			for i := range m {
				c := newIntCase(r, 4, rows, cols, 32)
				m[i] = c.pack()
			}
			for _, n := range []int{1, 3, 9, 50, 133} {
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
					got := &partRecorder{seen: make([]int, rows), n: n, ld: rows, a: make([]float32, n*rows), b: make([]float32, n*rows)}
					got.acts.Resize(n, rows)
					MulPair(p, n, Out{M: m[0], A: &acts, Y: got.a, LdY: rows}, Out{M: m[1], A: &acts, Y: got.b, LdY: rows}, got)
					p.Close()
					if !slices.Equal(got.a, want[0]) {
						t.Fatalf("%d rows, %d tokens, %d threads: sums differ from those of products apart", rows, n, threads)
					}
					got.check(t, &whole)
				}
			}
		}
	})
}

// A product that tells about its rows, in memory with room behind them, must be the
// product, tell about each once and leave what is behind the room alone.
func TestMulAllTells(t *testing.T) {
	const cols = 96
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(53, 54))
		for _, bits := range []int{4, 8} {
			for _, rows := range []int{5, 40, 341, 1019, 1024} {
				c := newIntCase(r, bits, rows, cols, 32)
				m := c.pack()
				c = newIntCase(r, bits, 77, cols, 32)
				beside := c.pack()
				for _, n := range []int{1, 3, 9, 50, 97, 133} {
					x := activations(r, n, cols)
					var acts, whole Acts
					acts.Quantize(nil, x, cols, n, cols)
					want := make([]float32, n*rows)
					m.Mul(nil, want, rows, &acts, n)
					for _, threads := range []int{1, 2, 3} {
						p := NewPool(threads)
						ld := PaddedRows(rows) + 3
						y := random(r, n*ld)
						before := slices.Clone(y)
						add := threads == 2
						got := &partRecorder{seen: make([]int, rows), n: n, ld: ld, a: y}
						got.acts.Resize(n, rows)
						other := &partRecorder{seen: make([]int, 77), n: n, ld: 77, a: make([]float32, n*77)}
						other.acts.Resize(n, 77)
						MulAll(p, n, Out{M: m, A: &acts, Y: y, LdY: ld, Add: add, Roomy: true, Then: got},
							Out{M: beside, A: &acts, Y: other.a, LdY: 77, Then: other})
						p.Close()
						whole.Quantize(nil, y, ld, n, rows)
						got.check(t, &whole)
						whole.Quantize(nil, other.a, 77, n, 77)
						other.check(t, &whole)
						for i, v := range y {
							token, row := i/ld, i%ld
							expected := v
							switch {
							case row < rows && add:
								expected = want[token*rows+row] + before[i]
							case row < rows:
								expected = want[token*rows+row]
							case row >= PaddedRows(rows):
								expected = before[i]
							}
							if v != expected {
								t.Fatalf("%d bits, %d rows, %d tokens, %d threads: value %d of token %d is %g, not %g", bits, rows, n, threads, row, token, v, expected)
							}
						}
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
	x := make([]float32, 3*70)
	for _, part := range []struct{ t, count, from, n int }{
		{2, 1, 0, 32}, {1, 2, 0, 32}, {0, 0, 0, 32}, {-1, 1, 0, 32}, {0, 1, 16, 32}, {0, 1, 32, 30}, {0, 1, 64, 8}, {0, 1, -32, 32}, {0, 1, 0, 0},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("SetPart took %+v", part)
				}
			}()
			a.SetPart(part.t, part.count, part.from, part.n, x, 70)
		}()
	}
	a.SetPart(1, 1, 64, 6, x, 70)
	m := PackInt(8, make([]int8, 5*70), make([]uint16, 5*3), 5, 70, 32)
	for name, f := range map[string]func(){
		"values that are not there":      func() { a.SetPart(0, 2, 0, 32, x[:70], 70) },
		"a product with too little room": func() { MulAll(nil, 2, Out{M: m, A: &a, Y: make([]float32, 21), LdY: 16, Roomy: true}) },
		"a pair that tells twice": func() {
			MulPair(nil, 1, Out{M: m, A: &a, Y: x, LdY: 5, Then: new(partRecorder)}, Out{M: m, A: &a, Y: x, LdY: 5}, new(partRecorder))
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("nobody refused %s", name)
				}
			}()
			f()
		}()
	}
}

// shapes is matrices of nothing, for how they are cut.
func shapes(of ...[2]int) []Out {
	var outs []Out
	for _, s := range of {
		m := &IntMatrix{rows: s[0], cols: s[1], format: 4, group: 32}
		outs = append(outs, Out{M: m})
	}
	return outs
}

// panels is what a unit has of product k, in panels.
func (j *intJob) panels(unit, k int) (n int) {
	from, to := j.part(unit, k)
	for i := from; i < to; i++ {
		if i < j.stripes[k] {
			n += j.width
		} else {
			n++
		}
	}
	return n
}

// Units must cut all panels of all products between them, whatever the shapes and
// the threads: a gap is rows of zeros, an overlap adds twice.
func TestUnitsCoverPanels(t *testing.T) {
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(61, 62))
		for range 300 {
			outs := make([]Out, 1+r.IntN(maxOuts))
			for i := range outs {
				outs[i] = shapes([2]int{1 + r.IntN(700), 1 + r.IntN(600)})[0]
				if r.IntN(3) == 0 {
					outs[i].Rest = new(Acts)
				}
				if r.IntN(3) == 0 {
					outs[i].M.format, outs[i].M.group = 6, 16
				}
			}
			var then Part
			if len(outs) == 2 && r.IntN(2) == 0 {
				outs[1].M, then = outs[0].M, new(partRecorder)
			}
			threads, n := 1+r.IntN(9), []int{1, 2, 3, 16, 48, 128}[r.IntN(6)]
			var j intJob
			units := j.set(threads, n, outs, then)
			for k := range outs {
				if then != nil && k == 1 {
					break
				}
				next, panels := 0, 0
				for u := range units {
					from, to := j.part(u, k)
					if from < to && (from != next || from%j.align != 0) {
						t.Fatalf("product %d of %d, %d threads, %d tokens: unit %d has [%d, %d) behind %d, in steps of %d", k, len(outs), threads, n, u, from, to, next, j.align)
					}
					next = max(next, to)
					panels += j.panels(u, k)
				}
				if want := outs[k].M.panelCount(); panels != want {
					t.Fatalf("product %d of %d, %d threads, %d tokens: %d of %d panels", k, len(outs), threads, n, panels, want)
				}
			}
		}
	})
}

// A run must not wait long for one worker: neither where products of a row differ in
// width nor where cores differ in speed. The time is worked out, not measured.
func TestUnitsAreShared(t *testing.T) {
	attention := shapes([2]int{2048, 1024}, [2]int{1024, 1024}, [2]int{1024, 1024})
	attention[1].Rest, attention[2].Rest = new(Acts), new(Acts)
	equal := func(n int) []float64 { return slices.Repeat([]float64{1}, n) }
	for _, c := range []struct {
		name   string
		speeds []float64
		outs   []Out
		limit  float64 // of the ideal time
	}{
		{"two cores", equal(2), shapes([2]int{4096, 2048}), 1.03},
		{"two cores, attention", equal(2), attention, 1.05},
		{"two cores, factors", equal(2), shapes([2]int{256, 4096}, [2]int{4096, 64}), 1.25},
		{"eight cores, factors", equal(8), shapes([2]int{4096, 128}, [2]int{1024, 32}, [2]int{1024, 384}), 1.2},
		{"a core of half the speed", []float64{1, 0.5}, shapes([2]int{4096, 2048}), 1.05},
		{"three fast, one slow", []float64{1, 1, 1, 0.3}, shapes([2]int{4096, 2048}), 1.3},
		{"four fast, four slow", []float64{1, 1, 1, 1, 0.4, 0.4, 0.4, 0.4}, shapes([2]int{4096, 2048}), 1.15},
		{"a small matrix", equal(8), shapes([2]int{384, 1024}), 1.4},
	} {
		eachTier(t, func(t *testing.T) {
			for _, n := range []int{1, 16} {
				var j intJob
				threads := len(c.speeds)
				units := j.set(threads, n, c.outs, nil)
				if j.width == maxStreams && slices.Min(c.speeds) < slices.Max(c.speeds) {
					continue // no such processor
				}
				cost := func(u int) (work float64) {
					for k, o := range c.outs {
						planes := 1
						if o.Rest != nil {
							planes = 2
						}
						work += float64(j.panels(u, k) * o.M.cols * planes)
					}
					return work
				}
				free, claimed := make([]float64, threads), make([]int, threads)
				var total, speed float64
				for range units { // the worker that is free first takes its next unit
					w := 0
					for i := range free {
						if free[i] < free[w] {
							w = i
						}
					}
					of := w
					for claimed[of] == units/threads {
						of = (of + 1) % threads
					}
					work := cost(of*units/threads + claimed[of])
					claimed[of]++
					free[w] += work / c.speeds[w]
					total += work
				}
				for _, s := range c.speeds {
					speed += s
				}
				if took := slices.Max(free) / (total / speed); took > c.limit {
					t.Errorf("%s, %d tokens: %.2f of the ideal time, want at most %.2f", c.name, n, took, c.limit)
				}
			}
		})
	}
}
