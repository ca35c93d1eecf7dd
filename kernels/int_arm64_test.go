//go:build !noasm

package kernels

import (
	"math"
	"slices"
	"testing"
)

// generator yields the bytes of .ci/arm64/c/reference.c, so that results can be
// compared.
type generator uint64

func (g *generator) next() int {
	*g = *g*6364136223846793005 + 1442695040888963407
	return int(*g >> 56)
}

// kernelBlocks is the length of the panel in BenchmarkIntKernel: 1,024 inputs.
const kernelBlocks = 32

// kernelTile is a panel of 4 or 8 bits in groups of 32, with some tokens.
func kernelTile(bits, tokens int) (stored intTile, expanded wideTile) {
	var g generator
	w := aligned[uint8](512 * kernelBlocks)
	for i := range w {
		w[i] = uint8(g.next())
	}
	scales, wide := aligned[uint16](16*kernelBlocks), aligned[float32](16*kernelBlocks)
	for i := range scales {
		scales[i] = uint16(0x3800 + g.next())
		wide[i] = F16ToF32(scales[i])
	}
	n := tokens * kernelBlocks
	q, xs := aligned[int8](blockSize*n), aligned[float32](n)
	corr, half := aligned[int32](n), aligned[int32](n)
	for i := range n {
		xs[i] = float32(g.next()) / 256
		for k := range blockSize {
			v := g.next()%255 - 127
			q[blockSize*i+k] = int8(v)
			corr[i] -= int32(128 * v)
		}
	}
	a := actView{q: &q[0], xs: &xs[0], corr: &corr[0], half: &half[0], width: tokens}
	out := output{y: make([]float32, panelRows*tokens), ld: panelRows}
	stored = intTile{blocks: kernelBlocks, groupBlocks: 1, w: w[:bits*64*kernelBlocks], scales: scales, actView: a, output: out}
	return stored, wideTile{blocks: kernelBlocks, w: w, scales: wide, next: a.q, actView: a, output: out}
}

// intKernels are the kernels whose instructions make arm64-quality counts, by
// the names of their counterparts in C.
var intKernels = map[string]struct {
	tier         Tier
	bits, tokens int
	run          func(stored *intTile, expanded *wideTile)
}{
	"neon_q8x1": {NEON, 8, 1, func(c *intTile, _ *wideTile) { mul8NEONT1(c) }},
	"neon_q8x2": {NEON, 8, 2, func(c *intTile, _ *wideTile) { mul8NEONT2(c) }},
	"neon_q4x1": {NEON, 4, 1, func(c *intTile, _ *wideTile) { mul4NEONT1(c) }},
	"neon_q4x2": {NEON, 4, 2, func(c *intTile, _ *wideTile) { mul4NEONT2(c) }},
	"dot_q8x1":  {DotProd, 8, 1, func(c *intTile, _ *wideTile) { mul8DotT1(c) }},
	"dot_q8x2":  {DotProd, 8, 2, func(c *intTile, _ *wideTile) { mul8DotT2(c) }},
	"dot_q8x4":  {DotProd, 8, 4, func(_ *intTile, c *wideTile) { wideDotT4(c) }},
	"dot_q4x1":  {DotProd, 4, 1, func(c *intTile, _ *wideTile) { mul4DotT1(c) }},
	"dot_q4x2":  {DotProd, 4, 2, func(c *intTile, _ *wideTile) { mul4DotT2(c) }},
	"dot_q4x4":  {DotProd, 4, 4, func(c *intTile, _ *wideTile) { mul4DotT4(c) }},
	"i8mm_q8x4": {I8MM, 8, 4, func(_ *intTile, c *wideTile) { wideI8MMT4(c) }},
	"i8mm_q4x8": {I8MM, 4, 8, func(s *intTile, c *wideTile) {
		expand4I8MM(&c.w[0], &s.w[0], c.blocks)
		for t := 0; t < 8; t += 4 {
			part := *c
			part.q, part.xs, part.corr, part.y = item(c.q, 32*t), item(c.xs, t), item(c.corr, t), c.y[16*t:]
			wideI8MMT4(&part)
		}
	}},
}

// BenchmarkIntKernel calls one kernel b.N times on a panel of 1,024 inputs. Its
// checksum, of the bits of all results, must be that of the kernel in C.
func BenchmarkIntKernel(b *testing.B) {
	for name, k := range intKernels {
		b.Run(name, func(b *testing.B) {
			if !slices.Contains(Available(), k.tier) {
				b.Skipf("this CPU does not have %v", k.tier)
			}
			stored, expanded := kernelTile(k.bits, k.tokens)
			if k.bits == 4 {
				expanded.w = aligned[uint8](len(expanded.w))
			}
			for b.Loop() {
				k.run(&stored, &expanded)
			}
			var sum uint64
			for _, v := range stored.y {
				sum += uint64(math.Float32bits(v))
			}
			b.ReportMetric(float64(sum), "checksum")
		})
	}
}
