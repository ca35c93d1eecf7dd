package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// attentionCase is keys, values and queries of one sequence.
type attentionCase struct {
	layout  KVLayout
	shared  int // query heads on a key/value head
	tokens  int
	k, v, q []float32 // [tokens][heads][head dim]
	groups  [][]byte
}

func newAttentionCase(format KVFormat, heads, shared, d, tokens int, apart bool) *attentionCase {
	rng := rand.New(rand.NewPCG(uint64(d), uint64(tokens)))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	c := &attentionCase{layout: KVLayout{format, heads, d}, shared: shared, tokens: tokens}
	c.k, c.v, c.q = normal(tokens*heads*d), normal(tokens*heads*d), normal(tokens*heads*shared*d)
	size := c.layout.GroupBytes()
	count := (tokens + KVGroup - 1) / KVGroup
	memory := make([]byte, count*size)
	for g := range count {
		group := memory[g*size:][:size]
		if apart && g%3 == 1 {
			group = make([]byte, size)
		}
		for i := range group {
			group[i] = 0xff // NaN in every format: nobody may read what Put did not write
		}
		c.groups = append(c.groups, group)
	}
	for t := range tokens {
		for h := range heads {
			c.layout.Put(c.groups[t/KVGroup], t, h, row(c.k, t*heads+h, d), row(c.v, t*heads+h, d))
		}
	}
	return c
}

func row(x []float32, i, n int) []float32 { return x[i*n:][:n] }

// run computes tokens [first, first+n) of the given heads of a key/value head.
func (c *attentionCase) run(a *Attention, head, from, to, first, n int, out []float32) {
	a.Run(c.queries(head, from, to, first, n, out))
}

func (c *attentionCase) queries(head, from, to, first, n int, out []float32) *Queries {
	d := c.layout.HeadDim
	ld := c.layout.Heads * c.shared * d
	cos, sin := make([]float32, n*(d/2)), make([]float32, n*(d/2))
	for t := range n {
		RopeTable(first+t, d, 10000, row(cos, t, d/2), row(sin, t, d/2))
	}
	at := first*ld + (head*c.shared+from)*d
	return &Queries{
		KV: &c.layout, Groups: c.groups, Head: head, Q: c.q[at:], Out: out[at:], Ld: ld, Heads: to - from,
		First: first, N: n, Cos: cos, Sin: sin, Scale: float32(1 / math.Sqrt(float64(d))),
	}
}

// want computes one query in float64.
func (c *attentionCase) want(t, h int) []float64 {
	d := c.layout.HeadDim
	q := slices.Clone(row(c.q, t*c.layout.Heads*c.shared+h, d))
	cos, sin := make([]float32, d/2), make([]float32, d/2)
	RopeTable(t, d, 10000, cos, sin)
	rotateGeneric(q, cos, sin)
	weights, sum := make([]float64, t+1), 0.0
	for j := range weights {
		k := row(c.k, j*c.layout.Heads+h/c.shared, d)
		var dot float64
		for i := range k {
			dot += float64(q[i]) * float64(k[i])
		}
		weights[j] = math.Exp(dot / math.Sqrt(float64(d)))
		sum += weights[j]
	}
	out := make([]float64, d)
	for j, w := range weights {
		for i, v := range row(c.v, j*c.layout.Heads+h/c.shared, d) {
			out[i] += w / sum * float64(v)
		}
	}
	return out
}

// TestAttentionAgainstDefinition guards every answer to a prompt: keys of any
// format and shape, on every tier, against the formula.
func TestAttentionAgainstDefinition(t *testing.T) {
	limits := map[KVFormat]float64{KVF32: 2e-6, KVF16: 3e-3, KVInt16: 3e-3, KVInt8: 3e-2}
	eachTier(t, func(t *testing.T) {
		for format, limit := range limits {
			for _, s := range []struct{ heads, shared, d, tokens int }{
				{2, 8, 128, 150}, {1, 1, 6, 40}, {3, 2, 64, 17}, {1, 5, 80, 129}, {2, 3, 20, 260}, {1, 1, 2, 1},
			} {
				c := newAttentionCase(format, s.heads, s.shared, s.d, s.tokens, true)
				var a Attention
				got := make([]float32, len(c.q))
				for head := range s.heads {
					c.run(&a, head, 0, s.shared, 0, s.tokens, got)
				}
				var worst float64
				for tok := 0; tok < s.tokens; tok += max(1, s.tokens/7) {
					for h := range s.heads * s.shared {
						for i, w := range c.want(tok, h) {
							worst = max(worst, math.Abs(w-float64(got[(tok*s.heads*s.shared+h)*s.d+i])))
						}
					}
				}
				if !(worst <= limit) {
					t.Errorf("%v, %+v: largest error %.2g, limit %.2g", format, s, worst, limit)
				}
			}
		}
	})
}

// TestAttentionDoesNotDependOnCut guards that a prompt read in pieces, beside
// other heads or from memory that is not in one piece answers bit for bit alike.
func TestAttentionDoesNotDependOnCut(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, format := range []KVFormat{KVF32, KVF16, KVInt16, KVInt8} {
			const heads, shared, d, tokens = 2, 6, 32, 290
			c := newAttentionCase(format, heads, shared, d, tokens, false)
			want := make([]float32, len(c.q))
			var a Attention
			for head := range heads {
				c.run(&a, head, 0, shared, 0, tokens, want)
			}
			c = newAttentionCase(format, heads, shared, d, tokens, true)
			for _, cut := range []struct{ tokens, heads int }{{1, shared}, {7, 4}, {48, 1}, {128, 5}} {
				got := make([]float32, len(c.q))
				for head := range heads {
					for first := 0; first < tokens; first += cut.tokens {
						for from := 0; from < shared; from += cut.heads {
							c.run(&a, head, from, min(shared, from+cut.heads), first, min(cut.tokens, tokens-first), got)
						}
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%v: other results by %d tokens and %d heads", format, cut.tokens, cut.heads)
				}
			}
		}
	})
}

// TestKVTileKeepsItsBounds guards the memory beside the results.
func TestKVTileKeepsItsBounds(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for format, element := range map[KVFormat]int{KVF32: 4, KVF16: 2, KVInt8: 1} {
			for rows := 1; rows <= 12; rows++ {
				if kvTileRows(floatTier(), rows) != rows {
					continue
				}
				const steps, groups, lda, ldc, jump = 6, 2, 19, 18, 64
				a, b := make([]float32, rows*lda), make([]byte, groups*(steps*panelRows*element+jump))
				c := slices.Repeat([]float32{42}, rows*ldc)
				for i := range a {
					a[i] = 1
				}
				for g := range groups {
					for i := range steps * panelRows {
						at := b[g*(steps*panelRows*element+jump):][i*element:]
						switch format {
						case KVF32:
							elementsOf[float32](at[:4])[0] = 2
						case KVF16:
							elementsOf[uint16](at[:2])[0] = F32ToF16(2)
						case KVInt8:
							at[0] = 2
						}
					}
				}
				tile := kvTile{
					steps: steps, groups: groups, a: &a[0], lda: lda, b: &b[0], jump: jump, next: &b[0], c: &c[0], ldc: ldc,
				}
				for round := 1; round <= 2; round++ {
					mulKV(floatTier(), format, rows, &tile)
					for i, v := range c {
						want := float32(42)
						if i%ldc < panelRows {
							want = float32(round * 2 * steps * groups)
						}
						if v != want {
							t.Fatalf("%v, %d rows, round %d: place %d is %g, want %g", format, rows, round, i, v, want)
						}
					}
					tile.accumulate = 1
				}
			}
		}
	})
}

// TestWeigh guards the weights of attention: exponentials to seven digits, next
// to nothing far below the maximum, and NaN where there was one.
func TestWeigh(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, n := range []int{1, 7, 16, 33, 64, 128} {
			x, want, sum := make([]float32, n), make([]float64, n), 0.0
			for i := range x {
				x[i] = 3 - 11*float32(i)/float32(n)
				if i > n/2 {
					x[i] *= 40
				}
				want[i] = math.Exp(float64(x[i]) - 3)
				sum += want[i]
			}
			got := weigh(floatTier(), x, 3)
			if math.Abs(float64(got)-sum) > 1e-6*sum {
				t.Errorf("%d values: the sum is %g, want %g", n, got, sum)
			}
			for i := range x {
				if math.Abs(float64(x[i])-want[i]) > 1e-6*want[i]+1e-37 {
					t.Errorf("%d values, place %d: %g, want %g", n, i, x[i], want[i])
				}
			}
			x[n/2] = float32(math.NaN())
			if got := weigh(floatTier(), x, 3); got == got || x[n/2] == x[n/2] {
				t.Errorf("%d values: NaN became %g, the sum %g", n, x[n/2], got)
			}
		}
	})
}

// TestHalvesLikeScalar guards cached keys: rounding is that of F32ToF16.
func TestHalvesLikeScalar(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		x := make([]float32, 77)
		for i := range x {
			x[i] = float32(math.Ldexp(1+float64(i)/77, i-45))
		}
		got := make([]uint16, len(x))
		halves(got, x)
		for i, v := range x {
			if want := F32ToF16(v); got[i] != want {
				t.Errorf("%g gives %#x, want %#x", v, got[i], want)
			}
		}
	})
}

// BenchmarkAttention is one key/value head of ERNIE-4.5-0.3B: the end of a
// prompt, and one decoded token, behind so many tokens.
func BenchmarkAttention(b *testing.B) {
	for _, format := range []KVFormat{KVF32, KVF16, KVInt16, KVInt8} {
		for _, depth := range []int{1024, 8192} {
			c := newAttentionCase(format, 1, 8, 128, depth, false)
			out := make([]float32, len(c.q))
			var a Attention
			for _, n := range []int{6, 1} {
				b.Run(fmt.Sprintf("%v/depth=%d/tokens=%d", format, depth, n), func(b *testing.B) {
					for b.Loop() {
						c.run(&a, 0, 0, 8, depth-n, n, out)
					}
					flops := 4 * float64(depth) * 8 * 128 * float64(n)
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOPS")
				})
			}
		}
	}
}

// decodeJob is the attention of one decoded token, by key/value head, on keys
// that change from run to run.
type decodeJob struct {
	cases   []*attentionCase
	workers [2]Attention
	out     []float32
	run     int
}

func (j *decodeJob) Do(worker, head int) {
	c := j.cases[j.run%len(j.cases)]
	c.run(&j.workers[worker], head, 0, c.shared, c.tokens-1, 1, j.out)
}

// BenchmarkAttentionDecode is one layer of ERNIE-4.5-0.3B behind 1024 tokens,
// with keys in the cache and from memory.
func BenchmarkAttentionDecode(b *testing.B) {
	for _, format := range []KVFormat{KVF16, KVInt16, KVInt8} {
		for _, layers := range []int{1, 80} {
			var j decodeJob
			for range layers {
				j.cases = append(j.cases, newAttentionCase(format, 2, 8, 128, 1024, false))
			}
			j.out = make([]float32, len(j.cases[0].q))
			p := NewPool(2)
			b.Run(fmt.Sprintf("%v/layers=%d", format, layers), func(b *testing.B) {
				for b.Loop() {
					p.Run(2, &j)
					j.run++
				}
				size := float64(len(j.cases[0].groups) * len(j.cases[0].groups[0]))
				b.ReportMetric(size*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
			p.Close()
		}
	}
}

// TestAttentionQuantizes guards outputs that go to the next matrix without being
// stored: they must be what Quantize makes of them.
func TestAttentionQuantizes(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, format := range []KVFormat{KVF32, KVF16, KVInt16, KVInt8} {
			for _, s := range []struct{ heads, shared, d int }{{2, 8, 128}, {3, 2, 16}, {1, 1, 32}} {
				const tokens, step = 21, 6
				c := newAttentionCase(format, s.heads, s.shared, s.d, tokens, false)
				ld := s.heads * s.shared * s.d
				out := make([]float32, tokens*ld)
				var a Attention
				var got, want Acts
				got.Resize(tokens, ld)
				for head := range s.heads {
					for first := 0; first < tokens; first += step {
						n := min(step, tokens-first)
						q := c.queries(head, 0, s.shared, first, n, out)
						a.Run(q)
						q.Out, q.Acts, q.Row, q.Col = nil, &got, first, head*s.shared*s.d
						a.Run(q)
					}
				}
				want.Quantize(nil, out, ld, tokens, ld)
				if !slices.Equal(got.q, want.q) || !slices.Equal(got.scale, want.scale) || !slices.Equal(got.corr, want.corr) || !slices.Equal(got.half, want.half) {
					t.Errorf("%v, %+v: quantized outputs are not the quantization of outputs", format, s)
				}
			}
		}
	})
}
