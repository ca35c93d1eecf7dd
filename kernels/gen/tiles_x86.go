package main

import (
	"fmt"
	"math/bits"
)

// x86Tiles writes the dense tiles of AVX2 (two registers a panel) or AVX-512
// (one). Each accumulator is one chain of fused multiply-adds over k.
func x86Tiles(set tileSet) []byte {
	a := newAsm()
	for _, sh := range set.shapes {
		x86Tile(a, set, sh)
	}
	return a.Bytes()
}

func x86Tile(a *asm, set tileSet, sh shape) {
	class, lanes := "Z", 16
	if set.tier == "AVX2" {
		class, lanes = "Y", 8
	}
	vectors := sh.panels * 16 / lanes // of one row
	accs := sh.rows * vectors
	element := 4
	if set.bf16 {
		element = 2
	}
	panel := 16 * element // bytes of one k of one panel
	acc := func(r, v int) string { return reg(class, r*vectors+v) }
	// Weights stay in registers if several rows use them, or to be widened.
	held := sh.rows > 1 || set.bf16
	weights := vectors
	if sh.rows == 1 {
		weights = 1
	}
	weight := func(v int) string { return reg(class, accs+v%weights) }
	spare := accs + weights
	x := func(r int) string { return reg(class, spare+r%2) }

	a.fn(set.name(sh), "(t *denseTile)", 8,
		"AX steps of k left, SI A, R8 its stride in bytes",
		"DI, R9 to R11 panels, DX C, R12 its stride in bytes",
		fmt.Sprintf("%s0 to %s sums, then weights and broadcasts of A", class, acc(sh.rows-1, vectors-1)))
	a.op("MOVQ", "t+0(FP)", "BX")
	a.op("MOVQ", "denseTile_k(BX)", "AX")
	a.op("MOVQ", "denseTile_a(BX)", "SI")
	a.op("MOVQ", "denseTile_stride(BX)", "R8")
	a.op("SHLQ", "$2", "R8")
	a.op("MOVQ", "denseTile_b(BX)", "DI")
	a.op("MOVQ", "denseTile_c(BX)", "DX")
	a.op("MOVQ", "denseTile_ldc(BX)", "R12")
	a.op("SHLQ", "$2", "R12")
	bases := []string{"DI", "R9", "R10", "R11"}[:sh.panels]
	if sh.panels > 1 {
		a.op("MOVQ", "AX", "R13")
		a.op("SHLQ", imm(bits.TrailingZeros(uint(panel))), "R13")
		for p := 1; p < sh.panels; p++ {
			a.op("LEAQ", fmt.Sprintf("(%s)(R13*1)", bases[p-1]), bases[p])
		}
	}
	a.op("CMPQ", "denseTile_accumulate(BX)", "$0")
	a.op("JEQ", "zero")
	x86Rows(a, sh.rows, func(r int) {
		for v := range vectors {
			a.op("VMOVUPS", mem(v*lanes*4, "R13"), acc(r, v))
		}
	})
	a.op("JMP", "loop")
	a.label("zero")
	for i := range accs {
		a.op("VXORPS", reg(class, i), reg(class, i), reg(class, i))
	}
	a.label("loop")
	perPanel := 16 / lanes
	at := func(v int) string { return mem(v%perPanel*lanes*element, bases[v/perPanel]) }
	widen := func(v int) {
		a.op("VPMOVZXWD", at(v), weight(v))
		a.op("VPSLLD", "$16", weight(v), weight(v))
	}
	if sh.rows == 1 {
		for _, b := range bases {
			a.op("PREFETCHT0", mem(1024, b))
		}
		a.op("VBROADCASTSS", "(SI)", x(0))
		for v := range vectors {
			if held {
				widen(v)
				a.op("VFMADD231PS", x(0), weight(v), acc(0, v))
			} else {
				a.op("VFMADD231PS", at(v), x(0), acc(0, v))
			}
		}
	} else {
		for v := range vectors {
			if set.bf16 {
				widen(v)
			} else {
				a.op("VMOVUPS", at(v), weight(v))
			}
		}
		for r := range sh.rows {
			// To broadcast into a 512-bit register costs Zen 4 as much as to
			// multiply, which one panel alone does not make up for.
			if vectors == 1 && class == "Z" {
				a.op("VFMADD231PS.BCST", mem(4*r, "SI"), weight(0), acc(r, 0))
				continue
			}
			a.op("VBROADCASTSS", mem(4*r, "SI"), x(r))
			for v := range vectors {
				a.op("VFMADD231PS", x(r), weight(v), acc(r, v))
			}
		}
	}
	a.op("ADDQ", "R8", "SI")
	for _, b := range bases {
		a.op("ADDQ", imm(panel), b)
	}
	a.op("DECQ", "AX")
	a.op("JNZ", "loop")
	x86Rows(a, sh.rows, func(r int) {
		for v := range vectors {
			a.op("VMOVUPS", acc(r, v), mem(v*lanes*4, "R13"))
		}
	})
	a.op("VZEROUPPER")
	a.op("RET")
}

// x86Rows lets R13 walk over the rows of C.
func x86Rows(a *asm, rows int, row func(r int)) {
	a.op("MOVQ", "DX", "R13")
	for r := range rows {
		if r > 0 {
			a.op("ADDQ", "R12", "R13")
		}
		row(r)
	}
}
