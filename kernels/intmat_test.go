package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// intCase is a random integer matrix with its plain form.
type intCase struct {
	bits, rows, cols, group int
	q                       []int8
	scale                   []uint16
}

// newIntCase draws weights over the whole range of bits; every fourth matrix
// holds only the two extremes.
func newIntCase(r *rand.Rand, bits, rows, cols, group int) intCase {
	groups := (cols + group - 1) / group
	c := intCase{bits, rows, cols, group, make([]int8, rows*cols), make([]uint16, rows*groups)}
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
		for r := range y {
			var sum int
			for i, v := range block {
				sum += int(math.RoundToEven(float64(v*inverse))) * int(c.q[r*c.cols+b+i])
			}
			y[r] = fma32(float32(sum), F16ToF32(c.scale[r*groups+b/c.group])*(amax/127), y[r])
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
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		for _, s := range shapes {
			for bits := 2; bits <= 8; bits++ {
				c := newIntCase(r, bits, s.rows, s.cols, s.group)
				m := PackInt(bits, c.q, c.scale, s.rows, s.cols, s.group)
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
								t.Fatalf("%d bits, %v: y[%d,%d] = %v, want exactly %v: tiers would give different models", bits, s, tok, o, got, want)
							}
						}
					}
				}
			}
		}
	})
}

func TestIntRowDoesNotDependOnBatch(t *testing.T) {
	eachTier(t, func(t *testing.T) {
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
			x, y := make([]float32, 32), make([]float32, 16)
			x[3], x[9] = v, 1
			var a Acts
			a.Quantize(nil, x, 32, 1, 32)
			m.Mul(nil, y, 16, &a, 1)
			if y[5] == y[5] && !math.IsInf(float64(y[5]), 0) {
				t.Errorf("an activation of %v gives %v: a broken model would look healthy", v, y[5])
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
