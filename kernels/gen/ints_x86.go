package main

import (
	"fmt"
	"slices"
)

// intISA is an instruction set of integer kernels on x86.
type intISA struct {
	isa
	halves int  // vectors that hold a word of 16 outputs
	vnni   bool // VPDPBUSD adds four products in 32 bits
}

var intISAs = []intISA{
	{isa{"AVX2", "Y", 8}, 2, false},
	{isa{"AVXVNNI", "Y", 8}, 2, true},
	{isa{"AVX512", "Z", 16}, 1, true},
}

func (s intISA) evex() bool { return s.class == "Z" }

// intFormat is how integers are stored: the bits, for 6 whether groups are half a
// block, and whether their scales are joined with those of superblocks as they are
// read. The layout is package kernels' format.
type intFormat struct {
	bits  int
	short bool
	super bool
}

var intFormats = []intFormat{{bits: 8}, {bits: 6}, {bits: 6, short: true}, {bits: 5}, {bits: 4}, {bits: 3}, {bits: 2}}

// directFormats lists what direct kernels read.
func directFormats(s intISA) []intFormat {
	if !s.evex() {
		return intFormats
	}
	return append(slices.Clone(intFormats), intFormat{6, true, true}, intFormat{4, false, true})
}

func (f intFormat) String() string {
	name := fmt.Sprint(f.bits)
	if f.short {
		name += "Short"
	}
	if f.super {
		name += "Super"
	}
	return name
}

func (f intFormat) blockBytes() int { return f.bits * 64 }

// chain is how many sums of two products of unsigned values below 2^bits with
// activations fit 16 bits together.
func chain(bits int) int { return min(8, 32767/(2*127*(1<<bits-1))) }

// x86Ints writes the integer kernels of one instruction set, a file a family.
func x86Ints(s intISA) map[string][]byte {
	small, large, expand := newAsm(), newAsm(), newAsm()
	low := newAsm()
	for _, f := range directFormats(s) {
		for _, shape := range directShapes(s, f) {
			to := small
			if f.bits < 6 {
				to = low
			}
			x86Direct(to, s, f, shape)
		}
	}
	for _, w := range wideForms(s) {
		for _, tokens := range wideTokens(s) {
			x86Wide(large, s, w, tokens)
		}
	}
	if s.evex() {
		x86WidePair(large, s)
	}
	for _, bits := range expandBits(s) {
		x86Expand(expand, s, bits)
	}
	name := map[string]string{"AVX2": "avx2", "AVXVNNI": "avxvnni", "AVX512": "avx512"}[s.suffix]
	return map[string][]byte{
		"int_direct_" + name + "_amd64.s": small.Bytes(),
		"int_low_" + name + "_amd64.s":    low.Bytes(),
		"int_wide_" + name + "_amd64.s":   large.Bytes(),
		"int_expand_" + name + "_amd64.s": expand.Bytes(),
	}
}

// intRegs allots vector registers of one kernel.
type intRegs struct {
	intISA
	*asm
	next  int
	third string // general register: three distances of panels' scales
	base  string // -1.5*2^23, of kernels whose sums start from floatBase
}

// floatBase is the bits of 1.5*2^23. With an integer below 2^22 in magnitude added
// they are those of 1.5*2^23 plus that integer: a sum that starts from them needs no
// conversion. A block's is at most 32*255*128, whatever is multiplied. A fused
// multiply-add with minus 1.5*2^23 times a finite scale, exact for scales of up to 22
// bits (binary16 has 11, times a factor of 8 bits 18), leaves the integer times the
// scale, rounded once.
const floatBase = 0x4b400000

// newBase allots a register for -1.5*2^23, which setBase fills; R-register CX is lost.
func (g *intRegs) newBase() { g.base = g.new() }

func (g *intRegs) setBase() {
	g.op("MOVL", fmt.Sprintf("$%#x", 1<<31|floatBase), "CX")
	g.dword("CX", g.base)
}

func (g *intRegs) new() string { g.next++; return g.r(g.next - 1) }

func (g *intRegs) list(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = g.new()
	}
	return s
}

func (s intISA) limit() int {
	if s.evex() {
		return 32
	}
	return 16
}

func (g *intRegs) check(name string) {
	if g.next > g.limit() {
		panic(fmt.Sprintf("gen: %s needs %d vector registers", name, g.next))
	}
}

// Bitwise instructions and moves have a name of their own for EVEX.
func (g *intRegs) bitwise(op, b, a, dst string) {
	if g.evex() {
		op += "D"
	}
	g.op(op, b, a, dst)
}

func (g *intRegs) zero(r string) { g.bitwise("VPXOR", r, r, r) }

func (g *intRegs) move(from, to string) {
	if g.evex() {
		g.op("VMOVDQA32", from, to)
	} else {
		g.op("VMOVDQA", from, to)
	}
}

func (g *intRegs) load(m, r string) {
	if g.evex() {
		g.op("VMOVDQU32", m, r)
	} else {
		g.op("VMOVDQU", m, r)
	}
}

func (g *intRegs) store(r, m string) {
	if g.evex() {
		g.op("VMOVDQU32", r, m)
	} else {
		g.op("VMOVDQU", r, m)
	}
}

// shift moves the bits of 16 bit lanes left, or right if by is negative.
func (g *intRegs) shift(by int, src, dst string) {
	if by >= 0 {
		g.op("VPSLLW", imm(by), src, dst)
	} else {
		g.op("VPSRLW", imm(-by), src, dst)
	}
}

// bytes fills r with one byte; R-register CX is lost.
func (g *intRegs) bytes(v int, r string) {
	g.op("MOVL", fmt.Sprintf("$0x%02x%02x%02x%02x", v, v, v, v), "CX")
	g.dword("CX", r)
}

func (g *intRegs) dword(from, r string) {
	if g.evex() {
		g.op("VPBROADCASTD", from, r)
		return
	}
	x := "X" + r[1:]
	g.op("VMOVD", from, x)
	g.op("VPBROADCASTD", x, r)
}

// dot adds the products of unsigned w and signed x to sum, in 32 bits. The VEX
// form is what processors without AVX-512 have; Go's assembler lacks it.
func (g *intRegs) dot(x, w, sum string) {
	if g.evex() {
		g.op("VPDPBUSD", x, w, sum)
		return
	}
	n := func(r string) (v int) { fmt.Sscanf(r[1:], "%d", &v); return v }
	m, v, d := n(x), n(w), n(sum)
	fmt.Fprintf(g, "\tBYTE $0xc4; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x50; BYTE $0x%02x // VPDPBUSD %s, %s, %s\n",
		0xe2-(d>>3)*0x80-(m>>3)*0x20, 0x7d-v<<3, 0xc0|d&7<<3|m&7, x, w, sum)
}

// intArgs emits the entry: fields of the tile to general registers.
func (g *intRegs) intArgs(tile string, fields ...string) {
	g.op("MOVQ", "c+0(FP)", "BX")
	where := map[string]string{
		"q": "actView", "xs": "actView", "corr": "actView", "half": "actView", "width": "actView", "sums": "actView",
		"y": "output", "ld": "output", "add": "output",
	}
	for i := 0; i < len(fields); i += 2 {
		at := tile + "_" + fields[i]
		if part, ok := where[fields[i]]; ok {
			at = tile + "_" + part + "+" + part + "_" + fields[i]
		}
		g.op("MOVQ", at+"(BX)", fields[i+1])
	}
}

// nextTile begins a tile of 8 tokens: activations and outputs go on where the
// last tile's end, the given fields begin again. It asks for so many lines of each
// token's output: to write them takes long where another core has them. AX and BX
// are lost.
func (g *intRegs) nextTile(tile string, lines int, fields ...string) {
	g.label("tile")
	g.intArgs(tile, "ld", "BX")
	g.op("SHLQ", "$2", "BX")
	g.op("MOVQ", "DX", "AX")
	for range 8 {
		for i := range lines { // Go's assembler lacks the instruction
			fmt.Fprintf(g, "\tBYTE $0x0f; BYTE $0x0d; BYTE $0x48; BYTE $%#x // PREFETCHW %d(AX)\n", 64*i, 64*i)
		}
		g.op("ADDQ", "BX", "AX")
	}
	g.intArgs(tile, fields...)
}

// loopTiles goes on to the next tile, if there is one, by a counter of tiles left.
func (g *intRegs) loopTiles(left string) {
	g.op("MOVQ", "c+0(FP)", "BX")
	g.op("DECQ", left+"(BX)")
	g.op("JNZ", "tile")
}

// correction loads offset times minus the block's sum to r: what the tile has
// is 128 times.
func (g *intRegs) correction(m string, bits int, r string) {
	g.op("VPBROADCASTD", m, r)
	if bits < 8 {
		g.op("VPSRAD", imm(8-bits), r, r)
	}
}
