package main

import (
	"fmt"
	"math"
)

// isa is a width of x86 vector registers.
type isa struct {
	suffix string // of function names
	class  string
	lanes  int // f32 values
}

var (
	avx2   = isa{"AVX2", "Y", 8}
	avx512 = isa{"AVX512", "Z", 16}
)

func (s isa) r(n int) string { return reg(s.class, n) }

// vectors writes the functions on rows of f32. Each takes a length that is a
// positive multiple of the lanes; the Go side does the rest.
func vectors(s isa) []byte {
	a := newAsm()
	x86Dot(a, s)
	x86Axpy(a, s)
	x86ScaleMul(a, s)
	x86Scale(a, s)
	x86Maximum(a, s)
	e := x86Exp{a, s}
	e.table()
	e.expSub()
	e.swiglu()
	return a.Bytes()
}

// load emits moves of arguments to registers: name, register pairs.
func load(a *asm, pairs ...string) {
	offset := 0
	for i := 0; i < len(pairs); i += 2 {
		a.op("MOVQ", fmt.Sprintf("%s+%d(FP)", pairs[i], offset), pairs[i+1])
		offset += 8
	}
}

// loops runs body over CX values, first four vectors at a time, then one.
// pointers advance; body gets the byte offset and the number of the vector.
func loops(a *asm, s isa, pointers []string, body func(offset, i int)) {
	for _, unroll := range []int{4, 1} {
		here, next := fmt.Sprintf("by%d", unroll), fmt.Sprintf("end%d", unroll)
		a.label(here)
		a.op("CMPQ", "CX", imm(unroll*s.lanes))
		a.op("JLT", next)
		for i := range unroll {
			body(i*s.lanes*4, i)
		}
		for _, p := range pointers {
			a.op("ADDQ", imm(unroll*s.lanes*4), p)
		}
		a.op("SUBQ", imm(unroll*s.lanes), "CX")
		a.op("JMP", here)
		a.label(next)
	}
}

// reduce joins the lanes of register 0 with op and leaves the result in X0;
// register 1 is lost.
func reduce(a *asm, s isa, op string) {
	if s.class == "Z" {
		a.op("VEXTRACTF64X4", "$1", "Z0", "Y1")
		a.op(op, "Y1", "Y0", "Y0")
	}
	a.op("VEXTRACTF128", "$1", "Y0", "X1")
	for _, shuffle := range []string{"$0x4E", "$0xB1"} {
		a.op(op, "X1", "X0", "X0")
		a.op("VPERMILPS", shuffle, "X0", "X1")
	}
	a.op(op, "X1", "X0", "X0")
}

func ret(a *asm) {
	a.op("VZEROUPPER")
	a.op("RET")
}

func x86Dot(a *asm, s isa) {
	a.fn("dot"+s.suffix, "(a, b *float32, n int) float32", 28, "SI a, DI b, CX values left", s.class+"0 to 3 sums, 4 to 7 products' first factor")
	load(a, "a", "SI", "b", "DI", "n", "CX")
	for i := range 4 {
		a.op("VXORPS", s.r(i), s.r(i), s.r(i))
	}
	loops(a, s, []string{"SI", "DI"}, func(offset, i int) {
		a.op("VMOVUPS", mem(offset, "SI"), s.r(4+i))
		a.op("VFMADD231PS", mem(offset, "DI"), s.r(4+i), s.r(i))
	})
	a.op("VADDPS", s.r(1), s.r(0), s.r(0))
	a.op("VADDPS", s.r(3), s.r(2), s.r(2))
	a.op("VADDPS", s.r(2), s.r(0), s.r(0))
	reduce(a, s, "VADDPS")
	a.op("VMOVSS", "X0", "ret+24(FP)")
	ret(a)
}

func x86Axpy(a *asm, s isa) {
	a.fn("axpy"+s.suffix, "(alpha float32, x, y *float32, n int)", 32, "SI x, DI y, CX values left", s.class+"0 to 3 y, 4 alpha")
	a.op("VBROADCASTSS", "alpha+0(FP)", s.r(4))
	a.op("MOVQ", "x+8(FP)", "SI")
	a.op("MOVQ", "y+16(FP)", "DI")
	a.op("MOVQ", "n+24(FP)", "CX")
	loops(a, s, []string{"SI", "DI"}, func(offset, i int) {
		a.op("VMOVUPS", mem(offset, "DI"), s.r(i))
		a.op("VFMADD231PS", mem(offset, "SI"), s.r(4), s.r(i))
		a.op("VMOVUPS", s.r(i), mem(offset, "DI"))
	})
	ret(a)
}

func x86ScaleMul(a *asm, s isa) {
	a.fn("scaleMul"+s.suffix, "(dst, x, gain *float32, s float32, n int)", 40, "DX dst, SI x, DI gain, CX values left", s.class+"0 to 3 values, 4 s")
	load(a, "dst", "DX", "x", "SI", "gain", "DI")
	a.op("VBROADCASTSS", "s+24(FP)", s.r(4))
	a.op("MOVQ", "n+32(FP)", "CX")
	loops(a, s, []string{"SI", "DI", "DX"}, func(offset, i int) {
		a.op("VMULPS", mem(offset, "SI"), s.r(4), s.r(i))
		a.op("VMULPS", mem(offset, "DI"), s.r(i), s.r(i))
		a.op("VMOVUPS", s.r(i), mem(offset, "DX"))
	})
	ret(a)
}

func x86Scale(a *asm, s isa) {
	a.fn("scale"+s.suffix, "(dst, x *float32, s float32, n int)", 32, "DX dst, SI x, CX values left", s.class+"0 to 3 values, 4 s")
	load(a, "dst", "DX", "x", "SI")
	a.op("VBROADCASTSS", "s+16(FP)", s.r(4))
	a.op("MOVQ", "n+24(FP)", "CX")
	loops(a, s, []string{"SI", "DX"}, func(offset, i int) {
		a.op("VMULPS", mem(offset, "SI"), s.r(4), s.r(i))
		a.op("VMOVUPS", s.r(i), mem(offset, "DX"))
	})
	ret(a)
}

func x86Maximum(a *asm, s isa) {
	a.fn("maximum"+s.suffix, "(x *float32, n int) float32", 20, "SI x, CX values left", s.class+"0 to 3 maxima")
	load(a, "x", "SI", "n", "CX")
	for i := range 4 {
		a.op("VMOVUPS", "(SI)", s.r(i))
	}
	loops(a, s, []string{"SI"}, func(offset, i int) {
		a.op("VMAXPS", mem(offset, "SI"), s.r(i), s.r(i))
	})
	a.op("VMAXPS", s.r(1), s.r(0), s.r(0))
	a.op("VMAXPS", s.r(3), s.r(2), s.r(2))
	a.op("VMAXPS", s.r(2), s.r(0), s.r(0))
	reduce(a, s, "VMAXPS")
	a.op("VMOVSS", "X0", "ret+16(FP)")
	ret(a)
}

// x86Exp writes the functions with an exponential in them.
type x86Exp struct {
	*asm
	isa
}

// expTable holds the constants of the exponential: its bounds, the adder that
// rounds to an integer, ln 2 in two parts, the polynomial and the bias.
var expTable = []uint32{
	math.Float32bits(-87.3), math.Float32bits(88), math.Float32bits(math.Log2E), 0x4b400000,
	math.Float32bits(0.693359375), math.Float32bits(-2.12194440e-4),
	math.Float32bits(1.9875691500e-4), math.Float32bits(1.3981999507e-3), math.Float32bits(8.3334519073e-3),
	math.Float32bits(4.1665795894e-2), math.Float32bits(1.6666665459e-1), math.Float32bits(5.0000001201e-1),
	math.Float32bits(1), 127 << 23,
}

const (
	expMin = iota
	expMax
	expLog2E
	expAdder
	expLn2Hi
	expLn2Lo
	expC5
	expC0  = expC5 + 5
	expOne = expC0 + 1
	expBias
)

// table defines the constants, each eight times.
func (e x86Exp) table() {
	e.WriteByte('\n')
	for i, v := range expTable {
		for j := range 4 {
			fmt.Fprintf(e, "DATA exp%s<>+%d(SB)/8, $0x%08x%08x\n", e.suffix, 32*i+8*j, v, v)
		}
	}
	fmt.Fprintf(e, "GLOBL exp%s<>(SB), RODATA|NOPTR, $%d\n", e.suffix, 32*len(expTable))
}

// constant is an operand: AVX-512 has registers for all of them.
func (e x86Exp) constant(i int) string {
	if e.class == "Z" {
		return e.r(16 + i)
	}
	return fmt.Sprintf("exp%s<>+%d(SB)", e.suffix, 32*i)
}

// setup loads constants to registers 16 and up, and the bounds to 14 and 15.
func (e x86Exp) setup() {
	if e.class == "Z" {
		for i := range expTable {
			e.op("VBROADCASTSS", fmt.Sprintf("exp%s<>+%d(SB)", e.suffix, 32*i), e.r(16+i))
		}
	}
	e.op("VBROADCASTSS", fmt.Sprintf("exp%s<>+%d(SB)", e.suffix, 32*expMin), e.r(14))
	e.op("VBROADCASTSS", fmt.Sprintf("exp%s<>+%d(SB)", e.suffix, 32*expMax), e.r(15))
}

// exp sets register 1 to the exponential of register 0; 2 to 4 are lost. The
// order of operands lets NaN through the bounds.
func (e x86Exp) exp() {
	x, p, r, t, n := e.r(0), e.r(1), e.r(2), e.r(3), e.r(4)
	e.op("VMAXPS", x, e.r(14), r)
	e.op("VMINPS", r, e.r(15), r)
	e.op("VMOVUPS", e.constant(expAdder), t)
	e.op("VFMADD231PS", e.constant(expLog2E), r, t)
	e.op("VSUBPS", e.constant(expAdder), t, n)
	e.op("VFNMADD231PS", e.constant(expLn2Hi), n, r)
	e.op("VFNMADD231PS", e.constant(expLn2Lo), n, r)
	e.op("VMOVUPS", e.constant(expC5), p)
	for c := expC5 + 1; c <= expC0; c++ {
		e.op("VFMADD213PS", e.constant(c), r, p)
	}
	e.op("VMULPS", r, r, n)
	e.op("VFMADD213PS", r, n, p)
	e.op("VADDPS", e.constant(expOne), p, p)
	e.op("VPSLLD", "$23", t, t)
	e.op("VPADDD", e.constant(expBias), t, t)
	e.op("VMULPS", t, p, p)
	if e.class == "Z" {
		e.op("VCMPPS", "$5", e.r(14), x, "K1")
		e.op("VMOVAPS.Z", p, "K1", p)
		return
	}
	e.op("VCMPPS", "$5", e.r(14), x, n)
	e.op("VANDPS", n, p, p)
}

// single runs body for every vector of CX values.
func (e x86Exp) single(pointers []string, body func()) {
	e.label("loop")
	body()
	for _, p := range pointers {
		e.op("ADDQ", imm(e.lanes*4), p)
	}
	e.op("SUBQ", imm(e.lanes), "CX")
	e.op("JNZ", "loop")
}

const expRegisters = "14, 15 and for AVX-512 16 to 29 constants"

func (e x86Exp) expSub() {
	e.fn("expSub"+e.suffix, "(x *float32, m float32, n int) float32", 28, "SI x, CX values left",
		e.class+"0 x-m, 1 result, 2 to 4 spare, 5 sum, 6 m", expRegisters)
	e.op("MOVQ", "x+0(FP)", "SI")
	e.op("VBROADCASTSS", "m+8(FP)", e.r(6))
	e.op("MOVQ", "n+16(FP)", "CX")
	e.setup()
	e.op("VXORPS", e.r(5), e.r(5), e.r(5))
	e.single([]string{"SI"}, func() {
		e.op("VMOVUPS", "(SI)", e.r(0))
		e.op("VSUBPS", e.r(6), e.r(0), e.r(0))
		e.exp()
		e.op("VMOVUPS", e.r(1), "(SI)")
		e.op("VADDPS", e.r(1), e.r(5), e.r(5))
	})
	e.op("VMOVAPS", e.r(5), e.r(0))
	reduce(e.asm, e.isa, "VADDPS")
	e.op("VMOVSS", "X0", "ret+24(FP)")
	ret(e.asm)
}

// swiglu divides by the exponential plus 1. With AVX-512 that is a product with an
// approximate reciprocal, improved by one step of Newton's: a division takes as long
// as all else. Of a larger number than exp(reciprocalMax) it would be denormal, so that
// lower gates count as minus that.
func (e x86Exp) swiglu() {
	e.fn("swiglu"+e.suffix, "(dst, gate, up *float32, n, rows, ld int)", 48,
		"DX dst, SI gate, DI up, CX values of a row left, R8 rows left, R9 from one's last value to the next one's first",
		e.class+"0 -gate, 1 result, 2 to 4 spare, 5 zero, 6 gate, 7 least gate", expRegisters)
	load(e.asm, "dst", "DX", "gate", "SI", "up", "DI", "n", "CX", "rows", "R8", "ld", "R9")
	e.op("SUBQ", "CX", "R9")
	e.op("SHLQ", "$2", "R9")
	e.setup()
	if e.class == "Z" {
		e.op("MOVL", fmt.Sprintf("$%#08x", math.Float32bits(reciprocalMax)), "AX")
		e.op("VPBROADCASTD", "AX", e.r(15))
		e.op("VXORPS", e.r(7), e.r(7), e.r(7))
		e.op("VSUBPS", e.r(15), e.r(7), e.r(7))
	}
	e.op("VXORPS", e.r(5), e.r(5), e.r(5))
	e.label("row")
	e.op("MOVQ", "n+24(FP)", "CX")
	e.single([]string{"SI", "DI", "DX"}, func() {
		e.op("VMOVUPS", "(SI)", e.r(6))
		e.op("VSUBPS", e.r(6), e.r(5), e.r(0))
		e.exp()
		e.op("VADDPS", e.constant(expOne), e.r(1), e.r(1))
		if e.class == "Z" {
			e.op("VRCP14PS", e.r(1), e.r(2))
			e.op("VFNMADD213PS", e.constant(expOne), e.r(2), e.r(1))
			e.op("VFMADD213PS", e.r(2), e.r(2), e.r(1))
			e.op("VMAXPS", e.r(6), e.r(7), e.r(6))
			e.op("VMULPS", e.r(6), e.r(1), e.r(1))
		} else {
			e.op("VDIVPS", e.r(1), e.r(6), e.r(1))
		}
		e.op("VMULPS", "(DI)", e.r(1), e.r(1))
		e.op("VMOVUPS", e.r(1), "(DX)")
	})
	for _, p := range []string{"SI", "DI", "DX"} {
		e.op("ADDQ", "R9", p)
	}
	e.op("DECQ", "R8")
	e.op("JNZ", "row")
	ret(e.asm)
}

const reciprocalMax = 80
