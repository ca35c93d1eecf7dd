package main

import (
	"fmt"
	"strings"
)

// minAbs is the bits of package kernels' constant of that name.
const minAbs = 0x0d800000

// actsAVX512 writes the quantization of a block of eight tokens at a time: what takes
// one token's block a chain of shuffles is done for all of them at once.
func actsAVX512() []byte {
	a := newAsm()
	words(a, "quantizeBytes", 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
	words(a, "quantizeTops", 0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0)
	words(a, "quantizeSums", 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)
	a.fnFrame("quantizeTileAVX512", "(x *float32, ldx, blocks int, q *int8, scale *float32, corr, half *int32, tiles, width int)", 64, 72,
		"SI x, BX four rows further, R12 distance of rows, R13 of three, CX blocks left, DI q, R8 scale, R9 corr, R10 half, DX inverse scales on the stack",
		"AX tiles left, R11 from the last block of one to the first of the next",
		"Z0 to Z15 values, two vectors a token, then bytes, Z16 to Z21 spare, K1 blocks that are not zero",
		"Y22 and Y23 what 128 adds to sums of 16 and 32 bytes, Y24 127, Y25 least magnitude, Z26 order of sums, Z27 of magnitudes, Z28 of bytes",
		"Z29 128 in bytes, Z30 zero, Z31 mask of magnitudes")
	load(a, "x", "SI", "ldx", "R12", "blocks", "CX", "q", "DI", "scale", "R8", "corr", "R9", "half", "R10")
	a.op("SHLQ", "$2", "R12")
	a.op("LEAQ", "(R12)(R12*2)", "R13")
	a.op("LEAQ", "31(SP)", "DX")
	a.op("ANDQ", "$~31", "DX")
	for i, v := range []int{16 * 128, 32 * 128, 0x42fe0000, minAbs} {
		a.op("MOVL", fmt.Sprintf("$%#08x", v), "AX")
		a.op("VPBROADCASTD", "AX", reg("Y", 22+i))
	}
	for i, order := range []string{"Sums", "Tops", "Bytes"} {
		a.op("VMOVDQU32", "quantize"+order+"<>(SB)", reg("Z", 26+i))
	}
	a.op("MOVL", "$0x80808080", "AX")
	a.op("VPBROADCASTD", "AX", "Z29")
	a.op("VPXORD", "Z30", "Z30", "Z30")
	a.op("MOVL", "$0x7fffffff", "AX")
	a.op("VPBROADCASTD", "AX", "Z31")
	a.op("MOVQ", "tiles+56(FP)", "AX")
	a.op("MOVQ", "width+64(FP)", "R11")
	a.op("SUBQ", "CX", "R11")
	a.op("SHLQ", "$5", "R11") // of scales: q are eight times that
	a.label("tile")
	a.op("LEAQ", "(SI)(R12*4)", "BX")
	a.op("MOVQ", "blocks+16(FP)", "CX")
	a.label("loop")
	for i := range 16 {
		row := []string{"SI", "BX"}[i/8]
		at := []string{"(" + row + ")", "(" + row + ")(R12*1)", "(" + row + ")(R12*2)", "(" + row + ")(R13*1)"}[i/2%4]
		if i%2 == 1 {
			at = "64" + at
		}
		a.op("VMOVUPS", at, reg("Z", i))
	}
	quads := func(first, into int) { // of four tokens
		pairedTops(a, first, into)
		pairedTops(a, first+2, into+1)
		a.op("VSHUFI32X4", "$0x88", reg("Z", into+1), reg("Z", into), reg("Z", into+2))
		a.op("VSHUFI32X4", "$0xDD", reg("Z", into+1), reg("Z", into), reg("Z", into+3))
		a.op("VPMAXUD", reg("Z", into+3), reg("Z", into+2), reg("Z", into))
	}
	quads(0, 16)
	quads(4, 17)
	a.op("VPUNPCKLQDQ", "Z17", "Z16", "Z18")
	a.op("VPUNPCKHQDQ", "Z17", "Z16", "Z19")
	a.op("VPMAXUD", "Z19", "Z18", "Z16")
	a.op("VPSHUFD", "$0xB1", "Z16", "Z17")
	a.op("VPMAXUD", "Z17", "Z16", "Z16")
	a.op("VPERMD", "Z16", "Z27", "Z16")
	a.op("VCMPPS", "$5", "Y25", "Y16", "K1")
	a.op("VDIVPS.Z", "Y24", "Y16", "K1", "Y17")
	a.op("VDIVPS.Z", "Y16", "Y24", "K1", "Y18")
	a.op("VMOVUPS", "Y17", "(R8)")
	a.op("VMOVUPS", "Y18", "(DX)")
	for i := range 16 {
		a.op("VMULPS.BCST", mem(i/2*4, "DX"), reg("Z", i), reg("Z", i))
		a.op("VCVTPS2DQ", reg("Z", i), reg("Z", i))
	}
	for i := range 4 { // two tokens
		z := func(k int) string { return reg("Z", 4*i+k) }
		a.op("VPACKSSDW", z(1), z(0), z(0))
		a.op("VPACKSSDW", z(3), z(2), z(2))
		a.op("VPACKSSWB", z(2), z(0), z(0))
		a.op("VPERMD", z(0), "Z28", z(0))
		a.op("VMOVDQU32", z(0), mem(64*i, "DI"))
		// Sums of 8 bytes plus 128 each.
		a.op("VPXORD", z(0), "Z29", z(0))
		a.op("VPSADBW", "Z30", z(0), z(0))
	}
	for _, i := range []int{0, 8} { // four tokens: those of the second two in the upper words
		a.op("VPSLLQ", "$32", reg("Z", i+4), reg("Z", i+4))
		a.op("VPORD", reg("Z", i+4), reg("Z", i), reg("Z", i))
	}
	a.op("VPUNPCKLQDQ", "Z8", "Z0", "Z1")
	a.op("VPUNPCKHQDQ", "Z8", "Z0", "Z2")
	a.op("VPADDD", "Z2", "Z1", "Z0")
	a.op("VPERMD", "Z0", "Z26", "Z0") // first halves of blocks, then second ones
	a.op("VEXTRACTI64X4", "$1", "Z0", "Y1")
	a.op("VPADDD", "Y1", "Y0", "Y1")
	a.op("VPSUBD", "Y0", "Y22", "Y0")
	a.op("VPSUBD", "Y1", "Y23", "Y1")
	a.op("VPSLLD", "$7", "Y0", "Y0")
	a.op("VPSLLD", "$7", "Y1", "Y1")
	a.op("VMOVDQU", "Y0", "(R10)")
	a.op("VMOVDQU", "Y1", "(R9)")
	for _, p := range []string{"SI", "BX"} {
		a.op("ADDQ", "$128", p)
	}
	a.op("ADDQ", "$256", "DI")
	for _, p := range []string{"R8", "R9", "R10"} {
		a.op("ADDQ", "$32", p)
	}
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	a.op("MOVQ", "blocks+16(FP)", "CX")
	a.op("SHLQ", "$7", "CX")
	a.op("SUBQ", "CX", "BX")
	a.op("LEAQ", "(BX)(R12*4)", "SI")
	a.op("LEAQ", "(DI)(R11*8)", "DI")
	for _, p := range []string{"R8", "R9", "R10"} {
		a.op("ADDQ", "R11", p)
	}
	a.op("DECQ", "AX")
	a.op("JNZ", "tile")
	ret(a)
	return a.Bytes()
}

// pairedTops leaves the magnitudes of tokens t and t+1 in a register, the larger of
// each four in half of it, and loses the three behind it.
func pairedTops(a *asm, t, into int) {
	z := func(i int) string { return reg("Z", into+i) }
	for i := range 2 {
		a.op("VPANDD", reg("Z", 2*(t+i)), "Z31", z(i))
		a.op("VPANDD", reg("Z", 2*(t+i)+1), "Z31", z(2))
		a.op("VPMAXUD", z(2), z(i), z(i))
	}
	a.op("VSHUFI32X4", "$0x44", z(1), z(0), z(2))
	a.op("VSHUFI32X4", "$0xEE", z(1), z(0), z(3))
	a.op("VPMAXUD", z(3), z(2), z(0))
}

// words writes a table of 32 bit words.
func words(a *asm, name string, values ...int) {
	var b strings.Builder
	for i := 0; i < len(values); i += 2 {
		fmt.Fprintf(&b, "DATA %s<>+%d(SB)/8, $%#016x\n", name, 4*i, values[i]|values[i+1]<<32)
	}
	fmt.Fprintf(a, "\n%sGLOBL %s<>(SB), RODATA|NOPTR, $%d\n", b.String(), name, 4*len(values))
}
