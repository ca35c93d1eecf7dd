package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Two planes of activations must come much closer than one: attention keys
// depend on it.
func TestQuantizeRest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n, cols, rows = 11, 75, 19
	x := make([]float32, n*cols)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	q := make([]int8, rows*cols)
	for i := range q {
		q[i] = int8(rng.IntN(255) - 127)
	}
	scale := make([]uint16, rows*3)
	for i := range scale {
		scale[i] = F32ToF16(0.01)
	}
	m := PackInt(8, q, scale, rows, cols, 32)
	for _, tier := range Available() {
		restore, err := Force(tier)
		if err != nil {
			t.Fatal(err)
		}
		p := NewPool(2)
		var one, rest Acts
		one.Quantize(p, x, cols, n, cols)
		rest.QuantizeRest(p, &one, x, cols, n, cols)
		coarse, fine := make([]float32, n*rows), make([]float32, n*rows)
		m.Mul(p, coarse, rows, &one, n)
		m.Mul(p, fine, rows, &rest, n)
		p.Close()
		restore()
		var errCoarse, errFine float64
		for tok := range n {
			for r := range rows {
				var want float64
				for c := range cols {
					want += float64(x[tok*cols+c]) * float64(q[r*cols+c]) * float64(F16ToF32(scale[0]))
				}
				got := float64(coarse[tok*rows+r])
				errCoarse = max(errCoarse, math.Abs(got-want))
				errFine = max(errFine, math.Abs(got+float64(fine[tok*rows+r])-want))
			}
		}
		if errFine > errCoarse/50 {
			t.Errorf("%s: two planes err by %.2g, one by %.2g", tier, errFine, errCoarse)
		}
	}
}

// odd returns random values of widely different blocks: of zeros, of values that
// count as such, and with infinities and NaN.
func odd(r *rand.Rand, n int) []float32 {
	x := random(r, n)
	for at := 0; at < n; at += blockSize {
		block := x[at:min(at+blockSize, n)]
		some := r.IntN(len(block))
		switch r.IntN(8) {
		case 0:
			clear(block)
		case 1:
			for i := range block {
				block[i] *= minAbs / 8
			}
		case 2:
			block[some] = float32(math.NaN())
		case 3:
			block[some] = float32(math.Inf(1 - 2*r.IntN(2)))
		case 4:
			block[some] = math.MaxFloat32
		case 5: // the least that counts, or a bit less
			clear(block)
			block[some] = minAbs
			if r.IntN(2) == 0 {
				block[some] = math.Nextafter32(minAbs, 0)
			}
		}
	}
	return x
}

// left is what a block of a leaves of v, its value i. The product, exact in f64,
// and the difference are rounded to f32 each.
func left(v float32, a *Acts, block, i int) float32 {
	product := float32(float64(a.scale[block]) * float64(a.q[block*blockSize+i]))
	return float32(float64(v) - float64(product))
}

func wordsOf(x []float32) []uint32 {
	out := make([]uint32, len(x))
	for i, v := range x {
		out[i] = math.Float32bits(v)
	}
	return out
}

// TestSubtract guards what the second plane of activations is made of: where
// tiers differ in a bit, answers of a model depend on the board.
func TestSubtract(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for width := 1; width <= actTile; width++ {
			for blocks := 1; blocks <= 2*restBlocks+1; blocks++ {
				cols := blocks * blockSize
				all := odd(r, width*cols)
				var a Acts
				a.Quantize(nil, all, cols, width, cols)
				for tok := range width {
					x, check := guarded(r, cols)
					copy(x, all[tok*cols:])
					want := make([]float32, cols)
					for i, v := range x {
						want[i] = left(v, &a, i/blockSize*width+tok, i%blockSize)
					}
					subtract(Active(), x, &a, tok, width)
					check(t)
					if !slices.Equal(wordsOf(x), wordsOf(want)) {
						t.Fatalf("token %d of %d, %d blocks: left %v, want %v", tok, width, blocks, x, want)
					}
				}
			}
		}
	})
}

// TestSetPart compares with tokens by themselves: those of a whole tile are quantized
// together, and which are together depends on batches and on whoever computes them.
func TestSetPart(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		p := NewPool(3)
		defer p.Close()
		for n := 1; n <= 3*actTile+1; n++ {
			for _, cols := range []int{31, 32, 65, 128, 300, 1500} {
				ldx := cols + r.IntN(20)
				x := odd(r, n*ldx)
				var got Acts
				got.Resize(n, cols)
				for t := 0; t < n; {
					count := 1 + r.IntN(n-t)
					for from := 0; from < cols; {
						part := min(blockSize*(1+r.IntN(4)), cols-from)
						got.SetPart(t, count, from, part, x[t*ldx+from:], ldx)
						from += part
					}
					t += count
				}
				var pooled Acts
				pooled.Quantize(p, x, ldx, n, cols)
				if !slices.Equal(pooled.q, got.q) || !slices.Equal(wordsOf(pooled.scale), wordsOf(got.scale)) ||
					!slices.Equal(pooled.corr, got.corr) || !slices.Equal(pooled.half, got.half) {
					t.Fatalf("%d tokens of %d values: not what Quantize gives", n, cols)
				}
				for tok := range n {
					var want Acts
					want.Quantize(nil, x[tok*ldx:], ldx, 1, cols)
					width, at := got.tile(tok)
					for b := range want.blocks {
						k := at + b*width
						if !slices.Equal(got.q[k*blockSize:][:blockSize], want.q[b*blockSize:][:blockSize]) || got.corr[k] != want.corr[b] ||
							got.half[k] != want.half[b] || math.Float32bits(got.scale[k]) != math.Float32bits(want.scale[b]) {
							t.Fatalf("token %d of %d, block %d of %d values: not what the token has by itself", tok, n, b, cols)
						}
					}
				}
			}
		}
	})
}

// TestQuantizeRestOfEveryShape compares with Quantize of the rests.
func TestQuantizeRestOfEveryShape(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for n := 1; n <= actTile+3; n++ {
			for _, cols := range []int{1, 31, 32, 33, 95, 256, 257, 300, 512, 600} {
				x := odd(r, n*cols)
				var a, want, got Acts
				a.Quantize(nil, x, cols, n, cols)
				padded := a.blocks * blockSize
				rests := make([]float32, n*padded)
				for tok := range n {
					width, at := a.tile(tok)
					row := rests[tok*padded:][:padded]
					copy(row, x[tok*cols:][:cols])
					for i, v := range row {
						row[i] = left(v, &a, at+i/blockSize*width, i%blockSize)
					}
				}
				want.Quantize(nil, rests, padded, n, padded)
				got.QuantizeRest(nil, &a, x, cols, n, cols)
				if !slices.Equal(got.q, want.q) || !slices.Equal(wordsOf(got.scale), wordsOf(want.scale)) ||
					!slices.Equal(got.corr, want.corr) || !slices.Equal(got.half, want.half) {
					t.Fatalf("%d tokens of %d values: the second plane is not the quantization of what the first leaves", n, cols)
				}
			}
		}
	})
}

// Acts keep what kernels derive from them. None of it may outlive the values: else a
// prompt is multiplied with the sums of the one before.
func TestActsAreReused(t *testing.T) {
	const rows, cols = 3*panelRows + 5, 96
	eachCore(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(81, 82))
		cases := []intCase{newIntCase(r, 8, rows, cols, 32), newIntCase(r, 4, rows, cols, 32).withMins(r), newIntCase(r, 6, rows, cols, 16)}
		var a, rest Acts
		for _, n := range []int{48, 9, 48, 16, 41, 44} {
			x := activations(r, n, cols)
			a.Quantize(nil, x, cols, n, cols)
			rest.QuantizeRest(nil, &a, x, cols, n, cols)
			for _, c := range cases {
				m := c.pack()
				got, want := make([]float32, n*rows), make([]float32, n*rows)
				MulAll(nil, n, Out{M: m, A: &a, Rest: &rest, Y: got, LdY: rows})
				for tok := range n { // one token needs nothing derived
					var a, rest Acts
					a.Quantize(nil, x[tok*cols:], cols, 1, cols)
					rest.QuantizeRest(nil, &a, x[tok*cols:], cols, 1, cols)
					MulAll(nil, 1, Out{M: m, A: &a, Rest: &rest, Y: want[tok*rows:], LdY: rows})
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%s, %d tokens: activations that are used again give another product", c, n)
				}
			}
		}
	})
}
