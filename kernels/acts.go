package kernels

import (
	"fmt"
	"math"
)

// actTile is the number of tokens whose blocks lie side by side in Acts.
const actTile = 8

// Acts holds activations as int8 with one f32 scale per block of 32 values:
// x ≈ q*scale with q in -127..127. The zero value is ready for Quantize, which
// reuses the memory.
//
// Tokens lie in tiles of 8 (the last tile is as wide as its tokens): a tile of
// w tokens is [blocks][w][32] bytes, with scales and sums [blocks][w].
type Acts struct {
	n, cols, blocks int
	q               []int8
	scale           []float32
	corr, half      []int32 // -128 times the sum of a block's q, and of its first 16

	pairs  []int8 // q as four values and their opposites, made when first needed
	paired bool

	sums   []float32 // minus the sum of a block's q*scale, made when first needed
	summed bool

	ready [9]starts // by bits of weights as kernels read them, made when first needed
}

// starts are what sums of a block start from in some kernels: floatBase's bits
// plus what takes the offset of weights out of the sum, minus the offset times the sum
// of its q. Halves of a block have theirs.
type starts struct {
	blocks, halves     bool // which of them are made
	all, first, second []int32
}

// quantJob is one Quantize in flight; unit i covers chunk tokens.
type quantJob struct {
	a        *Acts
	tier     Tier
	x        []float32
	ldx      int
	chunk, n int
	of       *Acts // quantize what it leaves of x
}

// Do quantizes the tokens of unit i.
func (j *quantJob) Do(_, i int) {
	from, to := i*j.chunk, min((i+1)*j.chunk, j.n)
	if j.of == nil {
		j.a.quantizePart(j.tier, from, to-from, 0, j.a.cols, j.x[from*j.ldx:], j.ldx)
		return
	}
	for t := from; t < to; t++ {
		j.a.quantizeRest(j.tier, t, j.x[t*j.ldx:][:j.a.cols], j.of)
	}
}

// Quantize replaces the contents by n tokens of cols values; token t is
// x[t*ldx:][:cols]. Values round to nearest, ties to even. A block that holds
// an infinity or NaN makes its products NaN.
func (a *Acts) Quantize(p *Pool, x []float32, ldx, n, cols int) {
	a.quantize(p, x, ldx, n, cols, nil)
}

// QuantizeRest replaces the contents by what of, the quantization of the same
// x, leaves of it: of and a together carry about 15 bits. The product with both
// is the sum of the two products.
func (a *Acts) QuantizeRest(p *Pool, of *Acts, x []float32, ldx, n, cols int) {
	if of == a || of.n != n || of.cols != cols {
		panic(fmt.Sprintf("kernels: QuantizeRest of %d x %d values on a quantization of %d x %d", n, cols, of.n, of.cols))
	}
	a.quantize(p, x, ldx, n, cols, of)
}

func (a *Acts) quantize(p *Pool, x []float32, ldx, n, cols int, of *Acts) {
	if n < 1 || cols < 1 {
		panic(fmt.Sprintf("kernels: Quantize of %d tokens of %d values", n, cols))
	}
	checkMatrix("x", n, cols, ldx, len(x))
	a.grow(n, cols)
	if p == nil || n*cols < serialWork {
		j := quantJob{a, Active(), x, ldx, n, n, of}
		j.Do(0, 0)
		return
	}
	p.mu.Lock()
	chunk := (unitWork/cols + actTile) / actTile * actTile // no two workers share a tile
	p.quant = quantJob{a, Active(), x, ldx, chunk, n, of}
	p.run((n+p.quant.chunk-1)/p.quant.chunk, &p.quant)
	p.quant = quantJob{}
	p.mu.Unlock()
}

func (a *Acts) grow(n, cols int) {
	a.paired, a.summed = false, false
	for i := range a.ready {
		a.ready[i].blocks, a.ready[i].halves = false, false
	}
	a.n, a.cols = n, cols
	a.blocks = (cols + blockSize - 1) / blockSize
	count := n * a.blocks
	if cap(a.scale) < count {
		a.q = aligned[int8](count * blockSize)
		a.scale = aligned[float32](count)
		a.corr, a.half = aligned[int32](count), aligned[int32](count)
	}
	a.q, a.scale = a.q[:count*blockSize], a.scale[:count]
	a.corr, a.half = a.corr[:count], a.half[:count]
}

// pair fills pairs.
func (a *Acts) pair() {
	if a.paired {
		return
	}
	if cap(a.pairs) < 2*len(a.q) {
		a.pairs = aligned[int8](2 * len(a.q))
	}
	a.pairs = a.pairs[:2*len(a.q)]
	pairBlocks(a.pairs, a.q)
	a.paired = true
}

// sum fills sums.
func (a *Acts) sum() {
	if a.summed {
		return
	}
	if cap(a.sums) < len(a.corr) {
		a.sums = aligned[float32](len(a.corr))
	}
	a.sums = a.sums[:len(a.corr)]
	for i, scale := range a.scale {
		a.sums[i] = float32(a.corr[i]>>7) * scale
	}
	a.summed = true
}

// tile returns the width of the tile of token t and the index, in blocks, of
// block 0 of that token; the token's next block lies width further on.
func (a *Acts) tile(t int) (width, first int) {
	start := t / actTile * actTile
	return min(actTile, a.n-start), start*a.blocks + t - start
}

// quantizePart quantizes cols values of n tokens from t on, from column from on, the
// first of a block. Rows of x are ldx apart.
func (a *Acts) quantizePart(tier Tier, t, n, from, cols int, x []float32, ldx int) {
	full := cols / blockSize
	for i := 0; full > 0 && i < n; {
		width, at := a.tile(t + i)
		at += from / blockSize * width
		if tiles := (n - i) / actTile; (t+i)%actTile == 0 && tiles > 0 && quantizeTiles(tier, x[i*ldx:], ldx, tiles, full, a, at) {
			i += tiles * actTile
			continue
		}
		quantize(tier, x[i*ldx:][:full*blockSize], a, at, width)
		i++
	}
	if full*blockSize < cols {
		a.quantizeLast(tier, t, n, from/blockSize+full, x[full*blockSize:], cols-full*blockSize, ldx)
	}
}

// quantizeLast quantizes a block of n tokens from t on that has fewer values.
func (a *Acts) quantizeLast(tier Tier, t, n, block int, x []float32, cols, ldx int) {
	var last [actTile * blockSize]float32 // zeros behind the values
	for i := 0; i < n; {
		width, at := a.tile(t + i)
		at += block * width
		rows := 1
		if (t+i)%actTile == 0 && n-i >= actTile {
			rows = actTile
		}
		for r := range rows {
			copy(last[r*blockSize:][:cols], x[(i+r)*ldx:])
		}
		if rows == 1 || !quantizeTiles(tier, last[:], blockSize, 1, 1, a, at) {
			for r := range rows {
				quantize(tier, last[r*blockSize:][:blockSize], a, at+r, width)
			}
		}
		i += rows
	}
}

// restBlocks is the number of blocks whose rest is computed at a time.
const restBlocks = 8

// quantizeRest quantizes the rest that of leaves of token t.
func (a *Acts) quantizeRest(tier Tier, t int, x []float32, of *Acts) {
	width, at := a.tile(t)
	var rest [restBlocks * blockSize]float32
	for len(x) > 0 {
		n := copy(rest[:], x)
		blocks := (n + blockSize - 1) / blockSize
		part := rest[:blocks*blockSize]
		clear(part[n:])
		subtract(tier, part, of, at, width)
		quantize(tier, part, a, at, width)
		x, at = x[n:], at+blocks*width
	}
}

// minAbs is the largest magnitude that still counts as zero: below it 127/max
// could overflow.
const minAbs = 0x1p-100

// quantizeGeneric writes the blocks of x to a, at block index at and every
// width further.
func quantizeGeneric(x []float32, a *Acts, at, width int) {
	for ; len(x) > 0; x, at = x[blockSize:], at+width {
		var top uint32 // magnitudes order like their bits, NaN on top
		for _, v := range x[:blockSize] {
			top = max(top, math.Float32bits(v)&0x7fffffff)
		}
		amax := math.Float32frombits(top)
		var inverse float32
		a.scale[at] = amax / 127
		if amax < minAbs {
			a.scale[at] = 0
		} else {
			inverse = 127 / amax
		}
		var half, sum int32
		q := a.q[at*blockSize:][:blockSize]
		for i, v := range x[:blockSize] {
			if i == blockSize/2 {
				half = sum
			}
			r := int32(math.RoundToEven(float64(v * inverse)))
			q[i] = int8(r)
			sum += r
		}
		a.corr[at], a.half[at] = -128*sum, -128*half
	}
}

// subtractGeneric takes from x what the blocks of a stand for, at block index at
// and every width further. The conversion keeps Go from fusing: products are
// rounded on every architecture.
func subtractGeneric(x []float32, a *Acts, at, width int) {
	for ; len(x) > 0; x, at = x[blockSize:], at+width {
		scale, q := a.scale[at], a.q[at*blockSize:][:blockSize]
		for i, v := range x[:blockSize] {
			x[i] = v - float32(scale*float32(q[i]))
		}
	}
}
