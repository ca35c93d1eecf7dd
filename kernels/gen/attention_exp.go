package main

import (
	"fmt"
	"math"
)

// powerTable holds the least argument, log2(e), the adder that rounds to an
// integer, and the polynomial of degree 5 nearest to 2^x on [-1/2, 1/2] (Remez:
// its relative error is 7.5e-8), highest power first.
var powerTable = []uint32{
	math.Float32bits(-86), math.Float32bits(math.Log2E), 0x4b400000,
	math.Float32bits(1.3276471979e-3), math.Float32bits(9.6755413342e-3), math.Float32bits(5.5507132735e-2),
	math.Float32bits(2.4022119724e-1), math.Float32bits(6.9314696706e-1), math.Float32bits(1.0000000717),
}

const (
	powerMin = iota
	powerLog2E
	powerAdder
	powerC5
)

// x86Power writes the exponentials of attention, as floats and as integers: of arguments that are not above
// zero, those below -86 as exp(-86), which is nothing beside 1. A chain of
// operations is longer than the scheduler of the floating-point unit can look
// ahead, so four vectors take every step together.
func x86Power(s isa) []byte {
	a := newAsm()
	a.WriteByte('\n')
	for i, v := range powerTable {
		for j := range s.lanes / 2 {
			fmt.Fprintf(a, "DATA power%s<>+%d(SB)/8, $0x%08x%08x\n", s.suffix, 4*s.lanes*i+8*j, v, v)
		}
	}
	fmt.Fprintf(a, "GLOBL power%s<>(SB), RODATA|NOPTR, $%d\n", s.suffix, 4*s.lanes*len(powerTable))
	constant := func(i int) string { return fmt.Sprintf("power%s<>+%d(SB)", s.suffix, 4*s.lanes*i) }

	a.fn("weigh"+s.suffix, "(x *float32, m float32, n int) float32", 28, "SI x, CX values left",
		s.class+"0 to 3 x-m and what is left of it, 4 to 7 integer parts, 8 to 11 powers", s.class+"12 m, 13 and 14 sums, 16 on constants where there are so many")
	a.op("MOVQ", "x+0(FP)", "SI")
	a.op("VBROADCASTSS", "m+8(FP)", s.r(12))
	a.op("MOVQ", "n+16(FP)", "CX")
	x86PowerLoops(a, s, []int{4, 1}, constant, func(vectors int) {
		for i := range vectors {
			a.op("VMOVUPS", s.r(8+i), mem(4*s.lanes*i, "SI"))
		}
	})
	a.op("VMOVSS", "X0", "ret+24(FP)")
	ret(a)

	a.fn("weighWords"+s.suffix, "(dst *int16, x, gain *float32, m, factor float32, n int) float32", 44,
		"DI dst, SI x, DX gain, CX values left, a multiple of 16",
		s.class+"0 to 3 x-m and what is left of it, 4 to 7 integer parts, 8 to 11 powers", s.class+"12 m, 13 and 14 sums, 15 factor, 16 on constants where there are so many")
	load(a, "dst", "DI", "x", "SI", "gain", "DX")
	a.op("VBROADCASTSS", "m+24(FP)", s.r(12))
	a.op("VBROADCASTSS", "factor+28(FP)", s.r(15))
	a.op("MOVQ", "n+32(FP)", "CX")
	x86PowerLoops(a, s, []int{4, 16 / s.lanes}, constant, func(vectors int) {
		for i := range vectors {
			a.op("VMULPS", mem(4*s.lanes*i, "DX"), s.r(8+i), s.r(i))
		}
		for i := range vectors {
			a.op("VMULPS", s.r(15), s.r(i), s.r(i))
		}
		for i := range vectors {
			a.op("VCVTPS2DQ", s.r(i), s.r(i))
		}
		for i := 0; i < vectors; i += 16 / s.lanes {
			x86StoreWords(a, s, i, mem(2*s.lanes*i, "DI"))
		}
		a.op("ADDQ", imm(vectors*s.lanes*4), "DX")
		a.op("ADDQ", imm(vectors*s.lanes*2), "DI")
	})
	a.op("VMOVSS", "X0", "ret+40(FP)")
	ret(a)
	return a.Bytes()
}

// x86StoreWords writes 16 integers of 32 bits, from register i on, as 16 bits.
func x86StoreWords(a *asm, s isa, i int, to string) {
	if s.class == "Z" {
		a.op("VPMOVSDW", s.r(i), to)
		return
	}
	a.op("VPACKSSDW", s.r(i+1), s.r(i), s.r(i))
	a.op("VPERMQ", "$0xD8", s.r(i), s.r(i))
	a.op("VMOVDQU", s.r(i), to)
}

// x86PowerLoops writes the loops over CX values at SI by so many vectors at a
// time. use gets the powers in registers 8 on; their sum is in X0 afterwards.
func x86PowerLoops(a *asm, s isa, by []int, constant func(int) string, use func(vectors int)) {
	if s.class == "Z" { // the other 16 registers hold the constants
		for i := range powerTable {
			a.op("VMOVUPS", constant(i), s.r(16+i))
		}
		constant = func(i int) string { return s.r(16 + i) }
	}
	for _, sum := range []int{13, 14} {
		a.op("VXORPS", s.r(sum), s.r(sum), s.r(sum))
	}
	for _, vectors := range by {
		here, next := fmt.Sprintf("by%d", vectors), fmt.Sprintf("end%d", vectors)
		a.label(here)
		a.op("CMPQ", "CX", imm(vectors*s.lanes))
		a.op("JLT", next)
		each := func(step func(x, t, p string, i int)) {
			for i := range vectors {
				step(s.r(i), s.r(4+i), s.r(8+i), i)
			}
		}
		each(func(x, _, _ string, i int) { a.op("VMOVUPS", mem(4*s.lanes*i, "SI"), x) })
		each(func(x, _, _ string, _ int) { a.op("VSUBPS", s.r(12), x, x) })
		each(func(x, t, _ string, _ int) {
			a.op("VMOVUPS", constant(powerMin), t)
			a.op("VMAXPS", x, t, x) // in this order NaN passes
		})
		each(func(x, t, _ string, _ int) {
			a.op("VMOVUPS", constant(powerAdder), t)
			a.op("VFMADD231PS", constant(powerLog2E), x, t)
		})
		each(func(_, t, p string, _ int) { a.op("VSUBPS", constant(powerAdder), t, p) })
		each(func(x, _, p string, _ int) { a.op("VFMSUB132PS", constant(powerLog2E), p, x) })
		each(func(_, _, p string, _ int) { a.op("VMOVUPS", constant(powerC5), p) })
		for c := powerC5 + 1; c < len(powerTable); c++ {
			each(func(x, _, p string, _ int) { a.op("VFMADD213PS", constant(c), x, p) })
		}
		each(func(_, t, _ string, _ int) { a.op("VPSLLD", "$23", t, t) })
		each(func(_, t, p string, _ int) { a.op("VPADDD", t, p, p) })
		each(func(_, _, p string, i int) { a.op("VADDPS", p, s.r(13+i%2), s.r(13+i%2)) })
		use(vectors)
		a.op("ADDQ", imm(vectors*s.lanes*4), "SI")
		a.op("SUBQ", imm(vectors*s.lanes), "CX")
		a.op("JMP", here)
		a.label(next)
	}
	a.op("VADDPS", s.r(14), s.r(13), s.r(0))
	reduce(a, s, "VADDPS")
}
