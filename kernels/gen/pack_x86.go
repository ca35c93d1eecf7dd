package main

import "fmt"

// x86Packs writes what lays the rows of a panel out in blocks: eight rows of 32
// integers are transposed as words of four, then joined to the format's planes.
func x86Packs() []byte {
	a := newAsm()
	for _, bits := range packBits {
		x86Pack(a, bits)
	}
	return a.Bytes()
}

// packBits lists the formats that are packed by assembly.
var packBits = []int{8, 6, 4}

func x86Pack(a *asm, bits int) {
	g := &intRegs{intISA: intISAs[0], asm: a}
	a.fn(fmt.Sprintf("pack%dAVX2", bits), "(dst *uint8, src *int8, cols, blocks int) uint64", 40,
		"DI dst, SI row 0, R10 row 4, R8 stride, R9 three strides, AX blocks left, R11 and R12 rows 0 and 8 of the block",
		"R13 bits set where a value did not fit, Y0 to Y7 rows, Y8 to Y15 their transpose")
	load(a, "dst", "DI", "src", "SI", "cols", "R8", "blocks", "AX")
	a.op("LEAQ", "(R8)(R8*2)", "R9")
	a.op("LEAQ", "(SI)(R8*8)", "R12")
	a.op("XORQ", "R13", "R13")
	a.label("block")
	a.op("MOVQ", "SI", "R11")
	for half := range 2 {
		if half == 1 {
			a.op("MOVQ", "R12", "R11")
		}
		a.op("LEAQ", "(R11)(R8*4)", "R10")
		for i, base := range []string{"R11", "R10"} {
			for k, at := range []string{"", "(R8*1)", "(R8*2)", "(R9*1)"} {
				g.load("("+base+")"+at, reg("Y", 4*i+k))
			}
		}
		transpose8(a)
		if bits == 8 {
			g.bytes(0x80, "Y0")
			for q := range 8 {
				g.op("VPXOR", "Y0", reg("Y", 8+q), reg("Y", 8+q))
				g.store(reg("Y", 8+q), mem(64*q+32*half, "DI"))
			}
			continue
		}
		x86Planes(g, bits, half)
	}
	a.op("ADDQ", "$32", "SI")
	a.op("ADDQ", "$32", "R12")
	a.op("ADDQ", imm(64*bits), "DI")
	a.op("DECQ", "AX")
	a.op("JNZ", "block")
	a.op("MOVQ", "R13", "ret+32(FP)")
	ret(a)
}

// transpose8 transposes the 8 x 8 double words of Y0 to Y7 to Y8 to Y15.
func transpose8(a *asm) {
	y := func(n int) string { return reg("Y", n) }
	for i := 0; i < 8; i += 2 {
		a.op("VPUNPCKLDQ", y(i+1), y(i), y(8+i))
		a.op("VPUNPCKHDQ", y(i+1), y(i), y(9+i))
	}
	for i := 0; i < 8; i += 4 {
		for k := range 2 {
			a.op("VPUNPCKLQDQ", y(10+i+k), y(8+i+k), y(i+2*k))
			a.op("VPUNPCKHQDQ", y(10+i+k), y(8+i+k), y(i+2*k+1))
		}
	}
	for i := range 4 {
		a.op("VPERM2I128", "$0x20", y(4+i), y(i), y(8+i))
		a.op("VPERM2I128", "$0x31", y(4+i), y(i), y(12+i))
	}
}

// x86Planes stores the quads in Y8 to Y15 as nibbles, and the two bits above
// them in a plane of pairs; R13 gets bits set where a value does not fit.
func x86Planes(g *intRegs, bits, half int) {
	quad := func(q int) string { return reg("Y", 8+q) }
	// All bits from the sign bit of a value on are equal, or it does not fit.
	g.bytes(0x7f&^(1<<(bits-1)-1), "Y2")
	g.zero("Y0")
	for q := range 8 {
		g.op("VPSRLW", "$1", quad(q), "Y1")
		g.op("VPXOR", quad(q), "Y1", "Y1")
		g.op("VPOR", "Y1", "Y0", "Y0")
	}
	g.op("VPAND", "Y2", "Y0", "Y0")
	g.zero("Y1")
	g.op("VPCMPEQB", "Y1", "Y0", "Y0")
	g.op("VPMOVMSKB", "Y0", "BX")
	g.op("NOTL", "BX")
	g.op("ORQ", "BX", "R13")
	g.bytes(1<<(bits-1), "Y0")
	for q := range 8 {
		g.op("VPXOR", "Y0", quad(q), quad(q))
	}
	g.bytes(0x0f, "Y0")
	for j := range 4 {
		g.op("VPAND", "Y0", quad(j), "Y1")
		g.op("VPAND", "Y0", quad(j+4), "Y2")
		g.op("VPSLLW", "$4", "Y2", "Y2")
		g.op("VPOR", "Y2", "Y1", "Y1")
		g.store("Y1", mem(64*j+32*half, "DI"))
	}
	if bits == 4 {
		return
	}
	g.bytes(0x30, "Y0")
	for j := range 2 {
		for k := range 4 {
			g.op("VPAND", "Y0", quad(j+2*k), "Y1")
			if by := 2*k - 4; by != 0 {
				g.shift(by, "Y1", "Y1")
			}
			if k == 0 {
				g.op("VMOVDQA", "Y1", "Y2")
			} else {
				g.op("VPOR", "Y1", "Y2", "Y2")
			}
		}
		g.store("Y2", mem(256+64*j+32*half, "DI"))
	}
}
