package main

import "fmt"

// vectorsNEON writes the functions on rows of f32 for lengths that are positive
// multiples of 4.
func vectorsNEON() []byte {
	a := neon{newAsm()}
	a.dot()
	a.axpy()
	a.scaleMul()
	a.scale()
	a.maximum()
	a.expTable()
	a.expSub()
	a.swiglu()
	return a.Bytes()
}

// loops runs body over R4 values, first sixteen at a time, then four; body gets
// the number of vectors, in registers 0 and up.
func (a neon) loops(body func(vectors int)) {
	for _, vectors := range []int{4, 1} {
		here, next := fmt.Sprintf("by%d", vectors), fmt.Sprintf("end%d", vectors)
		a.label(here)
		a.op("CMP", imm(4*vectors), "R4")
		a.op("BLT", next)
		body(vectors)
		a.op("SUB", imm(4*vectors), "R4")
		a.op("B", here)
		a.label(next)
	}
}

// from loads vectors registers from a pointer and advances it; to stores.
func (a neon) from(pointer string, first, vectors int) {
	a.op("VLD1.P", fmt.Sprintf("%d(%s)", 16*vectors, pointer), list(first, vectors, "S4"))
}

func (a neon) to(pointer string, first, vectors int) {
	a.op("VST1.P", list(first, vectors, "S4"), fmt.Sprintf("%d(%s)", 16*vectors, pointer))
}

// broadcast loads the f32 argument at offset of the frame to all words of n.
func (a neon) broadcast(name string, offset, n int) {
	a.op("FMOVS", fmt.Sprintf("%s+%d(FP)", name, offset), reg("F", n))
	a.op("VDUP", fmt.Sprintf("V%d.S[0]", n), v(n, "S4"))
}

func (a neon) dot() {
	a.fn("dotNEON", "(a, b *float32, n int) float32", 28, "R1 a, R2 b, R4 values left", "V0 to V3 a, V4 to V7 b, V16 to V19 sums")
	a.args("a", "R1", "b", "R2", "n", "R4")
	for i := range 4 {
		a.zero(16 + i)
	}
	a.loops(func(vectors int) {
		a.from("R1", 0, vectors)
		a.from("R2", 4, vectors)
		for i := range vectors {
			a.op("VFMLA", v(i, "S4"), v(4+i, "S4"), v(16+i, "S4"))
		}
	})
	a.reduce("FADD.4S", "FADDP.4S")
	a.op("FMOVS", "F16", "ret+24(FP)")
	a.op("RET")
}

// reduce joins V16 to V19 to the first word of V16.
func (a neon) reduce(op, pairwise string) {
	a.three(op, 16, 16, 17)
	a.three(op, 18, 18, 19)
	a.three(op, 16, 16, 18)
	a.three(pairwise, 16, 16, 16)
	a.three(pairwise, 16, 16, 16)
}

func (a neon) axpy() {
	a.fn("axpyNEON", "(alpha float32, x, y *float32, n int)", 32, "R1 x, R2 y, R3 y to store, R4 values left", "V0 to V3 x, V4 to V7 y, V16 alpha")
	a.broadcast("alpha", 0, 16)
	a.op("MOVD", "x+8(FP)", "R1")
	a.op("MOVD", "y+16(FP)", "R2")
	a.op("MOVD", "R2", "R3")
	a.op("MOVD", "n+24(FP)", "R4")
	a.loops(func(vectors int) {
		a.from("R1", 0, vectors)
		a.from("R2", 4, vectors)
		for i := range vectors {
			a.op("VFMLA", v(i, "S4"), v(16, "S4"), v(4+i, "S4"))
		}
		a.to("R3", 4, vectors)
	})
	a.op("RET")
}

func (a neon) scaleMul() {
	a.fn("scaleMulNEON", "(dst, x, gain *float32, s float32, n int)", 40, "R3 dst, R1 x, R2 gain, R4 values left", "V0 to V3 x, V4 to V7 gain, V16 s")
	a.args("dst", "R3", "x", "R1", "gain", "R2")
	a.broadcast("s", 24, 16)
	a.op("MOVD", "n+32(FP)", "R4")
	a.loops(func(vectors int) {
		a.from("R1", 0, vectors)
		a.from("R2", 4, vectors)
		for i := range vectors {
			a.three("FMUL.4S", i, i, 16)
			a.three("FMUL.4S", i, i, 4+i)
		}
		a.to("R3", 0, vectors)
	})
	a.op("RET")
}

func (a neon) scale() {
	a.fn("scaleNEON", "(dst, x *float32, s float32, n int)", 32, "R3 dst, R1 x, R4 values left", "V0 to V3 x, V16 s")
	a.args("dst", "R3", "x", "R1")
	a.broadcast("s", 16, 16)
	a.op("MOVD", "n+24(FP)", "R4")
	a.loops(func(vectors int) {
		a.from("R1", 0, vectors)
		for i := range vectors {
			a.three("FMUL.4S", i, i, 16)
		}
		a.to("R3", 0, vectors)
	})
	a.op("RET")
}

func (a neon) maximum() {
	a.fn("maximumNEON", "(x *float32, n int) float32", 20, "R1 x, R4 values left", "V0 to V3 x, V16 to V19 maxima")
	a.args("x", "R1", "n", "R4")
	for i := range 4 {
		a.op("VLD1", "(R1)", list(16+i, 1, "S4"))
	}
	a.loops(func(vectors int) {
		a.from("R1", 0, vectors)
		for i := range vectors {
			a.three("FMAX.4S", 16+i, 16+i, i)
		}
	})
	a.reduce("FMAX.4S", "FMAXP.4S")
	a.op("FMOVS", "F16", "ret+16(FP)")
	a.op("RET")
}

// expTable defines the constants of the exponential.
func (a neon) expTable() {
	a.WriteByte('\n')
	for i, v := range expTable {
		fmt.Fprintf(a, "DATA expNEON<>+%d(SB)/4, $0x%08x\n", 4*i, v)
	}
	fmt.Fprintf(a, "GLOBL expNEON<>(SB), RODATA|NOPTR, $%d\n", 4*len(expTable))
}

const expNEONRegisters = "V1 to V5 spare, V16 to V29 constants"

// expSetup loads the constants to V16 and up; R5 is lost.
func (a neon) expSetup() {
	a.op("MOVD", "$expNEON<>(SB)", "R5")
	for i := range expTable {
		a.op("VLD1R.P", "4(R5)", list(16+i, 1, "S4"))
	}
}

// exp sets V1 to the exponential of V0; V2 to V5 are lost. NaN stays NaN.
func (a neon) exp() {
	const x, p, r, t, n, q = 0, 1, 2, 3, 4, 5
	constant := func(i int) int { return 16 + i }
	copyTo := func(from, to int) { a.op("VORR", v(from, "B16"), v(from, "B16"), v(to, "B16")) }
	a.three("FMAX.4S", r, x, constant(expMin))
	a.three("FMIN.4S", r, r, constant(expMax))
	copyTo(constant(expAdder), t)
	a.op("VFMLA", v(constant(expLog2E), "S4"), v(r, "S4"), v(t, "S4"))
	a.three("FSUB.4S", n, t, constant(expAdder))
	a.op("VFMLS", v(constant(expLn2Hi), "S4"), v(n, "S4"), v(r, "S4"))
	a.op("VFMLS", v(constant(expLn2Lo), "S4"), v(n, "S4"), v(r, "S4"))
	from, to := p, q
	copyTo(constant(expC5), p)
	for c := expC5 + 1; c <= expC0; c++ {
		copyTo(constant(c), to)
		a.op("VFMLA", v(r, "S4"), v(from, "S4"), v(to, "S4"))
		from, to = to, from
	}
	a.three("FMUL.4S", n, r, r)
	a.op("VFMLA", v(n, "S4"), v(from, "S4"), v(r, "S4"))
	a.three("FADD.4S", p, r, constant(expOne))
	a.op("VSHL", "$23", v(t, "S4"), v(t, "S4"))
	a.op("VADD", v(constant(expBias), "S4"), v(t, "S4"), v(t, "S4"))
	a.three("FMUL.4S", p, p, t)
	a.three("FCMGT.4S", n, constant(expMin), x)
	a.three("BIC.16B", p, p, n)
}

func (a neon) expSub() {
	a.fn("expSubNEON", "(x *float32, m float32, n int) float32", 28, "R1 x, R4 values left", "V0 x-m, V6 m, V7 sum", expNEONRegisters)
	a.op("MOVD", "x+0(FP)", "R1")
	a.broadcast("m", 8, 6)
	a.op("MOVD", "n+16(FP)", "R4")
	a.expSetup()
	a.zero(7)
	a.label("loop")
	a.op("VLD1", "(R1)", list(0, 1, "S4"))
	a.three("FSUB.4S", 0, 0, 6)
	a.exp()
	a.to("R1", 1, 1)
	a.three("FADD.4S", 7, 7, 1)
	a.op("SUBS", "$4", "R4")
	a.op("BNE", "loop")
	a.three("FADDP.4S", 7, 7, 7)
	a.three("FADDP.4S", 7, 7, 7)
	a.op("FMOVS", "F7", "ret+24(FP)")
	a.op("RET")
}

func (a neon) swiglu() {
	a.fn("swigluNEON", "(dst, gate, up *float32, n, rows, ld int)", 48,
		"R3 dst, R1 gate, R2 up, R7 values of a row, R4 those left, R8 rows left, R6 from one's last value to the next one's first", "V0 -gate, V6 gate, V7 zero", expNEONRegisters)
	a.args("dst", "R3", "gate", "R1", "up", "R2", "n", "R7", "rows", "R8", "ld", "R6")
	a.op("SUB", "R7", "R6")
	a.op("LSL", "$2", "R6")
	a.expSetup()
	a.zero(7)
	a.label("row")
	a.op("MOVD", "R7", "R4")
	a.label("loop")
	a.from("R1", 6, 1)
	a.three("FSUB.4S", 0, 7, 6)
	a.exp()
	a.three("FADD.4S", 1, 1, 16+expOne)
	a.three("FDIV.4S", 1, 6, 1)
	a.from("R2", 2, 1)
	a.three("FMUL.4S", 1, 1, 2)
	a.to("R3", 1, 1)
	a.op("SUBS", "$4", "R4")
	a.op("BNE", "loop")
	for _, p := range []string{"R1", "R2", "R3"} {
		a.op("ADD", "R6", p)
	}
	a.op("SUBS", "$1", "R8")
	a.op("BNE", "row")
	a.op("RET")
}
