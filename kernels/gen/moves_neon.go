package main

import "fmt"

// movesNEON writes the functions that mostly rearrange values.
func movesNEON() []byte {
	a := neon{newAsm()}
	a.rotate()
	a.transpose()
	a.quantize()
	a.widenHalves()
	a.joinScales()
	a.joinMins()
	a.fetch()
	return a.Bytes()
}

// rotate writes RoPE on neighbours, which a load of pairs takes apart.
func (a neon) rotate() {
	a.fn("rotateNEON", "(x, cos, sin *float32, n int)", 32, "R1 x, R2 cos, R3 sin, R4 values of x left, a multiple of 8",
		"V0 first and V1 second neighbours, V2 cosines, V3 sines, V4 and V5 results")
	a.args("x", "R1", "cos", "R2", "sin", "R3", "n", "R4")
	a.label("loop")
	a.op("VLD2", "(R1)", list(0, 2, "S4"))
	a.from("R2", 2, 1)
	a.from("R3", 3, 1)
	a.three("FMUL.4S", 4, 0, 2)
	a.op("VFMLS", v(1, "S4"), v(3, "S4"), v(4, "S4"))
	a.three("FMUL.4S", 5, 0, 3)
	a.op("VFMLA", v(1, "S4"), v(2, "S4"), v(5, "S4"))
	a.op("VST2.P", list(4, 2, "S4"), "32(R1)")
	a.op("SUBS", "$8", "R4")
	a.op("BNE", "loop")
	a.op("RET")
}

// transpose writes the interleaving of four rows, four columns at a time.
func (a neon) transpose() {
	a.fn("interleave4NEON", "(dst *float32, width int, src *float32, ld, n int)", 40,
		"R1 dst, R2 its step, R3, R6, R7 and R8 rows of src, R4 columns left, a multiple of 4, R5 stride of src",
		"V0 to V3 rows, V4 to V7 pairs of rows")
	a.args("dst", "R1", "width", "R2", "src", "R3", "ld", "R5", "n", "R4")
	a.op("LSL", "$2", "R2")
	a.op("LSL", "$2", "R5")
	a.op("ADD", "R5", "R3", "R6")
	a.op("ADD", "R5", "R6", "R7")
	a.op("ADD", "R5", "R7", "R8")
	a.label("loop")
	for i, r := range []string{"R3", "R6", "R7", "R8"} {
		a.from(r, i, 1)
	}
	for i := range 2 {
		m, n := v(2*i+1, "S4"), v(2*i, "S4")
		a.op("VZIP1", m, n, v(4+2*i, "S4"))
		a.op("VZIP2", m, n, v(5+2*i, "S4"))
	}
	for i := range 2 {
		m, n := v(6+i, "D2"), v(4+i, "D2")
		a.op("VZIP1", m, n, v(2*i, "D2"))
		a.op("VZIP2", m, n, v(2*i+1, "D2"))
	}
	for i := range 4 {
		a.op("VST1", list(i, 1, "S4"), "(R1)")
		a.op("ADD", "R2", "R1")
	}
	a.op("SUBS", "$4", "R4")
	a.op("BNE", "loop")
	a.op("RET")
}

// quantize writes the quantization of blocks of 32 activations.
func (a neon) quantize() {
	a.fn("quantizeNEON", "(x *float32, blocks int, q *int8, scale *float32, corr, half *int32, width int)", 56,
		"R1 x, R2 blocks left, R3 q, R4 scale, R5 corr, R6 half, R7 step of the last three, R8 step of q, R9 sum",
		"V0 to V7 values, V16 to V23 magnitudes, V24 scale, V25 its inverse, V26 least magnitude, V27 127, V28 mask of magnitudes")
	a.args("x", "R1", "blocks", "R2", "q", "R3", "scale", "R4", "corr", "R5", "half", "R6", "width", "R7")
	a.op("LSL", "$5", "R7", "R8")
	a.op("LSL", "$2", "R7")
	for _, c := range []struct {
		bits string
		n    int
	}{{fmt.Sprintf("$%#08x", minAbs), 26}, {"$0x42fe0000", 27}, {"$0x7fffffff", 28}} {
		a.op("MOVD", c.bits, "R9")
		a.op("VDUP", "R9", v(c.n, "S4"))
	}
	a.label("loop")
	a.from("R1", 0, 4)
	a.from("R1", 4, 4)
	for i := range 8 {
		a.op("VAND", v(28, "B16"), v(i, "B16"), v(16+i, "B16"))
	}
	for step := 4; step > 0; step /= 2 {
		for i := range step {
			a.three("UMAX.4S", 16+i, 16+i, 16+i+step)
		}
	}
	a.three("UMAXP.4S", 16, 16, 16)
	a.three("UMAXP.4S", 16, 16, 16)
	a.op("FDIVS", "F27", "F16", "F24")
	a.op("FDIVS", "F16", "F27", "F25")
	a.op("FCMPS", "F26", "F16")
	a.op("BPL", "some")
	a.zero(24)
	a.zero(25)
	a.label("some")
	a.op("FMOVS", "F24", "(R4)")
	a.op("VDUP", "V25.S[0]", v(25, "S4"))
	for i := range 8 {
		a.three("FMUL.4S", i, i, 25)
		a.two("FCVTNS.4S", i, i)
	}
	for i := range 2 { // of the first 16 values, then of all
		for j := range 3 {
			a.op("VADD", v(4*i+j+1, "S4"), v(map[bool]int{true: 4 * i, false: 16 + i}[j == 0], "S4"), v(16+i, "S4"))
		}
	}
	a.op("VADD", v(16, "S4"), v(17, "S4"), v(17, "S4"))
	for i, to := range []string{"(R6)", "(R5)"} {
		a.op("VADDV", v(16+i, "S4"), reg("V", 16+i))
		a.op("FMOVS", reg("F", 16+i), "R9")
		a.op("NEGW", "R9", "R9")
		a.op("LSLW", imm(correctionBits), "R9")
		a.op("MOVW", "R9", to)
	}
	for i := range 4 {
		a.two("SQXTN.4H", 16+i, 2*i)
		a.two("SQXTN2.8H", 16+i, 2*i+1)
	}
	for i := range 2 {
		a.two("SQXTN.8B", i, 16+2*i)
		a.two("SQXTN2.16B", i, 16+2*i+1)
	}
	a.op("VST1", fmt.Sprintf("[%s, %s]", v(0, "B16"), v(1, "B16")), "(R3)")
	a.op("ADD", "R8", "R3")
	for _, p := range []string{"R4", "R5", "R6"} {
		a.op("ADD", "R7", p)
	}
	a.op("SUBS", "$1", "R2")
	a.op("BNE", "loop")
	a.op("RET")
}

// widenHalves writes the conversion of binary16 to f32.
func (a neon) widenHalves() {
	a.fn("widenHalvesNEON", "(dst *float32, src *uint16, n int)", 24, "R1 dst, R2 src, R3 values left, a multiple of 8",
		"V0 values, V1 and V2 wide")
	a.args("dst", "R1", "src", "R2", "n", "R3")
	a.label("loop")
	a.op("VLD1.P", "16(R2)", list(0, 1, "H8"))
	a.two("FCVTL", 1, 0)
	a.two("FCVTL2", 2, 0)
	a.op("VST1.P", list(1, 2, "S4"), "32(R1)")
	a.op("SUBS", "$8", "R3")
	a.op("BNE", "loop")
	a.op("RET")
}

// fetch writes the asking for memory in advance.
func (a neon) fetch() {
	a.fn("fetchNEON", "(p *uint8, bytes int)", 16, "R1 p, R2 bytes left")
	a.args("p", "R1", "bytes", "R2")
	a.label("loop")
	a.op("PRFM", "(R1)", "PLDL1KEEP")
	a.op("ADD", "$64", "R1")
	a.op("SUBS", "$64", "R2")
	a.op("BGT", "loop")
	a.op("RET")
}

// superScales loads 16 binary16 values to registers to to to+3; V20 and V21 are lost.
func (a neon) superScales(from string, to int) {
	a.op("VLD1", "("+from+")", list(20, 2, "H8"))
	for i := range 2 {
		a.two("FCVTL", to+2*i, 20+i)
		a.two("FCVTL2", to+2*i+1, 20+i)
	}
}

// storeHalves rounds registers from to from+3 and stores them; V20 and V21 are lost.
func (a neon) storeHalves(from int) {
	for i := range 2 {
		a.two("FCVTN", 20+i, from+2*i)
		a.two("FCVTN2", 20+i, from+2*i+1)
	}
	a.op("VST1.P", list(20, 2, "H8"), "32(R1)")
}

// joinScales writes the products of superblocks' scales and groups' factors.
func (a neon) joinScales() {
	a.fn("joinScalesNEON", "(dst *uint16, super *uint16, fine *int8, supers, groups, step int)", 48,
		"R1 dst, R2 a superblock's scales, R5 factors, R3 superblocks left, R4 groups of one, R6 those left",
		"R10 distance of superblocks, R11 from the last factor of one to the first of the next",
		"V0 to V3 a superblock's scales, V4 to V7 factors, then products, V20 to V22 narrow values")
	a.args("dst", "R1", "super", "R2", "fine", "R5", "supers", "R3", "groups", "R4", "step", "R10")
	a.op("SUB", "R4<<4", "R10", "R11")
	a.label("super")
	a.superScales("R2", 0)
	a.op("MOVD", "R4", "R6")
	a.label("group")
	a.widen(elements[2], 4, 20)
	for i := range 4 {
		a.three("FMUL.4S", 4+i, 4+i, i)
	}
	a.storeHalves(4)
	a.op("SUBS", "$1", "R6")
	a.op("BNE", "group")
	a.op("ADD", "R10", "R2")
	a.op("ADD", "R11", "R5")
	a.op("SUBS", "$1", "R3")
	a.op("BNE", "super")
	a.op("RET")
}

// joinMins writes the minimums that go with those scales.
func (a neon) joinMins() {
	a.fn("joinMinsNEON", "(dst *uint16, super *uint16, fine *int8, superMin *uint16, fineMin *int8, offset float32, supers, groups, step int)", 72,
		"R1 dst, R2 a superblock's scales, R7 factors, R8 and R9 the same of minimums, R3 superblocks left, R4 groups of one, R6 those left",
		"R10 distance of superblocks, R11 from the last factor of one to the first of the next",
		"V0 to V3 a superblock's scales times offset, V8 to V11 its minimums, V4 to V7 and V12 to V15 factors, then products, V20 to V22 narrow values, V24 offset")
	a.args("dst", "R1", "super", "R2", "fine", "R7", "superMin", "R8", "fineMin", "R9")
	a.op("FMOVS", "offset+40(FP)", "F24")
	a.op("MOVD", "supers+48(FP)", "R3")
	a.op("MOVD", "groups+56(FP)", "R4")
	a.op("MOVD", "step+64(FP)", "R10")
	a.op("SUB", "R4<<4", "R10", "R11")
	a.label("super")
	a.superScales("R2", 0)
	for i := range 4 {
		a.lane("FMUL.4S", i, i, 24, 0)
	}
	a.superScales("R8", 8)
	a.op("MOVD", "R4", "R6")
	a.label("group")
	for _, f := range []struct {
		from     string
		to, with int
	}{{"R7", 4, 0}, {"R9", 12, 8}} {
		a.op("MOVD", f.from, "R5")
		a.widen(elements[2], f.to, 20)
		a.op("MOVD", "R5", f.from)
		for i := range 4 {
			a.three("FMUL.4S", f.to+i, f.to+i, f.with+i)
		}
	}
	for i := range 4 {
		a.three("FSUB.4S", 4+i, 4+i, 12+i)
	}
	a.storeHalves(4)
	a.op("SUBS", "$1", "R6")
	a.op("BNE", "group")
	for _, r := range []string{"R2", "R8"} {
		a.op("ADD", "R10", r)
	}
	for _, r := range []string{"R7", "R9"} {
		a.op("ADD", "R11", r)
	}
	a.op("SUBS", "$1", "R3")
	a.op("BNE", "super")
	a.op("RET")
}
