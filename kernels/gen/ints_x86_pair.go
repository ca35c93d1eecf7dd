package main

import "fmt"

const (
	pairTokens = 8
	// pairKept is how many tokens' results stay in registers; the others' lie on
	// the stack.
	pairKept = 6
	pairName = "wide8AVX512T8P2"
)

// x86WidePair is the kernel of two expanded panels and tiles of 8 tokens: every
// activation that it loads meets both. With one panel two loads a cycle bound
// processors whose two ports both multiply; here those ports do.
func x86WidePair(a *asm, s intISA) {
	g := &intRegs{intISA: s, asm: a}
	const panels = 2
	var sum, result [panels][]string
	for p := range panels {
		sum[p] = g.list(pairTokens)
	}
	for p := range panels {
		result[p] = g.list(pairKept)
	}
	w, x := g.list(panels), g.new()
	g.newBase()
	g.check(pairName)
	spilled := pairTokens - pairKept
	a.fnFrame(pairName, "(c *wideTile)", 64*(panels*spilled+1), 8,
		"SI weights of the first panel, R11 from there to the second's, R8 scales, R15 minimums or 0, R12 from the first panel's to the second's",
		"DI activations, R9 their scales, R10 starts, R13 from R9 to sums of activations",
		"AX blocks left, CX results on the stack, R14 what to fetch, DX y, BX its stride",
		"first the sums of a block, then results, weights, activations, last -1.5*2^23")
	g.setBase()
	g.intArgs("wideTile", "q", "DI", "xs", "R9", "corr", "R10", "y", "DX", "next", "R14", "sums", "R13")
	g.op("SUBQ", "R9", "R13")
	g.alignStack("CX")
	g.nextTile("wideTile", panels, "w", "SI", "scales", "R8", "mins", "R15", "blocks", "AX")
	g.op("MOVQ", "AX", "R11")
	g.op("SHLQ", "$9", "R11")
	g.op("MOVQ", "AX", "R12")
	g.op("SHLQ", "$6", "R12")
	onStack := func(p, t int) string { return mem(64*(p*spilled+t-pairKept), "CX") }
	for p := range panels {
		for _, r := range result[p] {
			g.zero(r)
		}
	}
	g.zero(x)
	for i := range panels * spilled {
		g.op("VMOVUPS", x, mem(64*i, "CX"))
	}
	a.label("block")
	for at := 0; at < nextBytes; at += 64 { // to the second cache: both panels and the next two exceed the first
		g.op("PREFETCHT1", mem(at, "R14"))
	}
	g.op("ADDQ", imm(nextBytes), "R14")
	for t := range pairTokens {
		for p := range panels {
			g.op("VPBROADCASTD", mem(4*t, "R10"), sum[p][t])
		}
	}
	of := func(at int, base, apart string, p int) string {
		return mem(at, base) + []string{"", "(" + apart + "*1)"}[p]
	}
	for q := range 8 {
		for p := range panels {
			g.load(of(64*q, "SI", "R11", p), w[p])
		}
		for t := range pairTokens {
			g.op("VPBROADCASTD", mem(32*t+4*q, "DI"), x)
			for p := range panels {
				g.dot(x, w[p], sum[p][t])
			}
		}
	}
	scale, less := w[0], w[1]
	for p := range panels {
		g.op("VMOVUPS", of(0, "R8", "R12", p), scale)
		g.op("VMULPS", g.base, scale, less)
		for t := range pairTokens {
			r := sum[p][t]
			g.op("VFMADD213PS", less, scale, r)
			if t < pairKept {
				g.op("VFMADD231PS.BCST", mem(4*t, "R9"), r, result[p][t])
			} else { // the sum becomes the result
				g.op("VBROADCASTSS", mem(4*t, "R9"), x)
				g.op("VFMADD213PS", onStack(p, t), x, r)
			}
		}
	}
	now := func(p, t int) string {
		if t < pairKept {
			return result[p][t]
		}
		return sum[p][t]
	}
	g.op("TESTQ", "R15", "R15")
	g.op("JZ", "noMins")
	for p := range panels {
		g.op("VMOVUPS", of(0, "R15", "R12", p), w[p])
	}
	for t := range pairTokens {
		g.op("VBROADCASTSS", mem(4*t, "R9")+"(R13*1)", x)
		for p := range panels {
			g.op("VFNMADD231PS", x, w[p], now(p, t))
		}
	}
	g.op("ADDQ", "$64", "R15")
	a.label("noMins")
	for t := pairKept; t < pairTokens; t++ {
		for p := range panels {
			g.op("VMOVUPS", now(p, t), onStack(p, t))
		}
	}
	g.op("ADDQ", imm(intFormatBytes), "SI")
	g.op("ADDQ", imm(32*pairTokens), "DI")
	g.op("ADDQ", imm(4*pairTokens), "R9")
	g.op("ADDQ", imm(4*pairTokens), "R10")
	g.op("ADDQ", "$64", "R8")
	g.op("DECQ", "AX")
	g.op("JNZ", "block")
	g.intArgs("wideTile", "add", "AX", "ld", "BX")
	g.op("SHLQ", "$2", "BX")
	for t := range pairTokens {
		g.finish(fmt.Sprint("store", t), now(0, t), now(1, t))
		g.op("ADDQ", "BX", "DX")
	}
	g.loopTiles("wideTile_tiles")
	ret(a)
}
