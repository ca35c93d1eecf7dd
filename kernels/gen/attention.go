package main

import (
	"fmt"
	"strings"
)

// element is a storage of keys and values.
type element struct {
	name  string // of functions, as kernels.KVFormat
	bytes int
}

var elements = []element{{"F32", 4}, {"F16", 2}, {"Int8", 1}}

// attentionRows are the numbers of queries that tiles take, by tier.
var attentionRows = map[string][]int{
	"AVX2": {6, 5, 4, 3, 2, 1}, "AVX512": {12, 8, 4, 2, 1}, "NEON": {4, 2, 1},
}

func attentionName(e element, tier string, rows int) string {
	return fmt.Sprintf("attend%s%sR%d", e.name, tier, rows)
}

// attentionFiles returns the tiles of attention and the switches that pick one.
func attentionFiles() map[string][]byte {
	out := map[string][]byte{
		"attention_amd64.go": attentionDispatch("amd64", "AVX512", "AVX2"),
		"attention_arm64.go": attentionDispatch("arm64", "NEON"),
		"f16_avx2_amd64.s":   x86Halves(),
		"f16_neon_arm64.s":   neonHalves(),
	}
	a := neon{newAsm()}
	for _, e := range elements {
		for _, rows := range attentionRows["NEON"] {
			a.attention(e, rows)
		}
	}
	out["attention_neon_arm64.s"] = a.Bytes()
	for _, s := range []isa{avx2, avx512} {
		out[fmt.Sprintf("attention_exp_%s_amd64.s", strings.ToLower(s.suffix))] = x86Power(s)
		for _, e := range elements {
			a := newAsm()
			for _, rows := range attentionRows[s.suffix] {
				x86Attention(a, s, e, rows)
			}
			out[fmt.Sprintf("attention_%s_%s_amd64.s", strings.ToLower(e.name), strings.ToLower(s.suffix))] = a.Bytes()
		}
	}
	return out
}

// attentionDispatch writes the declarations of the tiles of an architecture and
// the switch that calls them.
func attentionDispatch(arch string, tiers ...string) []byte {
	a := new(asm)
	a.WriteString(notice + "package kernels\n")
	for _, tier := range tiers {
		for _, e := range elements {
			for _, rows := range attentionRows[tier] {
				fmt.Fprintf(a, "\n//go:noescape\nfunc %s(t *kvTile)\n", attentionName(e, tier, rows))
			}
		}
	}
	fmt.Fprintf(a, "\n// runKVTile computes t with the kernel for that many rows; false if %s has none.\n", arch)
	a.WriteString("func runKVTile(tier Tier, format KVFormat, rows int, t *kvTile) bool {\n\tswitch {\n")
	for _, tier := range tiers {
		for _, e := range elements {
			fmt.Fprintf(a, "\tcase tier == %s && format == KV%s:\n\t\tswitch rows {\n", tier, e.name)
			for _, rows := range attentionRows[tier] {
				fmt.Fprintf(a, "\t\tcase %d:\n\t\t\t%s(t)\n", rows, attentionName(e, tier, rows))
			}
			a.WriteString("\t\tdefault:\n\t\t\treturn false\n\t\t}\n")
		}
	}
	a.WriteString("\tdefault:\n\t\treturn false\n\t}\n\treturn true\n}\n")
	fmt.Fprintf(a, "\n// kvTileRows is the number of rows, of those left, of the next tile.\nfunc kvTileRows(tier Tier, left int) int {\n\tswitch tier {\n")
	for _, tier := range tiers {
		fmt.Fprintf(a, "\tcase %s:\n\t\tswitch {\n", tier)
		if tier == "AVX2" {
			a.WriteString("\t\tcase left == 7 || left == 8: // better than six and a rest\n\t\t\treturn 4\n")
		}
		for _, rows := range attentionRows[tier] {
			if rows > 1 {
				fmt.Fprintf(a, "\t\tcase left >= %d:\n\t\t\treturn %d\n", rows, rows)
			}
		}
		a.WriteString("\t\t}\n")
	}
	a.WriteString("\t}\n\treturn 1\n}\n")
	return a.Bytes()
}

// x86Attention writes a tile of rows queries and 16 keys or channels. Rows of A
// are read where they lie: their distances are in R8 to R10 (one, three and
// five times), from two bases where there are more than seven.
func x86Attention(a *asm, s isa, e element, rows int) {
	vectors := 16 / s.lanes
	acc := func(r, v int) string { return s.r(r*vectors + v) }
	a.fn(attentionName(e, s.suffix, rows), "(t *kvTile)", 8,
		"AX steps left in the group, R11 steps of a group, CX groups left, R13 bytes between groups",
		"SI and BX rows 0 and 6 of A, R8 to R10 one, three and five times the distance of rows",
		"DI B, R14 what is read next, DX C, R12 distance of its rows",
		fmt.Sprintf("%s0 to %s sums, then the words of B and broadcasts of A", s.class, acc(rows-1, vectors-1)))
	a.op("MOVQ", "t+0(FP)", "BX")
	for _, f := range []struct{ field, r string }{
		{"steps", "R11"},
		{"groups", "CX"},
		{"a", "SI"},
		{"lda", "R8"},
		{"b", "DI"},
		{"jump", "R13"},
		{"next", "R14"},
		{"c", "DX"},
		{"ldc", "R12"},
		{"accumulate", "AX"},
	} {
		a.op("MOVQ", fmt.Sprintf("kvTile_%s(BX)", f.field), f.r)
	}
	a.op("SHLQ", "$2", "R8")
	a.op("SHLQ", "$2", "R12")
	a.op("LEAQ", "(R8)(R8*2)", "R9")
	a.op("LEAQ", "(R8)(R8*4)", "R10")
	a.op("LEAQ", "(SI)(R9*2)", "BX")
	walk := func(move func(r, v int, at string)) {
		a.op("MOVQ", "DX", "AX")
		for r := range rows {
			if r > 0 {
				a.op("ADDQ", "R12", "AX")
			}
			for v := range vectors {
				move(r, v, mem(v*s.lanes*4, "AX"))
			}
		}
	}
	a.op("TESTQ", "AX", "AX")
	a.op("JEQ", "zero")
	walk(func(r, v int, at string) { a.op("VMOVUPS", at, acc(r, v)) })
	a.op("JMP", "group")
	a.label("zero")
	for i := range rows * vectors {
		a.op("VXORPS", s.r(i), s.r(i), s.r(i))
	}
	a.label("group")
	a.op("MOVQ", "R11", "AX")
	a.label("step")
	const unroll = 2 // head dim and group are even
	a.op("PREFETCHT1", "(R14)")
	if e.bytes*16*unroll > 64 {
		a.op("PREFETCHT1", "64(R14)")
	}
	a.op("ADDQ", imm(unroll*16*e.bytes), "R14")
	for k := range unroll {
		x86AttentionStep(a, s, e, k, rows)
	}
	a.op("ADDQ", imm(4*unroll), "SI")
	if rows > 6 {
		a.op("ADDQ", imm(4*unroll), "BX")
	}
	a.op("ADDQ", imm(unroll*16*e.bytes), "DI")
	a.op("SUBQ", imm(unroll), "AX")
	a.op("JNZ", "step")
	a.op("ADDQ", "R13", "DI")
	a.op("DECQ", "CX")
	a.op("JNZ", "group")
	walk(func(r, v int, at string) { a.op("VMOVUPS", acc(r, v), at) })
	ret(a)
}

// x86AttentionStep writes step k of the unrolled loop.
func x86AttentionStep(a *asm, s isa, e element, k, rows int) {
	vectors := 16 / s.lanes
	acc := func(r, v int) string { return s.r(r*vectors + v) }
	weight := func(v int) string { return s.r(rows*vectors + v) }
	x := func(r int) string { return s.r((rows+1)*vectors + r%2) }
	for v := range vectors {
		at := mem((k*16+v*s.lanes)*e.bytes, "DI")
		switch e.name {
		case "F32":
			a.op("VMOVUPS", at, weight(v))
		case "F16":
			a.op("VCVTPH2PS", at, weight(v))
		case "Int8":
			a.op("VPMOVSXBD", at, weight(v))
			a.op("VCVTDQ2PS", weight(v), weight(v))
		}
	}
	for r := range rows {
		base := "SI"
		if r >= 6 {
			base = "BX"
		}
		index := []string{"", "(R8*1)", "(R8*2)", "(R9*1)", "(R8*4)", "(R10*1)"}[r%6]
		if vectors == 1 {
			a.op("VFMADD231PS.BCST", mem(4*k, base)+index, weight(0), acc(r, 0))
			continue
		}
		a.op("VBROADCASTSS", mem(4*k, base)+index, x(r))
		for v := range vectors {
			a.op("VFMADD231PS", x(r), weight(v), acc(r, v))
		}
	}
}

// attention writes a tile of rows queries and 16 keys or channels for NEON. Four
// values of each row of A are loaded at a time and multiplied lane by lane.
func (a neon) attention(e element, rows int) {
	const weights, x, narrow = 16, 24, 28
	acc := func(r, i int) int { return 4*r + i }
	bases := []string{"R12", "R13", "R14", "R15"}[:rows]
	a.fn(attentionName(e, "NEON", rows), "(t *kvTile)", 8,
		"R1 steps left in the group, R2 steps of a group, R3 groups left, R4 bytes between groups",
		"R12 to R15 rows of A, R5 B, R6 C, R7 distance of its rows, R8 distance of A's rows",
		fmt.Sprintf("V0 to V%d sums, V16 to V19 words of B, V24 to V27 rows of A, V28 to V30 narrow words", acc(rows-1, 3)))
	a.op("MOVD", "t+0(FP)", "R0")
	for _, f := range []struct{ field, r string }{
		{"steps", "R2"},
		{"groups", "R3"},
		{"jump", "R4"},
		{"a", "R12"},
		{"lda", "R8"},
		{"b", "R5"},
		{"c", "R6"},
		{"ldc", "R7"},
		{"accumulate", "R9"},
	} {
		a.op("MOVD", "kvTile_"+f.field+"(R0)", f.r)
	}
	a.op("LSL", "$2", "R8")
	a.op("LSL", "$2", "R7")
	for r := 1; r < rows; r++ {
		a.op("ADD", "R8", bases[r-1], bases[r])
	}
	walk := func(load bool) {
		a.op("MOVD", "R6", "R10")
		for r := range rows {
			regs := list(acc(r, 0), 4, "S4")
			if load {
				a.op("VLD1", "(R10)", regs)
			} else {
				a.op("VST1", regs, "(R10)")
			}
			a.op("ADD", "R7", "R10")
		}
	}
	a.op("CBZ", "R9", "zero")
	walk(true)
	a.op("B", "group")
	a.label("zero")
	for i := range 4 * rows {
		a.zero(i)
	}
	a.label("group")
	a.op("MOVD", "R2", "R1")
	step := func(lane int) {
		a.widen(e, weights, narrow)
		for r := range rows {
			for i := range 4 {
				a.lane("FMLA.4S", acc(r, i), weights+i, x+r, lane)
			}
		}
	}
	a.label("four")
	a.op("CMP", "$4", "R1")
	a.op("BLT", "rest")
	for r, b := range bases {
		a.from(b, x+r, 1)
	}
	for lane := range 4 {
		step(lane)
	}
	a.op("SUB", "$4", "R1")
	a.op("B", "four")
	a.label("rest")
	a.op("CBZ", "R1", "next")
	for r, b := range bases {
		a.op("FMOVS.P", "4("+b+")", reg("F", x+r))
	}
	step(0)
	a.op("SUB", "$1", "R1")
	a.op("B", "rest")
	a.label("next")
	a.op("ADD", "R4", "R5")
	a.op("SUBS", "$1", "R3")
	a.op("BNE", "group")
	walk(false)
	a.op("RET")
}

// widen loads 16 elements from R5 on to four registers of f32.
func (a neon) widen(e element, to, narrow int) {
	const sxtl8, sxtl4, second = 0x0f08a400, 0x0f10a400, 1 << 30
	extend := func(base uint32, d, n int) {
		a.word(base|uint32(n<<5|d), fmt.Sprintf("SXTL V%d, V%d", d, n))
	}
	switch e.name {
	case "F32":
		a.from("R5", to, 4)
	case "F16":
		a.op("VLD1.P", "32(R5)", list(narrow, 2, "H8"))
		for i := range 2 {
			a.two("FCVTL", to+2*i, narrow+i)
			a.two("FCVTL2", to+2*i+1, narrow+i)
		}
	case "Int8":
		a.op("VLD1.P", "16(R5)", list(narrow, 1, "B16"))
		extend(sxtl8, narrow+1, narrow)
		extend(sxtl8|second, narrow+2, narrow)
		for i := range 2 {
			extend(sxtl4, to+2*i, narrow+1+i)
			extend(sxtl4|second, to+2*i+1, narrow+1+i)
		}
		for i := range 4 {
			a.two("SCVTF.4S", to+i, to+i)
		}
	}
}

// x86Halves writes the rounding of f32 to f16.
func x86Halves() []byte {
	a := newAsm()
	a.fn("halvesAVX2", "(dst *uint16, src *float32, n int)", 24, "DI dst, SI src, CX values left, a multiple of 8", "Y0 values")
	load(a, "dst", "DI", "src", "SI", "n", "CX")
	a.label("loop")
	a.op("VMOVUPS", "(SI)", "Y0")
	a.op("VCVTPS2PH", "$0", "Y0", "(DI)")
	a.op("ADDQ", "$32", "SI")
	a.op("ADDQ", "$16", "DI")
	a.op("SUBQ", "$8", "CX")
	a.op("JNZ", "loop")
	ret(a)
	return a.Bytes()
}

// neonHalves writes the rounding of f32 to f16.
func neonHalves() []byte {
	a := neon{newAsm()}
	a.fn("halvesNEON", "(dst *uint16, src *float32, n int)", 24, "R1 dst, R2 src, R3 values left, a multiple of 8", "V0 and V1 values, V2 result")
	a.args("dst", "R1", "src", "R2", "n", "R3")
	a.label("loop")
	a.from("R2", 0, 2)
	a.two("FCVTN", 2, 0)
	a.two("FCVTN2", 2, 1)
	a.op("VST1.P", "[V2.H8]", "16(R1)")
	a.op("SUBS", "$8", "R3")
	a.op("BNE", "loop")
	a.op("RET")
	return a.Bytes()
}
