package main

import (
	"fmt"
	"slices"
)

// direct is the kernel of one, two or four stored panels and one or two tokens. Bytes are
// stored plus 128: VNNI takes them so, VPMADDUBSW as magnitudes with the sign
// moved to the activations. Sums of 16 bits are widened before they could
// overflow.
type direct struct {
	*intRegs
	intFormat
	tokens int
	panels int
	side   int // vectors of outputs in one turn
	result []string
	sum    []string // [parts][side][tokens]
	narrow []string // sums of 16 bits, nil if there are none
	x, tmp string
	ones   string
	src    *quadSource
	split  bool // high nibbles have a sum of their own, 16 times too large, and need no shift
	supers superRegs
}

// directShape is how many tokens and panels a direct kernel takes.
type directShape struct{ tokens, panels int }

func (d directShape) name(s intISA, f intFormat) string {
	name := fmt.Sprintf("mul%s%sT%d", f, s.suffix, d.tokens)
	if d.panels > 1 {
		name += fmt.Sprint("P", d.panels)
	}
	return name
}

// startTokens is package kernels' constant of that name.
const startTokens = 4

// directShapes lists what an instruction set has. Panels by turns are streams of
// memory of their own: Zen 3 reads two a quarter faster than one, Zen 4 two to
// four a tenth faster than one with lines asked for in advance.
func directShapes(s intISA, f intFormat) []directShape {
	switch {
	case !s.evex() && s.vnni:
		return []directShape{{2, 1}, {1, 1}}
	case !s.evex():
		return []directShape{{2, 1}, {1, 1}, {1, 2}}
	case f.short && !f.super:
		return []directShape{{2, 1}, {1, 1}, {1, 4}}
	}
	return []directShape{{8, 1}, {4, 1}, {2, 1}, {1, 1}, {1, 4}}
}

// newDirect allots registers; fits is false if there are too few.
func newDirect(a *asm, s intISA, f intFormat, tokens, panels, side int) (d *direct, fits bool) {
	g := &intRegs{intISA: s, asm: a, third: "CX"}
	if f.short { // which has no groups to count, but half blocks in CX
		g.third = "R13"
	}
	d = &direct{intRegs: g, intFormat: f, tokens: tokens, panels: panels, side: side}
	d.split = s.evex() && f.bits == 4 && tokens == 1
	d.result = g.list(tokens * panels * s.halves)
	d.src = newQuadSource(g, f, side, d.split)
	d.x, d.tmp = g.new(), d.src.spare
	chained := !s.vnni && f.bits < 8 && !f.short
	if chained {
		d.narrow = g.list(side * tokens)
	}
	d.sum = d.narrow
	if !chained || chain(f.bits) < 8 {
		parts := 1
		if f.short || d.split {
			parts = 2
		}
		d.sum = g.list(parts * side * tokens)
	}
	if !s.vnni {
		d.ones = g.new()
	}
	if f.super {
		d.supers = newSuperRegs(d)
	}
	if tokens >= startTokens {
		d.newBase()
	}
	return d, g.next <= g.limit()
}

func x86Direct(a *asm, s intISA, f intFormat, shape directShape) {
	tokens, panels := shape.tokens, shape.panels
	var d *direct
	fits := false
	for side := panels * s.halves; !fits && side > 0; side /= 2 {
		d, fits = newDirect(a, s, f, tokens, panels, side)
	}
	name := shape.name(s, f)
	if !fits {
		panic("gen: too few registers for " + name)
	}
	a.fn(name, "(c *intTile)", 8,
		"SI weights, R8 their scales, R15 minimums or 0, DI activations, R9 their scales, R10 corrections or starts, CX those of first half blocks",
		"R11 step of a block in R9, AX blocks left, R13 blocks of a group, R14 blocks left in it, R12 with 8 tokens what to fetch",
		"with minimums of one panel CX the distance from R9 to sums of activations",
		"BX and DX distances of panels' weights and scales, R12 and CX (R13 with half blocks) three of them, at the end DX y and CX (R13) its stride",
		"first the results, then weights and masks, activations, sums of a block, ones, scales of superblocks, -1.5*2^23",
		"with superblocks R8 their scales and factors, R14 blocks left in one")
	if panels > 1 {
		a.label("panel")
	}
	panel := []string{"w", "SI", "scales", "R8", "mins", "R15"}
	if f.super {
		panel = []string{"w", "SI", "super", "R8"}
	}
	d.intArgs("intTile", append(slices.Clone(panel), "q", "DI", "xs", "R9", "corr", "R10",
		"width", "R11", "blocks", "AX", "groupBlocks", "R13")...)
	d.src.masks()
	if tokens >= startTokens {
		d.setBase()
	}
	if !s.vnni {
		d.op("VPCMPEQW", d.ones, d.ones, d.ones)
		d.op("VPSRLW", "$15", d.ones, d.ones)
	}
	if f.short {
		d.intArgs("intTile", "half", "CX")
	}
	d.op("SHLQ", "$2", "R11")
	d.op("MOVQ", "R13", "R14")
	switch {
	case panels > 1:
		d.intArgs("intTile", "apartScales", "DX", "apart", "BX")
	}
	if f.super {
		d.startSupers()
	}
	if panels == 4 {
		d.op("LEAQ", "(BX)(BX*2)", "R12")
		d.op("LEAQ", "(DX)(DX*2)", d.third)
	}
	if tokens == 8 {
		d.nextPanel()
		d.nextTile("intTile", 1, append(panel, "blocks", "AX")...)
		if f.super {
			d.startSupers()
		} else {
			d.op("MOVQ", "R13", "R14")
		}
	}
	if d.hasSums() {
		d.intArgs("intTile", "sums", "CX")
		d.op("SUBQ", "intTile_actView+actView_xs(BX)", "CX")
	}
	for _, r := range d.result {
		d.zero(r)
	}
	a.label("block")
	if f.super {
		d.nextSuper()
	}
	if tokens == 1 {
		d.ask()
	}
	if tokens == 8 { // two tiles fetch the next panel while they compute
		for off := 0; off < f.blockBytes()/2; off += 64 {
			d.op("PREFETCHT1", mem(off, "R12"))
		}
		d.op("ADDQ", imm(f.blockBytes()/2), "R12")
	}
	for from := 0; from < panels*s.halves; from += d.side {
		d.src.from = from
		d.products()
		if f.super {
			d.scaleSupers(from)
		} else {
			d.scaleAll(from)
		}
	}
	d.op("ADDQ", imm(f.blockBytes()), "SI")
	d.op("LEAQ", "(DI)(R11*8)", "DI")
	d.op("ADDQ", "R11", "R9")
	d.op("ADDQ", "R11", "R10")
	switch {
	case f.super:
		d.stepSupers()
	case f.short:
		d.op("ADDQ", "R11", "CX")
		d.op("ADDQ", "$64", "R8")
	default:
		d.op("DECQ", "R14")
		d.op("JNZ", "same")
		d.op("MOVQ", "R13", "R14")
		d.op("ADDQ", "$32", "R8")
		if f.bits <= 4 {
			d.op("TESTQ", "R15", "R15")
			d.op("JZ", "same")
			d.op("ADDQ", "$32", "R15")
		}
		a.label("same")
	}
	d.op("DECQ", "AX")
	d.op("JNZ", "block")
	d.intArgs("intTile", "add", "AX")
	if tokens < 8 {
		d.intArgs("intTile", "y", "DX")
	}
	step := "CX"
	if f.short {
		step = "R13" // CX goes on to the next tile
	}
	if panels > 1 {
		d.intArgs("intTile", "apartY", step)
	}
	if tokens > 1 {
		d.intArgs("intTile", "ld", step)
	}
	d.op("SHLQ", "$2", step)
	turns := tokens * panels // one of them is 1
	for t := range turns {
		var results []string
		for h := range s.halves {
			if panels > 1 {
				results = append(results, d.result[t*s.halves+h])
			} else {
				results = append(results, d.result[h*tokens+t])
			}
		}
		d.finish(fmt.Sprint("store", t), results...)
		if t+1 < turns || tokens == 8 {
			d.op("ADDQ", step, "DX")
		}
	}
	if tokens == 8 {
		d.loopTiles("intTile_left")
	}
	if tokens == 8 || panels > 1 {
		d.loopPanels()
	}
	ret(a)
}

// hasSums says that CX holds the distance from scales of activations to
// minus the sums of their blocks, which minimums multiply.
func (d *direct) hasSums() bool { return d.evex() && d.bits <= 4 && d.panels == 1 }

// products sums a block's products.
func (d *direct) products() {
	x := func(t, q int) string { return mem(32*t+4*q, "DI") }
	part := d.side * d.tokens
	d.start()
	if d.bits == 8 && !d.vnni {
		d.signedProducts()
		return
	}
	inChain, seen := 0, 0
	d.src.each(func(q int, w []string) {
		sums := d.sum
		if (d.short || d.split) && q >= 4 {
			sums = d.sum[part:]
		}
		for t := range d.tokens {
			if d.evex() && d.side == 1 {
				d.op("VPDPBUSD.BCST", x(t, q), w[0], sums[t])
				continue
			}
			d.op("VPBROADCASTD", x(t, q), d.x)
			for h := range d.side {
				i := h*d.tokens + t
				switch {
				case d.vnni:
					d.dot(d.x, w[h], sums[i])
				case d.narrow == nil:
					d.op("VPMADDUBSW", d.x, w[h], d.tmp)
					d.op("VPMADDWD", d.ones, d.tmp, d.tmp)
					d.op("VPADDD", d.tmp, sums[i], sums[i])
				case inChain == 0:
					d.op("VPMADDUBSW", d.x, w[h], d.narrow[i])
				default:
					d.op("VPMADDUBSW", d.x, w[h], d.tmp)
					d.op("VPADDW", d.tmp, d.narrow[i], d.narrow[i])
				}
			}
		}
		inChain++
		if seen++; d.narrow == nil || inChain < chain(d.bits) && seen < 8 {
			return
		}
		for i, n := range d.narrow {
			d.op("VPMADDWD", d.ones, n, n)
			if d.sum[i] != n {
				d.op("VPADDD", n, d.sum[i], d.sum[i])
			}
		}
		inChain = 0
	})
	for h := range d.side {
		if d.split {
			d.op("VPSRAD", "$4", d.sum[part+h], d.sum[part+h])
			d.op("VPADDD", d.sum[part+h], d.sum[h], d.sum[h])
		}
	}
}

// signedProducts is products of bytes without VNNI.
func (d *direct) signedProducts() {
	for q := range 8 {
		for h := range d.side {
			d.op("VPXOR", d.weights(64*q, d.src.from+h), d.src.low, d.src.lo[h])
			d.op("VPABSB", d.src.lo[h], d.src.hi[h])
		}
		for t := range d.tokens {
			d.op("VPBROADCASTD", mem(32*t+4*q, "DI"), d.x)
			for h := range d.side {
				sum := d.sum[h*d.tokens+t]
				d.op("VPSIGNB", d.src.lo[h], d.x, d.tmp)
				d.op("VPMADDUBSW", d.tmp, d.src.hi[h], d.tmp)
				d.op("VPMADDWD", d.ones, d.tmp, d.tmp)
				d.op("VPADDD", d.tmp, sum, sum)
			}
		}
	}
}

// start sets the sums of a block: to the correction where VPDPBUSD adds to them.
func (d *direct) start() {
	if !d.vnni {
		if d.narrow == nil || d.sum[0] != d.narrow[0] {
			for _, r := range d.sum {
				d.zero(r)
			}
		}
		return
	}
	part := d.side * d.tokens
	if d.split {
		d.correction(mem(0, "R10"), d.bits, d.sum[0])
		for h := range d.side {
			if h > 0 {
				d.move(d.sum[0], d.sum[h])
			}
			d.zero(d.sum[part+h])
		}
		return
	}
	for t := range d.tokens {
		if d.tokens >= startTokens {
			d.op("VPBROADCASTD", mem(4*t, "R10"), d.sum[len(d.sum)-part+t])
			if d.short {
				d.op("VPBROADCASTD", mem(4*t, "CX"), d.sum[t])
			}
			continue
		}
		d.correction(mem(4*t, "R10"), d.bits, d.sum[len(d.sum)-part+t])
		if d.short {
			d.correction(mem(4*t, "CX"), d.bits, d.sum[t])
			d.op("VPSUBD", d.sum[t], d.sum[part+t], d.sum[part+t])
		}
		for p := 0; p < len(d.sum); p += part {
			for h := 1; h < d.side; h++ {
				d.move(d.sum[p+t], d.sum[p+h*d.tokens+t])
			}
		}
	}
}

// parts is how many sums with scales of their own a block has.
func (d *direct) parts() int {
	if d.short {
		return 2
	}
	return 1
}

// scaleSums adds the sums of each token, scaled, to its results.
func (d *direct) scaleSums(sums, results []string, scale string) {
	if d.base != "" {
		d.op("VMULPS", d.base, scale, d.tmp)
	}
	for t, sum := range sums {
		if d.base != "" {
			d.op("VFMADD213PS", d.tmp, scale, sum)
		} else {
			d.op("VCVTDQ2PS", sum, sum)
			d.op("VMULPS", scale, sum, sum)
		}
		if d.evex() {
			d.op("VFMADD231PS.BCST", mem(4*t, "R9"), sum, results[t])
			continue
		}
		d.op("VBROADCASTSS", mem(4*t, "R9"), d.x)
		d.op("VFMADD231PS", d.x, sum, results[t])
	}
}

// scaleAll adds the scaled sums of a block to the results.
func (d *direct) scaleAll(from int) {
	corrected := d.vnni || d.bits == 8 // the latter's weights are made signed
	part := d.side * d.tokens
	for t := 0; t < d.tokens && !corrected; t++ {
		if d.short {
			d.correction(mem(4*t, "CX"), d.bits, d.tmp)
			for h := range d.side {
				i := h*d.tokens + t
				d.op("VPADDD", d.tmp, d.sum[i], d.sum[i])
				d.op("VPSUBD", d.tmp, d.sum[part+i], d.sum[part+i])
			}
		}
		d.correction(mem(4*t, "R10"), d.bits, d.tmp)
		for h := range d.side {
			i := len(d.sum) - part + h*d.tokens + t
			d.op("VPADDD", d.tmp, d.sum[i], d.sum[i])
		}
	}
	scale := d.src.lo[0]
	for p := range d.parts() {
		for h := range d.side {
			d.op("VCVTPH2PS", d.scales(32*p, from+h, "R8"), scale)
			d.scaleSums(d.sum[p*part+h*d.tokens:][:d.tokens], d.result[(from+h)*d.tokens:], scale)
		}
	}
	if d.bits > 4 {
		return
	}
	skip := fmt.Sprint("noMins", from)
	d.op("TESTQ", "R15", "R15")
	d.op("JZ", skip)
	if d.hasSums() {
		d.op("VCVTPH2PS", d.scales(0, from, "R15"), scale)
		for t := range d.tokens {
			d.op("VFNMADD231PS.BCST", mem(4*t, "R9")+"(CX*1)", scale, d.result[t])
		}
		d.label(skip)
		return
	}
	for t := range d.tokens {
		d.op("VPBROADCASTD", mem(4*t, "R10"), d.tmp)
		d.op("VPSRAD", "$7", d.tmp, d.tmp)
		d.op("VCVTDQ2PS", d.tmp, d.tmp)
		d.op("VBROADCASTSS", mem(4*t, "R9"), d.x)
		d.op("VMULPS", d.x, d.tmp, d.tmp)
		for h := range d.side {
			d.op("VCVTPH2PS", d.scales(0, from+h, "R15"), scale)
			d.op("VFNMADD231PS", scale, d.tmp, d.result[(from+h)*d.tokens+t])
		}
	}
	d.label(skip)
}
