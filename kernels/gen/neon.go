package main

import "fmt"

// neon adds to asm the vector instructions that Go's arm64 assembler lacks, as
// words. Their encodings are those of the Arm A-profile A64 instruction set;
// operands come as destination, first source, second source.
type neon struct {
	*asm
}

// three are instructions on two source registers.
var three = map[string]uint32{
	"FADD.4S": 0x4e20d400, "FSUB.4S": 0x4ea0d400, "FMUL.4S": 0x6e20dc00, "FDIV.4S": 0x6e20fc00,
	"FMAX.4S": 0x4e20f400, "FMIN.4S": 0x4ea0f400, "FCMGT.4S": 0x6ea0e400, "BIC.16B": 0x4e601c00,
	"FADDP.4S": 0x6e20d400, "FMAXP.4S": 0x6e20f400, "UMAX.4S": 0x6ea06400, "UMAXP.4S": 0x6ea0a400,
	"SMULL": 0x0e20c000, "SMULL2": 0x4e20c000, "SMLAL": 0x0e208000, "SMLAL2": 0x4e208000,
	"SMMLA.4S": 0x4e80a400, "USHL.16B": 0x6e204400,
}

// two are instructions on one source register.
var two = map[string]uint32{
	"SADALP.4S": 0x4e606800, "SADDLP.4S": 0x4e602800, "SCVTF.4S": 0x4e21d800, "FCVTNS.4S": 0x4e21a800,
	"FCVTL": 0x0e217800, "FCVTL2": 0x4e217800, "FCVTN": 0x0e216800, "FCVTN2": 0x4e216800,
	"SQXTN.4H": 0x0e614800, "SQXTN2.8H": 0x4e614800, "SQXTN.8B": 0x0e214800, "SQXTN2.16B": 0x4e214800,
}

func (a neon) three(name string, d, n, m int) {
	a.word(three[name]|uint32(m<<16|n<<5|d), fmt.Sprintf("%s V%d, V%d, V%d", name, d, n, m))
}

func (a neon) two(name string, d, n int) {
	a.word(two[name]|uint32(n<<5|d), fmt.Sprintf("%s V%d, V%d", name, d, n))
}

// lanes are instructions whose second source is one word of a register.
var lanes = map[string]uint32{
	"FMLA.4S": 0x4f801000, "FMLS.4S": 0x4f805000, "FMUL.4S": 0x4f809000, "SDOT.4S": 0x4f80e000,
}

func (a neon) lane(name string, d, n, m, lane int) {
	bits := uint32(lane&1)<<21 | uint32(lane>>1)<<11
	a.word(lanes[name]|bits|uint32(m<<16|n<<5|d), fmt.Sprintf("%s V%d, V%d, V%d[%d]", name, d, n, m, lane))
}

// sshr shifts the lanes of V(n), size bits wide, right by count.
func (a neon) sshr(d, n, size, count int) {
	a.word(0x4f000400|uint32((2*size-count)<<16|n<<5|d), fmt.Sprintf("SSHR V%d, V%d, $%d of %d bits", d, n, count, size))
}

// scvtfFixed converts words of V(n) with that many bits behind the point.
func (a neon) scvtfFixed(d, n, point int) {
	a.word(0x4f00e400|uint32((64-point)<<16|n<<5|d), fmt.Sprintf("SCVTF.4S V%d, V%d, $%d", d, n, point))
}

func (a neon) word(bits uint32, meaning string) {
	fmt.Fprintf(a, "\tWORD $0x%08x // %s\n", bits, meaning)
}

// v is vector register n with an arrangement, such as V3.S4.
func v(n int, arrangement string) string { return fmt.Sprintf("V%d.%s", n, arrangement) }

// list is a list of neighbouring registers for loads and stores.
func list(first, count int, arrangement string) string {
	s := "["
	for i := range count {
		if i > 0 {
			s += ", "
		}
		s += v(first+i, arrangement)
	}
	return s + "]"
}

// pair is two neighbouring registers for FLDPQ.
func pair(first int) string { return fmt.Sprintf("(F%d, F%d)", first, first+1) }

// index selects an element of a register.
func index(i int) string { return fmt.Sprintf("[%d]", i) }

func (a neon) zero(n int) { a.op("VEOR", v(n, "B16"), v(n, "B16"), v(n, "B16")) }

// args loads arguments to registers: name, register pairs.
func (a neon) args(pairs ...string) {
	offset := 0
	for i := 0; i < len(pairs); i += 2 {
		a.op("MOVD", fmt.Sprintf("%s+%d(FP)", pairs[i], offset), pairs[i+1])
		offset += 8
	}
}
