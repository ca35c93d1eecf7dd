package main

import (
	"fmt"
	"strings"
)

// wordRows are the numbers of queries that tiles of 16-bit integers take: sums
// of a group and of all groups lie in registers.
var wordRows = map[string][]int{"AVX2": {3, 2, 1}, "AVX512": {12, 8, 4, 2, 1}}

func wordName(tier string, rows int) string { return fmt.Sprintf("attendWords%sR%d", tier, rows) }

// wordFiles returns the tiles of 16-bit integers, what makes integers of floats
// and the switches between tiers.
func wordFiles() map[string][]byte {
	out := map[string][]byte{"attention_word_amd64.go": wordDispatch("AVX512", "AVX2")}
	for _, s := range []isa{avx2, avx512} {
		a := newAsm()
		for _, rows := range wordRows[s.suffix] {
			x86Words(a, s, rows)
		}
		x86Magnitude(a, s)
		x86RoundRows(a, s)
		out[fmt.Sprintf("attention_word_%s_amd64.s", strings.ToLower(s.suffix))] = a.Bytes()
	}
	return out
}

// wordDispatch writes the declarations of the functions of wordFiles and what
// picks one.
func wordDispatch(tiers ...string) []byte {
	a := new(asm)
	a.WriteString(notice + "package kernels\n")
	for _, tier := range tiers {
		for _, rows := range wordRows[tier] {
			fmt.Fprintf(a, "\n//go:noescape\nfunc %s(t *wordTile)\n", wordName(tier, rows))
		}
		fmt.Fprintf(a, "\n//go:noescape\nfunc magnitude%s(x *float32, n int) float32\n", tier)
		fmt.Fprintf(a, "\n//go:noescape\nfunc roundRows%s(dst *int16, x, scale *float32, rows, n int, limit float32)\n", tier)
		fmt.Fprintf(a, "\n//go:noescape\nfunc weighWords%s(dst *int16, x, gain *float32, m, factor float32, n int) float32\n", tier)
	}
	a.WriteString("\n// runWordTile computes t with the kernel for that many rows; false if there is none.\n")
	a.WriteString("func runWordTile(tier Tier, rows int, t *wordTile) bool {\n\tswitch {\n")
	for _, tier := range tiers {
		for _, rows := range wordRows[tier] {
			fmt.Fprintf(a, "\tcase tier == %s && rows == %d:\n\t\t%s(t)\n", tier, rows, wordName(tier, rows))
		}
	}
	a.WriteString("\tdefault:\n\t\treturn false\n\t}\n\treturn true\n}\n")
	a.WriteString("\n// wordRows is the number of rows, of those left, of the next tile.\nfunc wordRows(tier Tier, left int) int {\n\tswitch {\n")
	for _, tier := range tiers {
		for _, rows := range wordRows[tier] {
			if rows > 1 {
				fmt.Fprintf(a, "\tcase tier == %s && left >= %d:\n\t\treturn %d\n", tier, rows, rows)
			}
		}
	}
	a.WriteString("\tcase tier == Generic:\n\t\treturn min(left, 4)\n\t}\n\treturn 1\n}\n")
	a.WriteString(`
// magnitudeVector takes a positive multiple of 16 values, as do the others.
func magnitudeVector(tier Tier, x *float32, n int) float32 {
	if tier == AVX512 {
		return magnitudeAVX512(x, n)
	}
	return magnitudeAVX2(x, n)
}

func roundRowsVector(tier Tier, dst *int16, x, scale *float32, rows, n int, limit float32) {
	if tier == AVX512 {
		roundRowsAVX512(dst, x, scale, rows, n, limit)
		return
	}
	roundRowsAVX2(dst, x, scale, rows, n, limit)
}

func weighWordsVector(tier Tier, dst *int16, x, gain *float32, m, factor float32, n int) float32 {
	if tier == AVX512 {
		return weighWordsAVX512(dst, x, gain, m, factor, n)
	}
	return weighWordsAVX2(dst, x, gain, m, factor, n)
}
`)
	return a.Bytes()
}

// x86Words writes a tile of rows rows and 16 keys or channels; rows of A are
// addressed as in x86Attention.
func x86Words(a *asm, s isa, rows int) {
	vectors := 16 / s.lanes
	wide := s.class == "Z"
	sum := func(r, v int) string { return s.r(r*vectors + v) }
	total := func(r, v int) string { return s.r((rows+r)*vectors + v) }
	word := func(v int) string { return s.r(2*rows*vectors + v) }
	x, product := s.r((2*rows+1)*vectors), s.r((2*rows+1)*vectors+1)
	a.fn(wordName(s.suffix, rows), "(t *wordTile)", 8,
		"AX pairs left in the group, R11 pairs of a group, CX groups left, R13 bytes between groups",
		"SI and BX rows 0 and 6 of A, R8 to R10 one, three and five times the distance of rows",
		"DI B, R14 what is read next, DX C, R12 distance of its rows",
		fmt.Sprintf("%s0 to %s sums of a group, to %s of all, then words of B", s.class, sum(rows-1, vectors-1), total(rows-1, vectors-1)))
	a.op("MOVQ", "t+0(FP)", "BX")
	for _, f := range []struct{ field, r string }{
		{"pairs", "R11"},
		{"groups", "CX"},
		{"a", "SI"},
		{"lda", "R8"},
		{"b", "DI"},
		{"jump", "R13"},
		{"next", "R14"},
		{"c", "DX"},
		{"ldc", "R12"},
	} {
		a.op("MOVQ", fmt.Sprintf("wordTile_%s(BX)", f.field), f.r)
	}
	a.op("SHLQ", "$1", "R8")
	a.op("SHLQ", "$2", "R12")
	a.op("LEAQ", "(R8)(R8*2)", "R9")
	a.op("LEAQ", "(R8)(R8*4)", "R10")
	a.op("LEAQ", "(SI)(R9*2)", "BX")
	zero := "VPXOR"
	if wide {
		zero = "VPXORD"
	}
	for i := range rows * vectors {
		a.op(zero, total(0, i), total(0, i), total(0, i))
	}
	a.label("group")
	a.op("MOVQ", "R11", "AX")
	for i := range rows * vectors {
		a.op(zero, sum(0, i), sum(0, i), sum(0, i))
	}
	a.label("pair")
	a.op("PREFETCHT1", "(R14)")
	a.op("ADDQ", "$64", "R14")
	for v := range vectors {
		move := "VMOVDQU"
		if wide {
			move = "VMOVDQU32"
		}
		a.op(move, mem(4*s.lanes*v, "DI"), word(v))
	}
	for r := range rows {
		base := "SI"
		if r >= 6 {
			base = "BX"
		}
		at := mem(0, base) + []string{"", "(R8*1)", "(R8*2)", "(R9*1)", "(R8*4)", "(R10*1)"}[r%6]
		if wide {
			a.op("VPDPWSSD.BCST", at, word(0), sum(r, 0))
			continue
		}
		a.op("VPBROADCASTD", at, x)
		for v := range vectors {
			a.op("VPMADDWD", x, word(v), product)
			a.op("VPADDD", product, sum(r, v), sum(r, v))
		}
	}
	a.op("ADDQ", "$4", "SI")
	if rows > 6 {
		a.op("ADDQ", "$4", "BX")
	}
	a.op("ADDQ", "$64", "DI")
	a.op("DECQ", "AX")
	a.op("JNZ", "pair")
	for i := range rows * vectors {
		a.op("VCVTDQ2PS", sum(0, i), sum(0, i))
		a.op("VADDPS", sum(0, i), total(0, i), total(0, i))
	}
	a.op("ADDQ", "R13", "DI")
	a.op("DECQ", "CX")
	a.op("JNZ", "group")
	x86WordsEnd(a, s, rows, total, x)
	ret(a)
}

// x86WordsEnd scales the sums and writes them to C, or adds them to it.
func x86WordsEnd(a *asm, s isa, rows int, total func(r, v int) string, x string) {
	vectors := 16 / s.lanes
	a.op("MOVQ", "t+0(FP)", "AX")
	a.op("MOVQ", "wordTile_scale(AX)", "SI")
	a.op("MOVQ", "wordTile_cols(AX)", "DI")
	a.op("TESTQ", "DI", "DI")
	a.op("JEQ", "add")
	for _, add := range []bool{false, true} {
		if add {
			a.label("add")
		}
		for r := range rows {
			a.op("VBROADCASTSS", mem(4*r, "SI"), x)
			for v := range vectors {
				sum, at := total(r, v), mem(4*s.lanes*v, "DX")
				if add {
					a.op("VFMADD213PS", at, x, sum)
				} else {
					a.op("VMULPS", mem(4*s.lanes*v, "DI"), sum, sum)
					a.op("VMULPS", x, sum, sum)
				}
				a.op("VMOVUPS", sum, at)
			}
			if r+1 < rows {
				a.op("ADDQ", "R12", "DX")
			}
		}
		if !add {
			ret(a)
		}
	}
}

// x86Magnitude writes the greatest magnitude of values.
func x86Magnitude(a *asm, s isa) {
	a.fn("magnitude"+s.suffix, "(x *float32, n int) float32", 20, "SI x, CX values left, a multiple of 16",
		s.class+"0 and 1 greatest, 2 and 3 values, 4 mask of magnitudes")
	load(a, "x", "SI", "n", "CX")
	x86MagnitudeMask(a, s)
	x86Greatest(a, s, "loop")
	a.op("VMOVSS", "X0", "ret+16(FP)")
	ret(a)
}

// x86MagnitudeMask sets register 4 for x86Greatest.
func x86MagnitudeMask(a *asm, s isa) {
	if s.class == "Z" {
		a.op("VPTERNLOGD", "$0xff", s.r(4), s.r(4), s.r(4))
	} else {
		a.op("VPCMPEQD", s.r(4), s.r(4), s.r(4))
	}
	a.op("VPSRLD", "$1", s.r(4), s.r(4))
}

// x86Greatest leaves the greatest magnitude of CX values at SI in X0 and advances SI.
// Magnitudes order like their bits, NaN on top.
func x86Greatest(a *asm, s isa, label string) {
	and, xor := "VPAND", "VPXOR"
	if s.class == "Z" {
		and, xor = "VPANDD", "VPXORD"
	}
	for i := range 2 {
		a.op(xor, s.r(i), s.r(i), s.r(i))
	}
	a.label(label)
	for i := range 16 / s.lanes {
		a.op(and, mem(4*s.lanes*i, "SI"), s.r(4), s.r(2+i))
		a.op("VPMAXUD", s.r(2+i), s.r(i), s.r(i))
	}
	a.op("ADDQ", "$64", "SI")
	a.op("SUBQ", "$16", "CX")
	a.op("JNZ", label)
	a.op("VPMAXUD", s.r(1), s.r(0), s.r(0))
	reduce(a, s, "VPMAXUD")
}

// x86RoundRows writes the rounding of rows to 16 bits, each with a scale of its own.
func x86RoundRows(a *asm, s isa) {
	a.fn("roundRows"+s.suffix, "(dst *int16, x, scale *float32, rows, n int, limit float32)", 44,
		"DI dst, SI x, BX scale, R8 rows left, R9 values of a row, a multiple of 16, CX those left, DX a row's bytes",
		s.class+"0 and 1 greatest, then values, 2 and 3 values, then the inverse scale, 4 mask of magnitudes",
		"X5 limit, X6 least magnitude, X7 mask of a row that is not zero, X8 scale")
	load(a, "dst", "DI", "x", "SI", "scale", "BX", "rows", "R8", "n", "R9")
	a.op("VMOVSS", "limit+40(FP)", "X5")
	a.op("MOVL", fmt.Sprintf("$%#08x", minAbs), "AX")
	a.op("VMOVD", "AX", "X6")
	x86MagnitudeMask(a, s)
	a.op("MOVQ", "R9", "DX")
	a.op("SHLQ", "$2", "DX")
	a.label("row")
	a.op("MOVQ", "R9", "CX")
	x86Greatest(a, s, "greatest")
	a.op("VDIVSS", "X5", "X0", "X8")
	a.op("VDIVSS", "X0", "X5", "X2")
	a.op("VCMPSS", "$5", "X6", "X0", "X7")
	a.op("VANDPS", "X7", "X8", "X8")
	a.op("VANDPS", "X7", "X2", "X2")
	a.op("VMOVSS", "X8", "(BX)")
	a.op("ADDQ", "$4", "BX")
	a.op("VBROADCASTSS", "X2", s.r(2))
	a.op("SUBQ", "DX", "SI")
	a.op("MOVQ", "R9", "CX")
	a.label("round")
	for i := range 16 / s.lanes {
		a.op("VMULPS", mem(4*s.lanes*i, "SI"), s.r(2), s.r(i))
		a.op("VCVTPS2DQ", s.r(i), s.r(i))
	}
	x86StoreWords(a, s, 0, "(DI)")
	a.op("ADDQ", "$64", "SI")
	a.op("ADDQ", "$32", "DI")
	a.op("SUBQ", "$16", "CX")
	a.op("JNZ", "round")
	a.op("DECQ", "R8")
	a.op("JNZ", "row")
	ret(a)
}
