package main

import "fmt"

// neonRates writes the loops of arm64: V0 to V15 sums, V16 to V23 products, V24
// and V25 operands.
func neonRates() []byte {
	n := neon{newAsm()}
	const x, w = 24, 25
	for _, r := range []rate{
		{
			name: "probeInt8NEON", mix: "SMULL SMLAL2 SADALP", sums: 8,
			step: func(_ *asm, sum int) {
				t := 16 + sum
				n.three("SMULL", t, w, x)
				n.three("SMLAL2", t, w, x)
				n.two("SADALP.4S", sum, t)
			},
		},
		{
			name: "probeInt4NEON", mix: "SMULL SMLAL2 SMLAL SMLAL2 SADALP", sums: 8,
			step: func(_ *asm, sum int) {
				t := 16 + sum
				n.three("SMULL", t, w, x)
				n.three("SMLAL2", t, w, x)
				n.three("SMLAL", t, w, x)
				n.three("SMLAL2", t, w, x)
				n.two("SADALP.4S", sum, t)
			},
		},
		{
			name: "probeF32NEON", mix: "FMLA", sums: 16,
			step: func(_ *asm, sum int) { n.op("VFMLA", v(w, "S4"), v(x, "S4"), v(sum, "S4")) },
		},
		{
			name: "probeInt8Dot", mix: "SDOT", sums: 16,
			step: func(_ *asm, sum int) {
				n.word(0x4e809400|x<<16|w<<5|uint32(sum), fmt.Sprintf("SDOT.4S V%d, V%d, V%d", sum, w, x))
			},
		},
		{
			name: "probeInt8I8MM", mix: "SMMLA", sums: 16,
			step: func(_ *asm, sum int) {
				n.word(0x4e80a400|x<<16|w<<5|uint32(sum), fmt.Sprintf("SMMLA.4S V%d, V%d, V%d", sum, w, x))
			},
		},
	} {
		n.fn(r.name, "(rounds int)", 8, "R0 rounds left",
			fmt.Sprintf("V0 to V%d sums, each continued by %s", r.sums-1, r.mix), "V16 to V23 products, V24 and V25 operands")
		n.args("rounds", "R0")
		n.op("VMOVI", "$1", v(x, "B16"))
		n.op("VMOVI", "$1", v(w, "B16"))
		for i := range r.sums {
			n.zero(i)
		}
		n.op("PCALIGN", "$32")
		n.label("round")
		for i := range r.sums {
			r.step(n.asm, i)
		}
		n.op("SUBS", "$1", "R0")
		n.op("BNE", "round")
		n.op("RET")
	}
	return n.Bytes()
}

// neonRead writes the read of memory: of two places 128 bytes a round each, the
// lines ahead bytes further asked for on the way.
func neonRead() []byte {
	n := neon{newAsm()}
	n.fn("probeReadNEON", "(p, q *byte, rounds, step, ahead int)", 40,
		"R0 and R1 places, R2 rounds left, R3 bytes to the next round, R4 bytes ahead", "R5 and R6 places ahead, V0 to V15 what was read")
	n.args("p", "R0", "q", "R1", "rounds", "R2", "step", "R3", "ahead", "R4")
	n.op("PCALIGN", "$32")
	n.label("round")
	for i, p := range []string{"R0", "R1"} {
		at := reg("R", 5+i)
		n.op("ADD", "R4", p, at)
		n.op("PRFM", mem(0, at), "PLDL1KEEP")
		n.op("PRFM", mem(64, at), "PLDL1KEEP")
		n.op("ADD", "$64", p, at)
		n.op("VLD1", mem(0, p), list(8*i, 4, "B16"))
		n.op("VLD1", mem(0, at), list(8*i+4, 4, "B16"))
		n.op("ADD", "R3", p)
	}
	n.op("SUBS", "$1", "R2")
	n.op("BNE", "round")
	n.op("RET")
	return n.Bytes()
}
