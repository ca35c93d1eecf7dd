package main

import "fmt"

// rate is a loop on registers alone that measures how fast a mix of
// instructions can be: a round continues a number of independent sums by one
// step each, enough of them that no step waits for the one before.
type rate struct {
	name  string
	mix   string // what a step is made of
	sums  int
	class string       // of vector registers, x86 only
	ready func(a *asm) // fills what steps read beside the sums
	step  func(a *asm, sum int)
}

// x86Rates writes the loops of amd64. The Go side knows the operations of a
// round.
func x86Rates() []byte {
	a := newAsm()
	y := func(n int) string { return reg("Y", n) }
	z := func(n int) string { return reg("Z", n) }
	// All operands are ones: bytes, or f32, which must not be denormal.
	fill := func(word, class string, registers ...int) func(a *asm) {
		return func(a *asm) {
			a.op("MOVL", word, "AX")
			a.op("VMOVD", "AX", "X15")
			for _, r := range registers {
				a.op("VPBROADCASTD", "X15", reg(class, r))
			}
		}
	}
	const bytes, floats = "$0x01010101", "$0x3f800000"
	vpdpbusd := func(a *asm, signed, unsigned, sum int) {
		a.bytes(fmt.Sprintf("VPDPBUSD Y%d, Y%d, Y%d", signed, unsigned, sum),
			0xc4, 0xe2-sum>>3*0x80-signed>>3*0x20, 0x7d-unsigned<<3, 0x50, 0xc0|sum&7<<3|signed&7)
	}
	for _, r := range []rate{
		{
			name: "probeInt8AVX2", mix: "VPSIGNB VPMADDUBSW VPMADDWD VPADDD", sums: 8, class: "Y",
			ready: fill(bytes, "Y", 14, 13, 12, 11),
			step: func(a *asm, sum int) {
				t := y(8 + sum%3)
				a.op("VPSIGNB", y(11), y(12), t)
				a.op("VPMADDUBSW", t, y(13), t)
				a.op("VPMADDWD", t, y(14), t)
				a.op("VPADDD", t, y(sum), y(sum))
			},
		},
		{
			name: "probeInt4AVX2", mix: "VPMADDUBSW VPADDW", sums: 8, class: "Y",
			ready: fill(bytes, "Y", 14, 13),
			step: func(a *asm, sum int) {
				t := y(8 + sum%3)
				a.op("VPMADDUBSW", y(13), y(14), t)
				a.op("VPADDW", t, y(sum), y(sum))
			},
		},
		{
			name: "probeF32AVX2", mix: "VFMADD231PS", sums: 12, class: "Y", ready: fill(floats, "Y", 14, 13),
			step: func(a *asm, sum int) { a.op("VFMADD231PS", y(13), y(14), y(sum)) },
		},
		{
			name: "probeInt8AVXVNNI", mix: "VPDPBUSD, VEX", sums: 12, class: "Y", ready: fill(bytes, "Y", 14, 13),
			step: func(a *asm, sum int) { vpdpbusd(a, 13, 14, sum) },
		},
		{
			name: "probeInt8AVX512", mix: "VPDPBUSD", sums: 16, class: "Z", ready: fill(bytes, "Z", 31, 30),
			step: func(a *asm, sum int) { a.op("VPDPBUSD", z(30), z(31), z(sum)) },
		},
		{
			name: "probeF32AVX512", mix: "VFMADD231PS", sums: 16, class: "Z", ready: fill(floats, "Z", 31, 30),
			step: func(a *asm, sum int) { a.op("VFMADD231PS", z(30), z(31), z(sum)) },
		},
	} {
		r.x86(a)
	}
	return a.Bytes()
}

func (r rate) x86(a *asm) {
	a.fn(r.name, "(rounds int)", 8, "CX rounds left",
		fmt.Sprintf("%s0 to %s%d sums, each continued by %s", r.class, r.class, r.sums-1, r.mix))
	a.op("MOVQ", "rounds+0(FP)", "CX")
	r.ready(a)
	for i := range r.sums {
		if s := reg(r.class, i); r.class == "Z" {
			a.op("VPXORD", s, s, s)
		} else {
			a.op("VPXOR", s, s, s)
		}
	}
	a.op("PCALIGN", "$32")
	a.label("round")
	for i := range r.sums {
		r.step(a, i)
	}
	a.op("DECQ", "CX")
	a.op("JNZ", "round")
	ret(a)
}

// x86Read writes the read of memory: of two places 128 bytes a round each, the
// lines ahead bytes further asked for on the way.
func x86Read() []byte {
	a := newAsm()
	a.fn("probeReadAVX2", "(p, q *byte, rounds, step, ahead int)", 40,
		"SI and DI places, CX rounds left, R8 bytes to the next round, R9 bytes ahead", "Y0 to Y7 what was read")
	load(a, "p", "SI", "q", "DI", "rounds", "CX", "step", "R8", "ahead", "R9")
	a.op("PCALIGN", "$32")
	a.label("round")
	for _, p := range []string{"SI", "DI"} {
		for line := range 2 {
			a.op("PREFETCHT0", mem(64*line, p)+"(R9*1)")
		}
	}
	for i := range 8 {
		a.op("VMOVDQU", mem(32*(i%4), []string{"SI", "DI"}[i/4]), reg("Y", i))
	}
	a.op("ADDQ", "R8", "SI")
	a.op("ADDQ", "R8", "DI")
	a.op("DECQ", "CX")
	a.op("JNZ", "round")
	ret(a)
	return a.Bytes()
}

// bytes writes an instruction that the assembler lacks.
func (a *asm) bytes(meaning string, code ...int) {
	a.WriteString("\t")
	for i, b := range code {
		if i > 0 {
			a.WriteString("; ")
		}
		fmt.Fprintf(a, "BYTE $0x%02x", b)
	}
	fmt.Fprintf(a, " // %s\n", meaning)
}
