package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// intCase is a random integer matrix with its plain form.
type intCase struct {
	exact                   [][2]float32 // scales and minimums in place of scale and min, if set
	bits, rows, cols, group int
	q                       []int8
	scale, min              []uint16
}

// pack packs the case, rows at a time in some order.
func (c *intCase) pack() *IntMatrix {
	m := NewInt(c.bits, c.rows, c.cols, c.group, c.min != nil)
	groups := (c.cols + c.group - 1) / c.group
	for from := (c.rows - 1) / panelRows * panelRows; from >= 0; from -= panelRows {
		to := min(from+panelRows, c.rows)
		var mins []uint16
		if c.min != nil {
			mins = c.min[from*groups : to*groups]
		}
		m.SetRows(from, c.q[from*c.cols:to*c.cols], c.scale[from*groups:to*groups], mins)
	}
	return m
}

// withMins adds minimums.
func (c intCase) withMins(r *rand.Rand) intCase {
	c.min = make([]uint16, len(c.scale))
	for i := range c.min {
		c.min[i] = F32ToF16(float32(r.NormFloat64()))
	}
	return c
}

// newIntCase draws weights over the whole range of bits; every fourth matrix
// holds only the two extremes.
func newIntCase(r *rand.Rand, bits, rows, cols, group int) intCase {
	groups := (cols + group - 1) / group
	c := intCase{nil, bits, rows, cols, group, make([]int8, rows*cols), make([]uint16, rows*groups), nil}
	lo, hi := -1<<(bits-1), 1<<(bits-1)-1
	extreme := r.IntN(4) == 0
	for i := range c.q {
		c.q[i] = int8(lo + r.IntN(hi-lo+1))
		if extreme {
			c.q[i] = int8([]int{lo, hi, lo}[r.IntN(3)])
		}
	}
	for i := range c.scale {
		c.scale[i] = F32ToF16(float32(r.NormFloat64()))
	}
	return c
}

// activations are random tokens; now and then a block is constant (all ±127
// after quantization) or zero.
func activations(r *rand.Rand, n, cols int) []float32 {
	x := random(r, n*cols)
	for b := 0; b < len(x); b += blockSize {
		block := x[b:min(b+blockSize, len(x))]
		switch r.IntN(6) {
		case 0:
			clear(block)
		case 1:
			for i := range block {
				block[i] = -3
			}
		}
	}
	return x
}

// scales are those of group g: of superblocks exact ones, if there are any.
func (c intCase) scales(g int) (scale, low float32) {
	if c.exact != nil {
		return c.exact[g][0], c.exact[g][1]
	}
	if c.min != nil {
		low = F16ToF32(c.min[g])
	}
	return F16ToF32(c.scale[g]), low
}

// want computes token x in the defined order: exact sums of blocks of 32,
// joined by fused multiply-adds.
func (c intCase) want(x []float32) []float32 {
	y := make([]float32, c.rows)
	groups := (c.cols + c.group - 1) / c.group
	for b := 0; b < c.cols; b += blockSize {
		block := x[b:min(b+blockSize, c.cols)]
		var amax float32
		for _, v := range block {
			amax = max(amax, float32(math.Abs(float64(v))))
		}
		if amax == 0 {
			continue
		}
		inverse := 127 / amax
		x := make([]int, len(block))
		for i, v := range block {
			x[i] = int(math.RoundToEven(float64(v * inverse)))
		}
		for r := range y {
			for from := 0; from < blockSize; from += min(c.group, blockSize) {
				var sum, plain int
				for i := from; i < min(from+c.group, len(block)); i++ {
					sum += x[i] * int(c.q[r*c.cols+b+i])
					plain += x[i]
				}
				g := r*groups + min((b+from)/c.group, groups-1)
				scale, low := c.scales(g)
				y[r] = fma32(float32(sum)*scale, amax/127, y[r])
				if c.min != nil {
					y[r] = fma32(float32(plain)*(amax/127), low, y[r])
				}
			}
		}
	}
	return y
}

func TestIntMulIsExactOnEveryTier(t *testing.T) {
	shapes := []struct{ rows, cols, group, n int }{
		{1, 1, 32, 1},
		{16, 32, 32, 1},
		{17, 33, 64, 1},
		{48, 96, 32, 3},
		{33, 130, 64, 5},
		{20, 256, 128, 8},
		{16, 320, 256, 9},
		{35, 100, 128, 17},
		{64, 64, 4096, 7},
		{16, 512, 32, 23},
	}
	pool := NewPool(2)
	defer pool.Close()
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		for _, s := range shapes {
			var cases []intCase
			for bits := 2; bits <= 8; bits++ {
				c := newIntCase(r, bits, s.rows, s.cols, s.group)
				cases = append(cases, c)
				if bits <= 4 {
					cases = append(cases, c.withMins(r))
				}
			}
			cases = append(cases, newIntCase(r, 6, s.rows, s.cols, 16))
			for _, c := range cases {
				m := c.pack()
				x := activations(r, s.n, s.cols)
				var a Acts
				a.Quantize(pool, x, s.cols, s.n, s.cols)
				for _, p := range []*Pool{nil, pool} {
					ldy := s.rows + 5
					y, check := guarded(r, (s.n-1)*ldy+s.rows)
					m.Mul(p, y, ldy, &a, s.n)
					check(t)
					for tok := range s.n {
						for o, want := range c.want(x[tok*s.cols:][:s.cols]) {
							if got := y[tok*ldy+o]; got != want {
								t.Fatalf("%d bits, groups of %d, minimums %v, %v: y[%d,%d] = %v, want exactly %v: tiers would give different models", c.bits, c.group, c.min != nil, s, tok, o, got, want)
							}
						}
					}
				}
			}
		}
	})
}

// TestMulAllIsTheSingleProducts guards the joint run of queries, keys and
// values, the second plane of activations and residual additions.
func TestMulAllIsTheSingleProducts(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(25, 26))
		for _, n := range []int{1, 2, 5, 16, 21, 43} {
			const cols = 96
			x := random(r, n*cols)
			var a, rest Acts
			a.Quantize(pool, x, cols, n, cols)
			rest.QuantizeRest(pool, &a, x, cols, n, cols)
			var outs []Out
			var want [][]float32
			for i, rows := range []int{40, 16, 7, 130} {
				c := newIntCase(r, []int{8, 4, 6, 3}[i], rows, cols, []int{32, 32, 16, 32}[i])
				m := c.pack()
				o := Out{M: m, A: &a, Y: random(r, n*rows), LdY: rows, Add: i%2 == 1}
				y := make([]float32, n*rows)
				m.Mul(nil, y, rows, &a, n)
				if o.Add {
					Axpy(1, o.Y, y)
				}
				if i >= 2 {
					o.Rest = &rest
					second := make([]float32, n*rows)
					m.Mul(nil, second, rows, &rest, n)
					Axpy(1, second, y)
				}
				outs, want = append(outs, o), append(want, y)
			}
			MulAll(pool, n, outs...)
			for i, o := range outs {
				for k, v := range o.Y {
					if v != want[i][k] {
						t.Fatalf("%d tokens: product %d, value %d is %v alone and %v together", n, i, k, want[i][k], v)
					}
				}
			}
		}
	})
}

func TestIntRowIsTheWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	for bits := 2; bits <= 8; bits++ {
		c := newIntCase(r, bits, 37, 75, 32)
		if bits <= 4 {
			c = c.withMins(r)
		}
		if bits == 6 {
			c = newIntCase(r, bits, 37, 75, 16)
		}
		m, row := c.pack(), make([]float32, c.cols)
		groups := (c.cols + c.group - 1) / c.group
		for i := range c.rows {
			m.Row(row, i)
			for k, got := range row {
				g := i*groups + k/c.group
				want := float32(c.q[i*c.cols+k]) * F16ToF32(c.scale[g])
				if c.min != nil {
					want += F16ToF32(c.min[g])
				}
				if got != want {
					t.Fatalf("%d bits: weight %d, %d reads as %v, packed was %v: embeddings are wrong", bits, i, k, got, want)
				}
			}
		}
	}
}

func TestSetRowsRefusesWhatDoesNotFit(t *testing.T) {
	for bits := 2; bits <= 7; bits++ {
		limit := 1 << (min(bits, 7) - 1)
		if bits == 7 {
			continue // stored as 8
		}
		for _, v := range []int{limit, -limit - 1} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%d was packed in %d bits", v, bits)
					}
				}()
				q := make([]int8, 16*32)
				q[9+32*5] = int8(v)
				PackInt(bits, q, make([]uint16, 16), 16, 32, 32)
			}()
		}
	}
}

func TestIntRowDoesNotDependOnBatch(t *testing.T) {
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(17, 18))
		const rows, cols, n = 70, 160, 25
		for _, bits := range []int{4, 8} {
			c := newIntCase(r, bits, rows, cols, 64)
			m := PackInt(bits, c.q, c.scale, rows, cols, 64)
			x := random(r, n*cols)
			var a Acts
			a.Quantize(nil, x, cols, n, cols)
			all, fewer, one := make([]float32, n*rows), make([]float32, 11*rows), make([]float32, rows)
			m.Mul(nil, all, rows, &a, n)
			m.Mul(nil, fewer, rows, &a, 11)
			for tok := range n {
				a.Quantize(nil, x[tok*cols:], cols, 1, cols)
				m.Mul(nil, one, rows, &a, 1)
				for o, want := range one {
					if all[tok*rows+o] != want || tok < 11 && fewer[tok*rows+o] != want {
						t.Fatalf("%d bits: token %d output %d differs in a batch", bits, tok, o)
					}
				}
			}
		}
	})
}

func TestQuantizeIsTheSameOnEveryTier(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	for _, cols := range []int{1, 31, 32, 64, 95, 256} {
		const n = 11
		x := activations(r, n, cols)
		x[0] = math.MaxFloat32
		x[len(x)-1] = math.SmallestNonzeroFloat32
		restore, _ := Force(Generic)
		var want Acts
		want.Quantize(nil, x, cols, n, cols)
		restore()
		eachTier(t, func(t *testing.T) {
			var got Acts
			got.Quantize(nil, x, cols, n, cols)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%d columns: tiers quantize activations differently\n got %v\nwant %v", cols, got, want)
			}
		})
	}
}

func TestQuantizeShowsBadValues(t *testing.T) {
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	eachTier(t, func(t *testing.T) {
		q := make([]int8, 16*32)
		for i := range q {
			q[i] = 1
		}
		scale := make([]uint16, 16)
		for i := range scale {
			scale[i] = 0x3c00
		}
		m := PackInt(8, q, scale, 16, 32, 32)
		for _, v := range bad {
			for _, n := range []int{1, 4, 8, 48} {
				x, y := make([]float32, 32*n), make([]float32, 16*n)
				last := 32 * (n - 1)
				x[last+3], x[last+9] = v, 1
				var a Acts
				a.Quantize(nil, x, 32, n, 32)
				m.Mul(nil, y, 16, &a, n)
				if got := y[16*(n-1)+5]; got == got && !math.IsInf(float64(got), 0) {
					t.Errorf("an activation of %v gives %v with %d tokens: a broken model would look healthy", v, got, n)
				}
			}
		}
	})
}

func TestQuantizeError(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		x := random(r, 64)
		var a Acts
		a.Quantize(nil, x, 64, 1, 64)
		for i, v := range x {
			s := a.scale[i/blockSize]
			if d := math.Abs(float64(v - float32(a.q[i])*s)); d > float64(s)*0.5001 {
				t.Errorf("x[%d] = %v became %v: off by more than half a step of %v", i, v, float32(a.q[i])*s, s)
			}
		}
	})
}
