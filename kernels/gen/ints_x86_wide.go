package main

import "fmt"

// wideForm is how an expanded panel holds integers: unsigned with an offset of
// 2^(bits-1), or signed. VPDPBUSD takes any with one offset. VPMADDUBSW wants
// them as small as they are, and bytes as magnitudes; the sign goes to the
// activations, which lie as four values and their four opposites, by a shuffle:
// unlike VPSIGNB it does not wait for the ports that multiply (on Zen 3 that is
// a sixth of the time). A word of signed integers is 64 magnitudes and 64
// indices of shuffles.
type wideForm struct {
	intFormat
	signed bool
}

// wordBytes is the size of a word of a panel in form w.
func (w wideForm) wordBytes() int {
	if w.signed {
		return 128
	}
	return 64
}

func (w wideForm) name(s intISA, tokens int) string {
	return fmt.Sprintf("wide%s%sT%d", w, s.suffix, tokens)
}

func wideForms(s intISA) []wideForm {
	if s.vnni {
		return []wideForm{{intFormat{bits: 8}, false}, {intFormat{bits: 8, short: true}, false}}
	}
	return []wideForm{
		{intFormat{bits: 8}, true},
		{intFormat{bits: 6}, false},
		{intFormat{bits: 6, short: true}, false},
		{intFormat{bits: 5}, false},
		{intFormat{bits: 4}, false},
	}
}

func wideTokens(s intISA) []int {
	if s.evex() {
		return []int{8} // of fewer the kernel that reads stored panels is as fast
	}
	return []int{4, 2, 1}
}

// nextBytes is package kernels' constant of that name.
const nextBytes = 128

// wide is the kernel of one expanded panel and some tokens.
type wide struct {
	intRegs
	wideForm
	tokens int
	byHalf bool // outputs in two turns: sums of both halves do not fit
	sum    [][]string
	narrow []string
	w      []string // integers, or their magnitudes
	index  []string // of signed integers' shuffles
	x      string
	tmp    []string
	ones   string
	result []string // in registers; on the stack if nil
}

func x86Wide(a *asm, s intISA, form wideForm, tokens int) {
	g := &wide{intRegs: intRegs{intISA: s, asm: a}, wideForm: form, tokens: tokens}
	name := form.name(s, tokens)
	chained := !s.vnni && !form.signed
	g.byHalf = s.halves == 2 && (form.short || chained && chain(form.bits) < 8)
	side := s.halves
	if g.byHalf {
		side = 1
	}
	parts := 1
	if form.short {
		parts = 2
	}
	if chained {
		g.narrow = g.list(side * tokens)
	}
	for range parts {
		sums := g.narrow
		if !chained || chain(form.bits) < 8 {
			sums = g.list(side * tokens)
		}
		g.sum = append(g.sum, sums)
	}
	g.w = g.list(side)
	if form.signed {
		g.index = g.list(side)
	}
	if !s.evex() {
		g.x = g.new()
	}
	g.tmp = g.list(min(side, s.limit()-g.next-1))
	if s.vnni {
		g.newBase()
	} else {
		g.ones = g.new()
	}
	frame := 0
	if s.evex() {
		g.result = g.list(tokens)
	} else {
		frame = 64*tokens + 64
	}
	g.check(name)
	a.fnFrame(name, "(c *wideTile)", frame, 8,
		"SI weights, R8 their scales, R15 minimums or 0, DI activations, R9 their scales, R10 corrections or starts",
		"CX those of first half blocks, or of whole ones with starts the distance from R9 to sums of activations",
		"R11 and R12 steps of a block in R9 and DI, AX blocks left, R13 results on the stack, R14 what to fetch, DX y, BX its stride",
		"first the sums of a block, then weights, activations and products, ones or -1.5*2^23, results")
	if s.vnni {
		g.setBase()
	}
	g.intArgs("wideTile", "w", "SI", "scales", "R8", "mins", "R15", "q", "DI", "xs", "R9", "corr", "R10",
		"width", "R11", "blocks", "AX", "y", "DX")
	switch {
	case form.short:
		g.intArgs("wideTile", "half", "CX")
	case s.vnni:
		g.intArgs("wideTile", "sums", "CX")
		g.op("SUBQ", "R9", "CX")
	}
	g.op("MOVQ", "R11", "R12")
	if form.signed {
		g.op("SHLQ", "$6", "R12")
	} else {
		g.op("SHLQ", "$5", "R12")
	}
	g.op("SHLQ", "$2", "R11")
	if !s.vnni {
		g.op("VPCMPEQW", g.ones, g.ones, g.ones)
		g.op("VPSRLW", "$15", g.ones, g.ones)
	}
	if g.result == nil {
		g.alignStack("R13")
		g.zero(g.x)
		for i := range 2 * tokens {
			g.op("VMOVUPS", g.x, mem(32*i, "R13"))
		}
	}
	g.intArgs("wideTile", "next", "R14")
	if s.evex() {
		g.nextTile("wideTile", 1, "w", "SI", "scales", "R8", "mins", "R15", "blocks", "AX")
	}
	for _, r := range g.result {
		g.zero(r)
	}
	a.label("block")
	g.op("PREFETCHT0", "(R14)")
	g.op("PREFETCHT0", "64(R14)")
	g.op("ADDQ", imm(nextBytes), "R14")
	for from := 0; from < s.halves; from += side {
		g.block(from, side)
	}
	g.op("ADDQ", imm(8*form.wordBytes()), "SI")
	g.op("ADDQ", "R12", "DI")
	g.op("ADDQ", "R11", "R9")
	g.op("ADDQ", "R11", "R10")
	if form.short {
		g.op("ADDQ", "R11", "CX")
	}
	g.op("ADDQ", imm(64*parts), "R8")
	if form.bits <= 4 || s.vnni {
		g.op("TESTQ", "R15", "R15")
		g.op("JZ", "plain")
		g.op("ADDQ", "$64", "R15")
		a.label("plain")
	}
	g.op("DECQ", "AX")
	g.op("JNZ", "block")
	g.intArgs("wideTile", "add", "AX", "ld", "BX")
	g.op("SHLQ", "$2", "BX")
	for t := range tokens {
		results := []string{"Y0", "Y1"}
		if g.result != nil {
			results = g.result[t : t+1]
		} else {
			for h, r := range results {
				g.op("VMOVUPS", mem(64*t+32*h, "R13"), r)
			}
		}
		g.finish(fmt.Sprint("store", t), results...)
		if t+1 < tokens || s.evex() {
			g.op("ADDQ", "BX", "DX")
		}
	}
	if s.evex() {
		g.loopTiles("wideTile_tiles")
	}
	ret(a)
}

// block computes a block for side vectors of outputs from vector from on.
func (g *wide) block(from, side int) {
	g.start(side)
	limit := max(1, chain(g.bits)) // words a sum of 16 bits holds
	for q := range 8 {
		sum, first := g.sum[0], q == 0
		if g.short && q >= 4 {
			sum, first = g.sum[1], q == 4
		}
		for h := range side {
			at := g.wordBytes()*q + 32*(from+h)
			g.load(mem(at, "SI"), g.w[h])
			if g.signed {
				g.load(mem(at+64, "SI"), g.index[h])
			}
		}
		for t := range g.tokens {
			switch {
			case g.evex():
				g.op("VPDPBUSD.BCST", mem(32*t+4*q, "DI"), g.w[0], sum[t])
			case g.signed:
				g.op("VPBROADCASTQ", mem(64*t+8*q, "DI"), g.x)
				g.signedProducts(t, side, first, sum)
			default:
				g.op("VPBROADCASTD", mem(32*t+4*q, "DI"), g.x)
				g.unsignedProducts(t, side, q%limit == 0, sum)
			}
			if g.narrow != nil && (q+1)%limit == 0 {
				firstSum := q+1 == limit || g.short && q+1 == 4+limit
				g.widenSums(t, side, firstSum, sum)
			}
		}
	}
	if g.vnni {
		g.scaleStarted(from, side)
	} else {
		for t := range g.tokens {
			g.scaleToken(t, from, side)
		}
	}
	g.addMins(from, side)
}

// start sets the sums that VPDPBUSD adds to. Others start with their first product.
func (g *wide) start(side int) {
	for p := 0; g.vnni && p < len(g.sum); p++ {
		for i, r := range g.sum[p] {
			starts := "R10"
			if g.short && p == 0 {
				starts = "CX"
			}
			g.op("VPBROADCASTD", mem(4*(i%g.tokens), starts), r)
		}
	}
}

// signedProducts adds the products of a word with token t's quad in g.x. The
// instructions of both halves alternate.
func (g *wide) signedProducts(t, side int, first bool, sum []string) {
	for h := range side {
		g.op("VPSHUFB", g.index[h], g.x, g.tmp[h])
	}
	for h := range side {
		g.op("VPMADDUBSW", g.tmp[h], g.w[h], g.tmp[h])
	}
	for h := range side {
		to := g.tmp[h]
		if first {
			to = sum[h*g.tokens+t]
		}
		g.op("VPMADDWD", g.ones, g.tmp[h], to)
	}
	for h := range side {
		if !first {
			g.op("VPADDD", g.tmp[h], sum[h*g.tokens+t], sum[h*g.tokens+t])
		}
	}
}

// unsignedProducts is signedProducts for integers with an offset.
func (g *wide) unsignedProducts(t, side int, first bool, sum []string) {
	for h := range side {
		i, tmp := h*g.tokens+t, g.tmp[h%len(g.tmp)]
		switch {
		case g.vnni:
			g.dot(g.x, g.w[h], sum[i])
		case first:
			g.op("VPMADDUBSW", g.x, g.w[h], g.narrow[i])
		default:
			g.op("VPMADDUBSW", g.x, g.w[h], tmp)
			g.op("VPADDW", tmp, g.narrow[i], g.narrow[i])
		}
	}
}

// widenSums adds token t's sums of 16 bits to those of 32.
func (g *wide) widenSums(t, side int, first bool, sum []string) {
	for h := range side {
		i := h*g.tokens + t
		if first {
			g.op("VPMADDWD", g.ones, g.narrow[i], sum[i])
			continue
		}
		g.op("VPMADDWD", g.ones, g.narrow[i], g.narrow[i])
		g.op("VPADDD", g.narrow[i], sum[i], sum[i])
	}
}

// scaleStarted adds the scaled sums of a block, which started from floatBase, to the
// results.
func (g *wide) scaleStarted(from, side int) {
	for p, sum := range g.sum {
		for h := range side {
			g.op("VMOVUPS", mem(64*p+32*(from+h), "R8"), g.w[h])
			g.op("VMULPS", g.base, g.w[h], g.tmp[h])
		}
		for t := range g.tokens {
			if !g.evex() {
				g.op("VBROADCASTSS", mem(4*t, "R9"), g.x)
			}
			for h := range side {
				r := sum[h*g.tokens+t]
				g.op("VFMADD213PS", g.tmp[h], g.w[h], r)
				if g.evex() {
					g.op("VFMADD231PS.BCST", mem(4*t, "R9"), r, g.result[t])
					continue
				}
				to := mem(64*t+32*(from+h), "R13")
				g.op("VFMADD213PS", to, g.x, r)
				g.op("VMOVUPS", r, to)
			}
		}
	}
}

// scaleToken adds token t's scaled sums of a block to its results.
func (g *wide) scaleToken(t, from, side int) {
	if !g.signed {
		g.correct(t, side)
	}
	g.op("VBROADCASTSS", mem(4*t, "R9"), g.x)
	for p, sum := range g.sum {
		for h := range side {
			i, at := h*g.tokens+t, 64*p+32*(from+h)
			r := mem(64*t+32*(from+h), "R13")
			g.op("VCVTDQ2PS", sum[i], sum[i])
			g.op("VMULPS", mem(at, "R8"), sum[i], sum[i])
			g.op("VFMADD213PS", r, g.x, sum[i])
			g.op("VMOVUPS", sum[i], r)
		}
	}
}

// addMins adds minimums times a block's sums of activations to the results.
func (g *wide) addMins(from, side int) {
	if g.short || g.bits > 4 && !g.vnni {
		return
	}
	skip := fmt.Sprint("noMins", from)
	g.op("TESTQ", "R15", "R15")
	g.op("JZ", skip)
	if g.evex() {
		g.op("VMOVUPS", mem(0, "R15"), g.w[0])
		for t := range g.tokens {
			g.op("VFNMADD231PS.BCST", mem(4*t, "R9")+"(CX*1)", g.w[0], g.result[t])
		}
		g.label(skip)
		return
	}
	for t := range g.tokens {
		if g.vnni {
			g.op("VBROADCASTSS", mem(4*t, "R9")+"(CX*1)", g.x)
		} else {
			g.op("VPBROADCASTD", mem(4*t, "R10"), g.x)
			g.op("VPSRAD", "$7", g.x, g.x)
			g.op("VCVTDQ2PS", g.x, g.x)
			g.op("VBROADCASTSS", mem(4*t, "R9"), g.tmp[0])
			g.op("VMULPS", g.tmp[0], g.x, g.x)
		}
		for h := range side {
			r := mem(64*t+32*(from+h), "R13")
			g.op("VMOVUPS", r, g.tmp[0])
			g.op("VFNMADD231PS", mem(32*(from+h), "R15"), g.x, g.tmp[0])
			g.op("VMOVUPS", g.tmp[0], r)
		}
	}
	g.label(skip)
}

// correct takes the offset out of the sums of token t.
func (g *wide) correct(t, side int) {
	if g.short {
		g.correction(mem(4*t, "CX"), g.bits, g.tmp[0])
		for h := range side {
			i := h*g.tokens + t
			g.op("VPADDD", g.tmp[0], g.sum[0][i], g.sum[0][i])
			g.op("VPSUBD", g.tmp[0], g.sum[1][i], g.sum[1][i])
		}
	}
	g.correction(mem(4*t, "R10"), g.bits, g.tmp[0])
	last := g.sum[len(g.sum)-1]
	for h := range side {
		i := h*g.tokens + t
		g.op("VPADDD", g.tmp[0], last[i], last[i])
	}
}

// x86Expand writes the expansion of a stored panel to bytes.
func x86Expand(a *asm, s intISA, bits int) {
	g := &intRegs{intISA: s, asm: a}
	f := intFormat{bits: bits}
	src := newQuadSource(g, f, 1, false)
	offset, mask := g.new(), g.new()
	a.fn(fmt.Sprintf("expand%d%s", bits, s.suffix), "(dst, src *uint8, blocks int)", 24,
		"SI src, DI dst, AX blocks left",
		"first weights, then masks, last what is added to them")
	load(a, "dst", "DI", "src", "SI", "blocks", "AX")
	src.masks()
	add, to := 0, intFormatBytes
	switch {
	case s.vnni:
		add = 128 - 1<<(bits-1)
	case bits < 4:
		add = 8 - 1<<(bits-1)
	case bits == 8:
		to *= 2
		g.bytes(4, mask)
		g.op("MOVL", "$0x03020100", "CX")
		g.dword("CX", offset)
	}
	if add != 0 {
		g.bytes(add, offset)
	}
	a.label("block")
	for h := range s.halves {
		src.from = h
		if bits == 8 {
			x86ExpandSigned(src, offset, mask)
			continue
		}
		src.each(func(q int, w []string) {
			if add != 0 {
				g.op("VPADDB", offset, w[0], w[0])
			}
			g.store(w[0], mem(64*q+32*h, "DI"))
		})
	}
	g.op("ADDQ", imm(f.blockBytes()), "SI")
	g.op("ADDQ", imm(to), "DI")
	g.op("DECQ", "AX")
	g.op("JNZ", "block")
	ret(a)
}

// x86ExpandSigned writes the magnitudes of a half of a block's bytes and, of each,
// where its activation lies beside its opposite.
func x86ExpandSigned(src *quadSource, offset, mask string) {
	value, magnitude, sign, at := src.lo[0], src.hi[0], src.spare, 32*src.from
	for q := range 8 {
		src.op("VPXOR", src.weights(64*q, src.from), src.low, value)
		src.op("VPABSB", value, magnitude)
		src.op("VPXOR", sign, sign, sign)
		src.op("VPCMPGTB", value, sign, sign)
		src.op("VPAND", mask, sign, sign)
		src.op("VPOR", offset, sign, sign)
		src.store(magnitude, mem(128*q+at, "DI"))
		src.store(sign, mem(128*q+64+at, "DI"))
	}
}

// intFormatBytes is the size of a block of bytes.
const intFormatBytes = 512
