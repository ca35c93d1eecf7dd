package main

import "fmt"

// movesAVX2 writes what both tiers of amd64 share: the functions in which
// rearranging values takes longer than computing with them.
func movesAVX2() []byte {
	a := newAsm()
	x86Rotate(a)
	x86Transpose(a)
	x86Quantize(a)
	x86WidenHalves(a)
	for _, wide := range []bool{false, true} {
		x86JoinScales(a, wide)
		x86JoinMins(a, wide)
	}
	x86Fetch(a)
	x86PairBlocks(a)
	return a.Bytes()
}

// x86PairBlocks writes the copy of activations beside their opposites.
func x86PairBlocks(a *asm) {
	a.fn("pairBlocksAVX2", "(dst, src *int8, blocks int)", 24, "DI dst, SI src, CX blocks of 32 left",
		"Y0 values, Y1 opposites, Y2 and Y3 both by four, Y4 zero")
	load(a, "dst", "DI", "src", "SI", "blocks", "CX")
	a.op("VPXOR", "Y4", "Y4", "Y4")
	a.label("loop")
	a.op("VMOVDQU", "(SI)", "Y0")
	a.op("VPSUBB", "Y0", "Y4", "Y1")
	a.op("VPUNPCKLDQ", "Y1", "Y0", "Y2")
	a.op("VPUNPCKHDQ", "Y1", "Y0", "Y3")
	a.op("VPERM2I128", "$0x20", "Y3", "Y2", "Y0")
	a.op("VPERM2I128", "$0x31", "Y3", "Y2", "Y1")
	a.op("VMOVDQU", "Y0", "(DI)")
	a.op("VMOVDQU", "Y1", "32(DI)")
	a.op("ADDQ", "$32", "SI")
	a.op("ADDQ", "$64", "DI")
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	ret(a)
}

// x86WidenHalves writes the conversion of binary16 values.
func x86WidenHalves(a *asm) {
	a.fn("widenHalvesAVX2", "(dst *float32, src *uint16, n int)", 24, "DI dst, SI src, CX values left, a multiple of 8", "Y0 values")
	load(a, "dst", "DI", "src", "SI", "n", "CX")
	a.label("loop")
	a.op("VCVTPH2PS", "(SI)", "Y0")
	a.op("VMOVUPS", "Y0", "(DI)")
	a.op("ADDQ", "$16", "SI")
	a.op("ADDQ", "$32", "DI")
	a.op("SUBQ", "$8", "CX")
	a.op("JNZ", "loop")
	ret(a)
}

// joined names a function that joins scales and its result: binary16, or f32 if
// wide.
func joined(name string, wide bool) (full, kind string) {
	if wide {
		return name + "WideAVX2", "float32"
	}
	return name + "AVX2", "uint16"
}

// x86StoreJoined stores a group's 16 values at DI and goes on.
func x86StoreJoined(a *asm, wide bool, lo, hi string) {
	if wide {
		a.op("VMOVUPS", lo, "(DI)")
		a.op("VMOVUPS", hi, "32(DI)")
		a.op("ADDQ", "$64", "DI")
		return
	}
	a.op("VCVTPS2PH", "$0", lo, "(DI)")
	a.op("VCVTPS2PH", "$0", hi, "16(DI)")
	a.op("ADDQ", "$32", "DI")
}

// x86JoinScales writes the products of superblocks' scales and groups' factors.
func x86JoinScales(a *asm, wide bool) {
	name, kind := joined("joinScales", wide)
	a.fn(name, "(dst *"+kind+", super *uint16, fine *int8, supers, groups, step int)", 48,
		"DI dst, SI a superblock's scales, DX factors, CX superblocks left, R8 groups of one, R9 those left",
		"R12 distance of superblocks, R13 from the last factor of one to the first of the next",
		"Y0 and Y1 a superblock's scales, Y2 and Y3 factors, then products")
	load(a, "dst", "DI", "super", "SI", "fine", "DX", "supers", "CX", "groups", "R8", "step", "R12")
	x86Gap(a)
	a.label("super")
	a.op("VCVTPH2PS", "(SI)", "Y0")
	a.op("VCVTPH2PS", "16(SI)", "Y1")
	a.op("MOVQ", "R8", "R9")
	a.label("group")
	x86Factors(a, "DX", "Y2", "Y3")
	a.op("VMULPS", "Y0", "Y2", "Y2")
	a.op("VMULPS", "Y1", "Y3", "Y3")
	x86StoreJoined(a, wide, "Y2", "Y3")
	a.op("ADDQ", "$16", "DX")
	a.op("DECQ", "R9")
	a.op("JNZ", "group")
	a.op("ADDQ", "R12", "SI")
	a.op("ADDQ", "R13", "DX")
	a.op("DECQ", "CX")
	a.op("JNZ", "super")
	ret(a)
}

// x86Gap sets R13 to R12 less the factors of R8 groups.
func x86Gap(a *asm) {
	a.op("MOVQ", "R8", "R13")
	a.op("SHLQ", "$4", "R13")
	a.op("NEGQ", "R13")
	a.op("ADDQ", "R12", "R13")
}

// x86Fetch writes the asking for memory in advance.
func x86Fetch(a *asm) {
	a.fn("fetchAVX2", "(p *uint8, bytes int)", 16, "SI p, CX bytes left")
	load(a, "p", "SI", "bytes", "CX")
	a.label("loop")
	a.op("PREFETCHT0", "(SI)")
	a.op("ADDQ", "$64", "SI")
	a.op("SUBQ", "$64", "CX")
	a.op("JGT", "loop")
	a.op("RET")
}

// x86Factors loads 16 signed bytes as f32.
func x86Factors(a *asm, from, lo, hi string) {
	a.op("VPMOVSXBD", "("+from+")", lo)
	a.op("VPMOVSXBD", "8("+from+")", hi)
	a.op("VCVTDQ2PS", lo, lo)
	a.op("VCVTDQ2PS", hi, hi)
}

// x86JoinMins writes the minimums that go with those scales.
func x86JoinMins(a *asm, wide bool) {
	name, kind := joined("joinMins", wide)
	a.fn(name, "(dst *"+kind+", super *uint16, fine *int8, superMin *uint16, fineMin *int8, offset float32, supers, groups, step int)", 72,
		"DI dst, SI a superblock's scales, DX factors, R10 and R11 the same of minimums, CX superblocks left, R8 groups of one, R9 those left",
		"R12 distance of superblocks, R13 from the last factor of one to the first of the next",
		"Y0 and Y1 a superblock's scales times offset, Y4 and Y5 its minimums, Y2, Y3, Y6 and Y7 factors, then products")
	load(a, "dst", "DI", "super", "SI", "fine", "DX", "superMin", "R10", "fineMin", "R11")
	a.op("MOVQ", "supers+48(FP)", "CX")
	a.op("MOVQ", "groups+56(FP)", "R8")
	a.op("MOVQ", "step+64(FP)", "R12")
	x86Gap(a)
	a.label("super")
	a.op("VBROADCASTSS", "offset+40(FP)", "Y6")
	a.op("VCVTPH2PS", "(SI)", "Y0")
	a.op("VCVTPH2PS", "16(SI)", "Y1")
	a.op("VMULPS", "Y6", "Y0", "Y0")
	a.op("VMULPS", "Y6", "Y1", "Y1")
	a.op("VCVTPH2PS", "(R10)", "Y4")
	a.op("VCVTPH2PS", "16(R10)", "Y5")
	a.op("MOVQ", "R8", "R9")
	a.label("group")
	x86Factors(a, "DX", "Y2", "Y3")
	x86Factors(a, "R11", "Y6", "Y7")
	a.op("VMULPS", "Y0", "Y2", "Y2")
	a.op("VMULPS", "Y1", "Y3", "Y3")
	a.op("VMULPS", "Y4", "Y6", "Y6")
	a.op("VMULPS", "Y5", "Y7", "Y7")
	a.op("VSUBPS", "Y6", "Y2", "Y2")
	a.op("VSUBPS", "Y7", "Y3", "Y3")
	x86StoreJoined(a, wide, "Y2", "Y3")
	for _, r := range []string{"DX", "R11"} {
		a.op("ADDQ", "$16", r)
	}
	a.op("DECQ", "R9")
	a.op("JNZ", "group")
	for _, r := range []string{"SI", "R10"} {
		a.op("ADDQ", "R12", r)
	}
	for _, r := range []string{"DX", "R11"} {
		a.op("ADDQ", "R13", r)
	}
	a.op("DECQ", "CX")
	a.op("JNZ", "super")
	ret(a)
}

// x86Rotate writes RoPE on neighbours; cos and sin advance half as fast as x.
func x86Rotate(a *asm) {
	a.fn("rotateAVX2", "(x, cos, sin *float32, n int)", 32,
		"SI x, DI cos, DX sin, CX values of x left, a multiple of 8",
		"Y0 cosines doubled, Y1 sines doubled, Y2 x, Y3 neighbours swapped")
	load(a, "x", "SI", "cos", "DI", "sin", "DX", "n", "CX")
	a.label("loop")
	a.op("VPMOVZXDQ", "(DI)", "Y0")
	a.op("VMOVSLDUP", "Y0", "Y0")
	a.op("VPMOVZXDQ", "(DX)", "Y1")
	a.op("VMOVSLDUP", "Y1", "Y1")
	a.op("VMOVUPS", "(SI)", "Y2")
	a.op("VPERMILPS", "$0xB1", "Y2", "Y3")
	a.op("VMULPS", "Y1", "Y3", "Y3")
	a.op("VFMADDSUB213PS", "Y3", "Y0", "Y2")
	a.op("VMOVUPS", "Y2", "(SI)")
	a.op("ADDQ", "$32", "SI")
	a.op("ADDQ", "$16", "DI")
	a.op("ADDQ", "$16", "DX")
	a.op("SUBQ", "$8", "CX")
	a.op("JNZ", "loop")
	ret(a)
}

// x86Transpose writes the interleaving of four rows, eight columns at a time.
func x86Transpose(a *asm) {
	a.fn("interleave4AVX2", "(dst *float32, width int, src *float32, ld, n int)", 40,
		"DI dst, R8 its step, R9 three steps, SI src, DX its stride, R10 three strides, CX columns left, a multiple of 8",
		"Y0 to Y3 rows, Y4 to Y7 pairs of rows")
	load(a, "dst", "DI", "width", "R8", "src", "SI", "ld", "DX", "n", "CX")
	a.op("SHLQ", "$2", "R8")
	a.op("SHLQ", "$2", "DX")
	a.op("LEAQ", "(R8)(R8*2)", "R9")
	a.op("LEAQ", "(DX)(DX*2)", "R10")
	a.label("loop")
	a.op("VMOVUPS", "(SI)", "Y0")
	a.op("VMOVUPS", "(SI)(DX*1)", "Y1")
	a.op("VMOVUPS", "(SI)(DX*2)", "Y2")
	a.op("VMOVUPS", "(SI)(R10*1)", "Y3")
	a.op("VUNPCKLPS", "Y1", "Y0", "Y4")
	a.op("VUNPCKHPS", "Y1", "Y0", "Y5")
	a.op("VUNPCKLPS", "Y3", "Y2", "Y6")
	a.op("VUNPCKHPS", "Y3", "Y2", "Y7")
	a.op("VUNPCKLPD", "Y6", "Y4", "Y0")
	a.op("VUNPCKHPD", "Y6", "Y4", "Y1")
	a.op("VUNPCKLPD", "Y7", "Y5", "Y2")
	a.op("VUNPCKHPD", "Y7", "Y5", "Y3")
	for half := range 2 {
		for i, at := range []string{"(DI)", "(DI)(R8*1)", "(DI)(R8*2)", "(DI)(R9*1)"} {
			if half == 0 {
				a.op("VMOVUPS", reg("X", i), at)
			} else {
				a.op("VEXTRACTF128", "$1", reg("Y", i), at)
			}
		}
		a.op("LEAQ", "(DI)(R8*4)", "DI")
	}
	a.op("ADDQ", "$32", "SI")
	a.op("SUBQ", "$8", "CX")
	a.op("JNZ", "loop")
	ret(a)
}

// x86Quantize writes the quantization of blocks of 32 activations.
func x86Quantize(a *asm) {
	a.WriteString(`
DATA quantizeOrder<>+0(SB)/8, $0x0000000400000000
DATA quantizeOrder<>+8(SB)/8, $0x0000000500000001
DATA quantizeOrder<>+16(SB)/8, $0x0000000600000002
DATA quantizeOrder<>+24(SB)/8, $0x0000000700000003
GLOBL quantizeOrder<>(SB), RODATA|NOPTR, $32
`)
	a.fn("quantizeAVX2", "(x *float32, blocks int, q *int8, scale *float32, corr, half *int32, width int)", 56,
		"SI x, CX blocks left, DI q, R8 scale, R9 corr, R10 half, R11 step of the last three, R12 step of q",
		"Y0 to Y3 values, Y4 to Y7 spare, X8 mask of a block that is not zero, Y9 128 in bytes, X10 and X11 what they add to a sum",
		"X12 least magnitude, X13 127, Y14 order of packed words, Y15 mask of magnitudes")
	load(a, "x", "SI", "blocks", "CX", "q", "DI", "scale", "R8", "corr", "R9", "half", "R10", "width", "R11")
	a.op("MOVQ", "R11", "R12")
	a.op("SHLQ", "$5", "R12")
	a.op("SHLQ", "$2", "R11")
	a.op("VMOVDQU", "quantizeOrder<>(SB)", "Y14")
	a.op("VPCMPEQD", "Y15", "Y15", "Y15")
	a.op("VPSRLD", "$1", "Y15", "Y15")
	for i, v := range []int{0x80808080, 16 * 128, 32 * 128, minAbs, 0x42fe0000} {
		a.op("MOVL", fmt.Sprintf("$%#08x", v), "AX")
		a.op("VMOVD", "AX", reg("X", 9+i))
	}
	a.op("VPBROADCASTD", "X9", "Y9")
	a.label("loop")
	// Other cores have read these lines: to ask for them four blocks early, to
	// write, halves the time. Go's assembler lacks the instruction.
	a.WriteString("\tBYTE $0x42; BYTE $0x0f; BYTE $0x0d; BYTE $0x0c; BYTE $0xa7 // PREFETCHW (DI)(R12*4)\n")
	for i := range 3 {
		fmt.Fprintf(a, "\tBYTE $0x43; BYTE $0x0f; BYTE $0x0d; BYTE $0x0c; BYTE $%#x // PREFETCHW (R%d)(R11*4)\n", 0x98+i, 8+i)
	}
	for i := range 4 {
		a.op("VMOVUPS", mem(32*i, "SI"), reg("Y", i))
		a.op("VPAND", reg("Y", i), "Y15", reg("Y", 4+i))
	}
	a.op("VPMAXUD", "Y5", "Y4", "Y4")
	a.op("VPMAXUD", "Y7", "Y6", "Y6")
	a.op("VPMAXUD", "Y6", "Y4", "Y4")
	a.op("VEXTRACTI128", "$1", "Y4", "X5")
	for _, shuffle := range []string{"$0x4E", "$0xB1"} {
		a.op("VPMAXUD", "X5", "X4", "X4")
		a.op("VPSHUFD", shuffle, "X4", "X5")
	}
	a.op("VPMAXUD", "X5", "X4", "X4")
	a.op("VDIVSS", "X13", "X4", "X6")
	a.op("VDIVSS", "X4", "X13", "X7")
	a.op("VCMPSS", "$5", "X12", "X4", "X8")
	a.op("VANDPS", "X8", "X6", "X6")
	a.op("VANDPS", "X8", "X7", "X7")
	a.op("VMOVSS", "X6", "(R8)")
	a.op("VBROADCASTSS", "X7", "Y7")
	for i := range 4 {
		a.op("VMULPS", "Y7", reg("Y", i), reg("Y", i))
		a.op("VCVTPS2DQ", reg("Y", i), reg("Y", i))
	}
	a.op("VPACKSSDW", "Y1", "Y0", "Y0")
	a.op("VPACKSSDW", "Y3", "Y2", "Y2")
	a.op("VPACKSSWB", "Y2", "Y0", "Y0")
	a.op("VPERMD", "Y0", "Y14", "Y0")
	a.op("VMOVDQU", "Y0", "(DI)")
	// Sums of 8 bytes plus 128 each, then of 16 and of all.
	a.op("VPXOR", "Y0", "Y9", "Y4")
	a.op("VPXOR", "X5", "X5", "X5")
	a.op("VPSADBW", "Y5", "Y4", "Y4")
	a.op("VPSHUFD", "$0x4E", "Y4", "Y5")
	a.op("VPADDD", "Y5", "Y4", "Y4")
	a.op("VEXTRACTI128", "$1", "Y4", "X5")
	a.op("VPADDD", "X4", "X5", "X5")
	a.op("VPSUBD", "X4", "X10", "X4")
	a.op("VPSUBD", "X5", "X11", "X5")
	a.op("VPSLLD", "$7", "X4", "X4")
	a.op("VPSLLD", "$7", "X5", "X5")
	a.op("VMOVD", "X4", "(R10)")
	a.op("VMOVD", "X5", "(R9)")
	a.op("ADDQ", "$128", "SI")
	a.op("ADDQ", "R12", "DI")
	for _, p := range []string{"R8", "R9", "R10"} {
		a.op("ADDQ", "R11", p)
	}
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	ret(a)
}
