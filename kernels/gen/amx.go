package main

import "fmt"

// amxKernel multiplies two panels of bytes, side by side, with tiles of tokens
// one after the other, by the tile unit of AMX. A word of 64 bytes is a row of
// the unit's right operand as it is, and the bytes of a token's block are a row
// of the left one. Every block has its own scales, so its sums go through memory
// to the vector unit; meanwhile the tile unit works on the next block.
type amxKernel struct {
	*asm
	tokens int
	parts  int // sums of a block: two where groups are half a block
}

func (k amxKernel) name() string {
	short := ""
	if k.parts == 2 {
		short = "Short"
	}
	return fmt.Sprintf("wide8%sAMXT%d", short, k.tokens)
}

// Tile registers 0 to 3 hold sums, 4 and 5 tokens, 6 and 7 weights.
const (
	amxSums    = 0
	amxTokens  = 4
	amxWeights = 6
)

// amxFrame is the size of a stack frame without sums: to align them, and two
// words.
const amxFrame = 64 + 16

// amxNextBytes is how much of the next panels is fetched a block, package
// kernels' nextBytes.
const amxNextBytes = 128

// tileBytes is the size of the sums of one block, panel and part.
func (k amxKernel) tileBytes() int { return 64 * k.tokens }

// slotBytes is the size of all sums of one block.
func (k amxKernel) slotBytes() int { return 2 * k.parts * k.tileBytes() }

// slot is the place of sums of a panel and part in one of two slots.
func (k amxKernel) slot(phase, panel, part int) int {
	return phase*k.slotBytes() + (2*part+panel)*k.tileBytes()
}

// amxForms lists the kernels, amxRows the tokens that one takes of a tile.
func amxForms(a *asm) (forms []amxKernel) {
	for _, parts := range []int{1, 2} {
		for _, tokens := range amxRows {
			forms = append(forms, amxKernel{a, tokens, parts})
		}
	}
	return forms
}

var amxRows = []int{8, 4, 2, 1}

// amxFiles returns the files of the AMX tier.
func amxFiles() map[string][]byte {
	wide, expand, probe := newAsm(), newAsm(), newAsm()
	wide.WriteString("#include \"funcdata.h\"\n")
	for _, k := range amxForms(wide) {
		k.write()
	}
	for _, bits := range amxExpandBits {
		amxExpand(expand, bits)
	}
	amxProbe(probe)
	return map[string][]byte{
		"amx_wide_amd64.s":      wide.Bytes(),
		"amx_expand_amd64.s":    expand.Bytes(),
		"amx_probe_amd64.s":     probe.Bytes(),
		"amx_dispatch_amd64.go": amxDispatch(),
	}
}

// amxExpandBits lists the formats: none is signed as it is stored.
var amxExpandBits = []int{8, 6, 5, 4, 3, 2}

// amxConfig writes the 64 bytes that LDTILECFG reads: palette 1, bytes of a row
// and rows of each tile.
func amxConfig(a *asm, name string, columns, rows [8]int) {
	var b [64]byte
	b[0] = 1
	for i := range columns {
		b[16+2*i], b[48+i] = byte(columns[i]), byte(rows[i])
	}
	a.WriteString("\n")
	for i := 0; i < len(b); i += 8 {
		var v uint64
		for j := range 8 {
			v |= uint64(b[i+j]) << (8 * j)
		}
		fmt.Fprintf(a, "DATA %s<>+%d(SB)/8, $0x%016x\n", name, i, v)
	}
	fmt.Fprintf(a, "GLOBL %s<>(SB), RODATA|NOPTR, $64\n", name)
}

// gpr numbers general registers as their encoding does.
var gpr = map[string]int{"CX": 1, "DX": 2, "SI": 6, "DI": 7, "R15": 15}

// tileMove writes TILELOADD (load) or TILESTORED, rows of 32 or 64 bytes apart:
// CX holds 32.
func (a *asm) tileMove(load bool, tile, off int, base string, apart int) {
	b, scale := gpr[base], apart/32
	prefix, meaning := 0x7a, fmt.Sprintf("TILESTORED T%d, %d(%s)(CX*%d)", tile, off, base, scale)
	if load {
		prefix, meaning = 0x7b, fmt.Sprintf("TILELOADD %d(%s)(CX*%d), T%d", off, base, scale, tile)
	}
	a.bytes(meaning, 0xc4, 0xe2-b>>3*0x20, prefix, 0x4b, 0x84|tile<<3, scale>>1<<6|gpr["CX"]<<3|b&7,
		off&0xff, off>>8&0xff, off>>16&0xff, off>>24&0xff)
}

func (a *asm) tileZero(tile int) {
	a.bytes(fmt.Sprintf("TILEZERO T%d", tile), 0xc4, 0xe2, 0x7b, 0x49, 0xc0|tile<<3)
}

// tileDot writes TDPBSSD: sums += tokens times weights, all signed.
func (a *asm) tileDot(tokens, weights, sums int) {
	a.bytes(fmt.Sprintf("TDPBSSD T%d, T%d, T%d", weights, tokens, sums), 0xc4, 0xe2, 0x7b-weights<<3, 0x5e, 0xc0|sums<<3|tokens)
}

// tileOpen loads a configuration; AX is lost.
func (a *asm) tileOpen(config string) {
	a.op("LEAQ", config+"<>(SB)", "AX")
	a.bytes("LDTILECFG (AX)", 0xc4, 0xe2, 0x78, 0x49, 0x00)
}

func (a *asm) tileClose() { a.bytes("TILERELEASE", 0xc4, 0xe2, 0x78, 0x49, 0xc0) }

// Vector registers: results, then scales by part and panel, minimums, what a
// token multiplies with, and products.
func (k amxKernel) result(panel, token int) string { return reg("Z", panel*k.tokens+token) }
func (k amxKernel) scale(part, panel int) string   { return reg("Z", 16+2*part+panel) }
func (k amxKernel) spare(i int) string             { return reg("Z", 20+i%12) }

func (k amxKernel) write() {
	name := k.name()
	inputs := 32 / k.parts
	amxConfig(k.asm, name+"Tiles",
		[8]int{64, 64, 64, 64, inputs, inputs, 64, 64},
		[8]int{k.tokens, k.tokens, k.tokens, k.tokens, k.tokens, k.tokens, inputs / 4, inputs / 4})
	fmt.Fprintf(k, `
// func %s(c *wideTile)
//
// The frame is too large for NOSPLIT. Nothing can stop the function once it has
// configured the tiles: assembly is not preempted.
//
// Registers:
//	SI and R15 weights of both panels, R8 scales, R13 their distance, BX minimums or 0
//	DI tokens, R9 their scales, R10 corrections, R11 and R12 steps of a block in R9 and DI
//	AX blocks left, CX 32, DX sums, R14 memory to fetch for later
//	Z0 to Z15 results, Z16 to Z19 scales, the others products
TEXT ·%s(SB), 0, $%d-8
	NO_LOCAL_POINTERS
`, name, name, amxFrame+2*k.slotBytes())
	k.tileOpen(name + "Tiles")
	k.op("MOVQ", "c+0(FP)", "BX")
	arg := func(field, r string) { k.op("MOVQ", field+"(BX)", r) }
	k.op("MOVQ", "wideTile_tiles(BX)", "AX")
	k.op("MOVQ", "AX", "tiles-8(SP)")
	arg("wideTile_output+output_y", "AX")
	k.op("MOVQ", "AX", "y-16(SP)")
	arg("wideTile_actView+actView_q", "DI")
	arg("wideTile_actView+actView_xs", "R9")
	arg("wideTile_actView+actView_corr", "R10")
	arg("wideTile_actView+actView_width", "R11")
	k.op("MOVQ", "R11", "R12")
	k.op("SHLQ", "$5", "R12")
	k.op("SHLQ", "$2", "R11")
	arg("wideTile_next", "R14")
	k.op("MOVQ", "$32", "CX")
	k.alignStack("DX")

	k.label("tile")
	k.op("MOVQ", "c+0(FP)", "BX")
	arg("wideTile_blocks", "AX")
	arg("wideTile_w", "SI")
	arg("wideTile_scales", "R8")
	arg("wideTile_mins", "BX")
	k.op("MOVQ", "AX", "R15")
	k.op("SHLQ", "$9", "R15")
	k.op("ADDQ", "SI", "R15")
	k.op("MOVQ", "AX", "R13")
	k.op("SHLQ", imm(5+k.parts), "R13")
	for i := range 2 * k.tokens {
		k.op("VPXORD", reg("Z", i), reg("Z", i), reg("Z", i))
	}
	k.multiply(0)
	k.label("block")
	for phase := range 2 {
		k.op("DECQ", "AX")
		k.op("JZ", fmt.Sprint("rest", phase))
		k.multiply(1 - phase)
		k.label(fmt.Sprint("rest", phase))
		k.scaleAll(phase)
		k.op("TESTQ", "AX", "AX")
		if phase == 0 {
			k.op("JZ", "store")
		} else {
			k.op("JNZ", "block")
		}
	}
	k.label("store")
	k.store()
	k.tileClose()
	ret(k.asm)
}

// multiply starts a block: it sums its products in a slot.
func (k amxKernel) multiply(phase int) {
	for part := range k.parts {
		tokens := amxTokens + (phase+part)%2
		k.tileMove(true, tokens, 16*part, "DI", 32)
		for panel, w := range []string{"SI", "R15"} {
			weights, sums := amxWeights+panel, amxSums+(2*(phase+part)+panel)%4
			k.tileMove(true, weights, 256*part, w, 64)
			k.tileZero(sums)
			k.tileDot(tokens, weights, sums)
		}
	}
	k.op("ADDQ", imm(intFormatBytes), "SI")
	k.op("ADDQ", imm(intFormatBytes), "R15")
	k.op("ADDQ", "R12", "DI")
	for at := 0; at < amxNextBytes; at += 64 {
		k.op("PREFETCHT1", mem(at, "R14"))
	}
	k.op("ADDQ", imm(amxNextBytes), "R14")
	for part := range k.parts {
		for panel := range 2 {
			k.tileMove(false, amxSums+(2*(phase+part)+panel)%4, k.slot(phase, panel, part), "DX", 64)
		}
	}
}

// scaleAll adds the scaled sums of a slot to the results.
func (k amxKernel) scaleAll(phase int) {
	for part := range k.parts {
		k.op("VMOVUPS", mem(64*part, "R8"), k.scale(part, 0))
		k.op("VMOVUPS", mem(64*part, "R8")+"(R13*1)", k.scale(part, 1))
	}
	next := 0
	spare := func() string { next++; return k.spare(next - 1) }
	for t := range k.tokens {
		xs := spare()
		k.op("VBROADCASTSS", mem(4*t, "R9"), xs)
		for part := range k.parts {
			for panel := range 2 {
				sum := spare()
				k.op("VCVTDQ2PS", mem(k.slot(phase, panel, part)+64*t, "DX"), sum)
				k.op("VMULPS", k.scale(part, panel), sum, sum)
				k.op("VFMADD231PS", xs, sum, k.result(panel, t))
			}
		}
	}
	k.op("ADDQ", imm(64*k.parts), "R8")
	if k.parts == 1 {
		k.minimums(fmt.Sprint("noMins", phase))
	}
	k.op("ADDQ", "R11", "R9")
	k.op("ADDQ", "R11", "R10")
}

// minimums adds the minimums times the sums of the tokens, of which R10 has -128
// times.
func (k amxKernel) minimums(skip string) {
	k.op("TESTQ", "BX", "BX")
	k.op("JZ", skip)
	first, second := k.scale(0, 0), k.scale(0, 1)
	k.op("VMOVUPS", "(BX)", first)
	k.op("VMOVUPS", "(BX)(R13*1)", second)
	k.op("ADDQ", "$64", "BX")
	for t := range k.tokens {
		sum := k.spare(t)
		k.op("VPBROADCASTD", mem(4*t, "R10"), sum)
		k.op("VPSRAD", "$7", sum, sum)
		k.op("VCVTDQ2PS", sum, sum)
		k.op("VMULPS.BCST", mem(4*t, "R9"), sum, sum)
		k.op("VFNMADD231PS", first, sum, k.result(0, t))
		k.op("VFNMADD231PS", second, sum, k.result(1, t))
	}
	k.label(skip)
}

// store writes the results of a tile of tokens and goes on to the next one.
func (k amxKernel) store() {
	k.op("MOVQ", "c+0(FP)", "BX")
	k.op("MOVQ", "wideTile_output+output_ld(BX)", "SI")
	k.op("SHLQ", "$2", "SI")
	k.op("MOVQ", "wideTile_output+output_add(BX)", "AX")
	k.op("MOVQ", "y-16(SP)", "R8")
	for t := range k.tokens {
		skip := fmt.Sprint("store", t)
		k.op("TESTQ", "AX", "AX")
		k.op("JZ", skip)
		for panel := range 2 {
			k.op("VADDPS", mem(64*panel, "R8"), k.result(panel, t), k.result(panel, t))
		}
		k.label(skip)
		for panel := range 2 {
			k.op("VMOVUPS", k.result(panel, t), mem(64*panel, "R8"))
		}
		k.op("ADDQ", "SI", "R8")
	}
	k.op("MOVQ", "R8", "y-16(SP)")
	k.op("DECQ", "tiles-8(SP)")
	k.op("JNZ", "tile")
}

// amxExpand writes the expansion of stored panels to signed bytes.
func amxExpand(a *asm, bits int) {
	g := &intRegs{intISA: intISA{isa{"AMX", "Z", 16}, 1, true}, asm: a}
	f := intFormat{bits: bits}
	src := newQuadSource(g, f, 1, false)
	offset := g.new()
	a.fn(fmt.Sprintf("expand%dAMX", bits), "(dst, src *uint8, blocks int)", 24,
		"SI src, DI dst, AX blocks left", "first weights, then masks, last what is added to them")
	load(a, "dst", "DI", "src", "SI", "blocks", "AX")
	src.masks()
	g.bytes(256-1<<(bits-1), offset)
	a.label("block")
	src.each(func(q int, w []string) {
		g.op("VPADDB", offset, w[0], w[0])
		g.store(w[0], mem(64*q, "DI"))
	})
	a.op("ADDQ", imm(f.blockBytes()), "SI")
	a.op("ADDQ", imm(intFormatBytes), "DI")
	a.op("DECQ", "AX")
	a.op("JNZ", "block")
	ret(a)
}

// amxProbe writes the loop that measures the tile unit: whole tiles, four sums
// by turns.
func amxProbe(a *asm) {
	full := [8]int{64, 64, 64, 64, 64, 64, 64, 64}
	amxConfig(a, "probeTiles", full, [8]int{16, 16, 16, 16, 16, 16, 16, 16})
	a.fn("probeInt8AMX", "(rounds int)", 8, "CX rounds left", "T0 to T3 sums, each continued by TDPBSSD")
	a.op("MOVQ", "rounds+0(FP)", "CX")
	a.tileOpen("probeTiles")
	for tile := range 8 {
		a.tileZero(tile)
	}
	a.op("PCALIGN", "$32")
	a.label("round")
	for sum := range 4 {
		a.tileDot(amxTokens+sum%2, amxWeights+sum/2, sum)
	}
	a.op("DECQ", "CX")
	a.op("JNZ", "round")
	a.tileClose()
	ret(a)
}

// amxDispatch writes the declarations and the switches that pick a kernel.
func amxDispatch() []byte {
	a := new(asm)
	a.WriteString(notice + "package kernels\n")
	forms := amxForms(a)
	for _, k := range forms {
		fmt.Fprintf(a, "\n//go:noescape\nfunc %s(c *wideTile)\n", k.name())
	}
	for _, bits := range amxExpandBits {
		fmt.Fprintf(a, "\n//go:noescape\nfunc expand%dAMX(dst, src *uint8, blocks int)\n", bits)
	}
	a.WriteString("\nfunc probeInt8AMX(rounds int)\n")
	a.WriteString("\n// runAMX computes rows tokens of every tile of c, with one scale or two a block.\n")
	a.WriteString("func runAMX(scales, rows int, c *wideTile) {\n\tswitch scales<<4 | rows {\n")
	for _, k := range forms {
		fmt.Fprintf(a, "\tcase %d<<4 | %d:\n\t\t%s(c)\n", k.parts, k.tokens, k.name())
	}
	a.WriteString("\t}\n}\n\n// expandAMX turns blocks of src to signed bytes.\n")
	a.WriteString("func expandAMX(f format, dst, src *uint8, blocks int) {\n\tswitch f {\n")
	for _, bits := range amxExpandBits {
		fmt.Fprintf(a, "\tcase %d:\n\t\texpand%dAMX(dst, src, blocks)\n", bits, bits)
	}
	a.WriteString("\t}\n}\n")
	return a.Bytes()
}
