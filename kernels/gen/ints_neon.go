package main

import "fmt"

// intTilesNEON writes an integer product of ARMv8.0, which has no dot
// product. Four weights and activations of an output lie side by side; their
// products are added in 16 bits as long as they fit (two of bytes, a block's
// eight of nibbles, which hold weight+8), then pairwise in 32 bits.
func intTilesNEON(nibbles bool, tokens int) []byte {
	a := newAsm()
	intTileNEON(neon{a}, nibbles, tokens)
	return a.Bytes()
}

func intTileNEON(a neon, nibbles bool, tokens int) {
	sum := func(t, i int) int { return 8*t + i } // 8 registers of 2 outputs each
	result := func(t, g int) int { return 16 + 4*t + g }
	a.fn(intName(nibbles, "NEON", tokens), "(c *intTile)", 8,
		"R1 weights, R2 their scales, R3 activations, R4 their scales, R5 corrections",
		"R6 and R7 steps of a block in R4 and R3, R8 blocks after this group, R9 blocks left in it, R10 blocks of a group",
		"R11 y, R12 its stride in bytes, R13 to R16 words of activations, R17 second word of weights, R19 spare",
		"V0 to V15 sums of a block, V16 to V23 results, V24 to V27 activations, V28 and V29 weights, V30 products, V31 mask or products",
		"at the end of a block V24 scale of activations, V25 correction, V26 to V29 scales of weights")
	a.op("MOVD", "c+0(FP)", "R0")
	for _, f := range []struct{ field, r string }{
		{"w", "R1"},
		{"scales", "R2"},
		{"q", "R3"},
		{"xs", "R4"},
		{"corr", "R5"},
		{"width", "R6"},
		{"blocks", "R8"},
		{"groupBlocks", "R10"},
		{"y", "R11"},
		{"ldy", "R12"},
	} {
		a.op("MOVD", "intTile_"+f.field+"(R0)", f.r)
	}
	a.op("LSL", "$5", "R6", "R7")
	a.op("LSL", "$2", "R6")
	a.op("LSL", "$2", "R12")
	for t := range tokens {
		for g := range 4 {
			a.zero(result(t, g))
		}
	}
	if nibbles {
		a.op("VMOVI", "$15", v(31, "B16"))
	}
	a.label("group")
	a.op("CMP", "R8", "R10")
	a.op("CSEL", "LT", "R10", "R8", "R9")
	a.op("SUB", "R9", "R8")
	a.label("block")
	if nibbles {
		neonNibbles(a, tokens, sum)
	} else {
		neonBytes(a, tokens, sum)
	}
	neonScale(a, nibbles, tokens, sum, result)
	a.op("ADD", "R7", "R3")
	a.op("ADD", "R6", "R4")
	a.op("ADD", "R6", "R5")
	a.op("SUBS", "$1", "R9")
	a.op("BNE", "block")
	a.op("ADD", "$32", "R2")
	a.op("CBNZ", "R8", "group")
	for t := range tokens {
		a.op("VST1", list(result(t, 0), 4, "S4"), "(R11)")
		if t+1 < tokens {
			a.op("ADD", "R12", "R11")
		}
	}
	a.op("RET")
}

// neonBytes sums a block of bytes, two words of weights at a time.
func neonBytes(a neon, tokens int, sum func(t, i int) int) {
	for i := range 8 * tokens {
		a.zero(i)
	}
	for t := range tokens {
		a.op("ADD", imm(32*t), "R3", reg("R", 13+t))
	}
	a.op("MOVD", "$4", "R19")
	a.label("words")
	a.op("ADD", "$64", "R1", "R17")
	for t := range tokens {
		a.op("VLD1R.P", fmt.Sprintf("4(R%d)", 13+t), list(24+2*t, 1, "S4"))
		a.op("VLD1R.P", fmt.Sprintf("4(R%d)", 13+t), list(25+2*t, 1, "S4"))
	}
	for g := range 4 {
		a.op("VLD1.P", "16(R1)", list(28, 1, "B16"))
		a.op("VLD1.P", "16(R17)", list(29, 1, "B16"))
		for t := range tokens {
			a.three("SMULL", 30, 28, 24+2*t)
			a.three("SMULL2", 31, 28, 24+2*t)
			a.three("SMLAL", 30, 29, 25+2*t)
			a.three("SMLAL2", 31, 29, 25+2*t)
			a.two("SADALP.4S", sum(t, 2*g), 30)
			a.two("SADALP.4S", sum(t, 2*g+1), 31)
		}
	}
	a.op("MOVD", "R17", "R1")
	a.op("SUBS", "$1", "R19")
	a.op("BNE", "words")
}

// neonNibbles sums a block of nibbles in 16 bits.
func neonNibbles(a neon, tokens int, sum func(t, i int) int) {
	for t := range tokens {
		a.op("ADD", imm(32*t), "R3", reg("R", 13+2*t))
		a.op("ADD", imm(32*t+16), "R3", reg("R", 14+2*t))
	}
	for word := range 4 {
		for i := range 2 * tokens {
			a.op("VLD1R.P", fmt.Sprintf("4(R%d)", 13+i), list(24+i, 1, "S4"))
		}
		for g := range 4 {
			a.op("VLD1.P", "16(R1)", list(28, 1, "B16"))
			a.op("VAND", v(31, "B16"), v(28, "B16"), v(29, "B16"))
			a.op("VUSHR", "$4", v(28, "B16"), v(28, "B16"))
			first := "SMLAL"
			if word == 0 {
				first = "SMULL"
			}
			for t := range tokens {
				lo, hi := sum(t, 2*g), sum(t, 2*g+1)
				a.three(first, lo, 29, 24+2*t)
				a.three(first+"2", hi, 29, 24+2*t)
				a.three("SMLAL", lo, 28, 25+2*t)
				a.three("SMLAL2", hi, 28, 25+2*t)
			}
		}
	}
}

// neonScale adds the scaled sums of a block to the results.
func neonScale(a neon, nibbles bool, tokens int, sum, result func(t, i int) int) {
	a.op("VLD1", "(R2)", list(24, 2, "H8"))
	a.two("FCVTL", 26, 24)
	a.two("FCVTL2", 27, 24)
	a.two("FCVTL", 28, 25)
	a.two("FCVTL2", 29, 25)
	for t := range tokens {
		a.op("ADD", imm(4*t), "R4", "R19")
		a.op("VLD1R", "(R19)", list(24, 1, "S4"))
		if nibbles {
			a.op("ADD", imm(4*t), "R5", "R19")
			a.op("VLD1R", "(R19)", list(25, 1, "S4"))
		}
		for g := range 4 {
			lo, hi := sum(t, 2*g), sum(t, 2*g+1)
			if nibbles {
				a.two("SADDLP.4S", lo, lo)
				a.two("SADDLP.4S", hi, hi)
			}
			a.op("VADDP", v(hi, "S4"), v(lo, "S4"), v(lo, "S4"))
			if nibbles {
				a.op("VADD", v(25, "S4"), v(lo, "S4"), v(lo, "S4"))
			}
			a.two("SCVTF.4S", lo, lo)
			a.three("FMUL.4S", 30, 26+g, 24)
			a.op("VFMLA", v(30, "S4"), v(lo, "S4"), v(result(t, g), "S4"))
		}
	}
}
