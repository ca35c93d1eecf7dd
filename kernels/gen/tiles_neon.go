package main

import (
	"fmt"
	"math/bits"
)

// neonTiles writes the dense tiles of NEON, four registers a panel.
func neonTiles(set tileSet) []byte {
	a := newAsm()
	for _, sh := range set.shapes {
		neonTile(neon{a}, set, sh)
	}
	return a.Bytes()
}

func neonTile(a neon, set tileSet, sh shape) {
	const weights, x, narrow, zero = 16, 24, 28, 31
	vectors := 4 * sh.panels
	acc := func(r, i int) int { return r*vectors + i }
	bases := []string{"R5", "R6"}[:sh.panels]
	a.fn(set.name(sh), "(t *denseTile)", 8,
		"R1 steps of k left, R2 A, R3 its stride in bytes, R5 and R6 panels, R7 C, R8 its stride in bytes",
		fmt.Sprintf("V0 to V%d sums, V16 to V%d weights, V24 values of A", acc(sh.rows-1, vectors-1), weights+vectors-1),
		"V28 and V29 narrow weights, V31 zero")
	a.op("MOVD", "t+0(FP)", "R0")
	for _, f := range []struct{ field, r string }{
		{"k", "R1"}, {"a", "R2"}, {"stride", "R3"}, {"b", "R5"}, {"c", "R7"}, {"ldc", "R8"}, {"accumulate", "R9"},
	} {
		a.op("MOVD", "denseTile_"+f.field+"(R0)", f.r)
	}
	a.op("LSL", "$2", "R3")
	a.op("LSL", "$2", "R8")
	element := 4
	if set.bf16 {
		element = 2
		a.zero(zero)
	}
	if sh.panels == 2 {
		a.op("LSL", imm(bits.TrailingZeros(uint(16*element))), "R1", "R6")
		a.op("ADD", "R5", "R6")
	}
	a.op("CBZ", "R9", "zero")
	neonRows(a, sh, "VLD1.P", acc)
	a.op("B", "loop")
	a.label("zero")
	for i := range sh.rows * vectors {
		a.zero(i)
	}
	a.label("loop")
	switch sh.rows {
	case 4:
		a.op("VLD1", "(R2)", list(x, 1, "S4"))
	case 2:
		a.op("FMOVD", "(R2)", reg("F", x))
	default:
		a.op("FMOVS", "(R2)", reg("F", x))
	}
	a.op("ADD", "R3", "R2")
	for p, b := range bases {
		first := weights + 4*p
		if !set.bf16 {
			a.op("VLD1.P", "64("+b+")", list(first, 4, "S4"))
			continue
		}
		a.op("VLD1.P", "32("+b+")", list(narrow, 2, "H8"))
		for i := range 2 {
			a.op("VZIP1", v(narrow+i, "H8"), v(zero, "H8"), v(first+2*i, "H8"))
			a.op("VZIP2", v(narrow+i, "H8"), v(zero, "H8"), v(first+2*i+1, "H8"))
		}
	}
	for r := range sh.rows {
		for i := range vectors {
			a.lane("FMLA.4S", acc(r, i), weights+i, x, r)
		}
	}
	a.op("SUBS", "$1", "R1")
	a.op("BNE", "loop")
	neonRows(a, sh, "VST1.P", acc)
	a.op("RET")
}

// neonRows moves the sums from or to the rows of C.
func neonRows(a neon, sh shape, move string, acc func(r, i int) int) {
	a.op("MOVD", "R7", "R10")
	for r := range sh.rows {
		a.op("MOVD", "R10", "R11")
		for p := range sh.panels {
			regs := list(acc(r, 4*p), 4, "S4")
			if move == "VLD1.P" {
				a.op(move, "64(R11)", regs)
			} else {
				a.op(move, regs, "64(R11)")
			}
		}
		a.op("ADD", "R8", "R10")
	}
}
