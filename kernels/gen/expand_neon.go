package main

import "fmt"

// planesNEON joins the planes of stored integers to signed bytes at the top of
// each byte, from the plane with the sign down, and shifts them back with the
// sign.
type planesNEON struct {
	neon
	bits   int
	zipped bool // eight inputs of an output lie together, as SMMLA wants them
	lanes  int  // registers that hold a word
	held   bool // all words are in registers, not one of each plane
	// First registers: of words by plane; of a plane below another; of shifts of
	// zipped bits; what turns a value's top bit to the sign.
	nibble, pair, bit, below, shifts, flip int
}

// bitPlane is one plane of an integer: the register, and how far left its bits
// have to move to the top of the byte, or a register of such shifts.
type bitPlane struct{ from, by, shifts, width int }

// of returns the planes of quad i, or of inputs 8i to 8i+7 if zipped, from the
// top.
func (p *planesNEON) of(i, lane int) []bitPlane {
	nibbleWords, pairWords, shifts := 4, 2, 0
	if p.zipped {
		nibbleWords, pairWords, shifts = 2, 1, p.shifts+i
	}
	word := func(first, i int) int {
		if !p.held {
			i = 0
		}
		return first + p.lanes*i + lane
	}
	bit := bitPlane{word(p.bit, 0), 7 - i, shifts, 1}
	pair := bitPlane{word(p.pair, i%pairWords), 6 - 2*(i/pairWords), 0, 2}
	nibble := bitPlane{word(p.nibble, i%nibbleWords), 4 - 4*(i/nibbleWords), 0, 4}
	switch p.bits {
	case 2:
		return []bitPlane{pair}
	case 3:
		return []bitPlane{bit, pair}
	case 4:
		return []bitPlane{nibble}
	case 5:
		return []bitPlane{bit, nibble}
	}
	return []bitPlane{pair, nibble}
}

// integer joins a value's planes.
func (p *planesNEON) integer(to int, planes []bitPlane) {
	top := planes[0]
	from := to
	switch {
	case top.shifts != 0:
		p.three("USHL.16B", to, top.from, top.shifts)
	case top.by != 0:
		p.op("VSHL", imm(top.by), v(top.from, "B16"), v(to, "B16"))
	case len(planes) > 1:
		p.op("VMOV", v(top.from, "B16"), v(to, "B16"))
	default:
		from = top.from
	}
	if len(planes) > 1 {
		low := planes[1].from
		if planes[1].by != 0 {
			p.op("VSHL", imm(planes[1].by), v(low, "B16"), v(p.below, "B16"))
			low = p.below
		}
		p.op("VSRI", imm(top.width), v(low, "B16"), v(to, "B16"))
	}
	p.sshr(to, from, 8, 8-p.bits)
}

// constant fills the register that turns the top bit to the sign: stored values
// are never negative.
func (p *planesNEON) constant() {
	p.op("VMOVI", map[int]string{2: "$0xaa", 3: "$0xff", 4: "$0x88", 5: "$0xff", 6: "$0xaa"}[p.bits], v(p.flip, "B16"))
}

// signed turns the top bits in registers of the plane that has them.
func (p *planesNEON) signed(first, count int) {
	for r := first; r < first+count; r++ {
		p.op("VEOR", v(p.flip, "B16"), v(r, "B16"), v(r, "B16"))
	}
}

// What planes a format has; the one with the sign is its top.
func (p *planesNEON) hasNibbles() bool { return p.bits >= 4 }
func (p *planesNEON) hasPairs() bool   { return p.bits == 2 || p.bits == 3 || p.bits == 6 }
func (p *planesNEON) hasBits() bool    { return p.bits == 3 || p.bits == 5 }

// expandNEON writes the expansion of stored blocks to signed bytes, two lanes of
// 16 bytes at a time: a quad of outputs 4g to 4g+7, or zipped, two quads of
// outputs 4g and 4g+1 and of 4g+2 and 4g+3.
type expandNEON struct {
	planesNEON
}

// Vector registers of an expansion.
const (
	expandLoaded = 14 // words before they are zipped
	expandTo     = 16 // integers
)

func neonExpand(a neon, isa armISA, bits int) {
	e := &expandNEON{planesNEON{
		neon: a, bits: bits, zipped: isa == isaI8MM, lanes: 2, held: true,
		nibble: 0, pair: 8, bit: 12, below: 24, shifts: 26, flip: 31,
	}}
	a.fn(fmt.Sprintf("expand%d%s", bits, isa), "(dst, src *uint8, blocks int)", 24,
		"R1 dst, R2 src, R3 blocks left, R4 constants",
		"V0 to V13 planes, V14 and V15 words before they are zipped, V16 to V23 integers, V24 a second plane",
		"V26 to V29 shifts of bits, V31 what turns the offset's bit to a sign")
	a.args("dst", "R1", "src", "R2", "blocks", "R3")
	if bits < 8 {
		e.constant()
	}
	for i := 0; i < 4 && e.zipped && e.hasBits(); i++ {
		even, odd := uint64(7-2*i), uint64(6-2*i)
		e.op("MOVD", fmt.Sprintf("$0x%016x", (odd<<32|even)*0x01010101), "R4")
		e.op("VDUP", "R4", v(e.shifts+i, "D2"))
	}
	a.label("block")
	step := 2
	if e.zipped {
		step = 1
	}
	for g := 0; g < 4; g += step {
		if bits == 8 {
			e.zipBytes(g)
			continue
		}
		e.load(g)
		e.join(g)
	}
	a.op("ADD", imm(64*bits), "R2")
	a.op("ADD", "$512", "R1")
	a.op("SUBS", "$1", "R3")
	a.op("BNE", "block")
	a.op("RET")
}

// zipBytes writes eight inputs after the other of stored bytes.
func (e *expandNEON) zipBytes(g int) {
	for i := range 4 {
		a, b, to := 8+2*i, 9+2*i, expandTo+2*i
		e.op("FMOVQ", mem(128*i+16*g, "R2"), reg("F", a))
		e.op("FMOVQ", mem(128*i+64+16*g, "R2"), reg("F", b))
		e.zip(a, b, to)
		e.op("FSTPQ", pair(to), mem(128*i+32*g, "R1"))
	}
}

// zip joins words of a and b by turns to registers to and the next.
func (e *expandNEON) zip(a, b, to int) {
	e.op("VZIP1", v(b, "S4"), v(a, "S4"), v(to, "S4"))
	e.op("VZIP2", v(b, "S4"), v(a, "S4"), v(to+1, "S4"))
}

// load brings the planes of a block to registers, two lanes a word or pair of
// words.
func (e *expandNEON) load(g int) {
	word := 0
	plane := func(words, to int) {
		for i := range words {
			at := to + 2*i
			if !e.zipped {
				e.op("FLDPQ", mem(64*(word+i)+16*g, "R2"), pair(at))
				continue
			}
			e.op("FMOVQ", mem(64*(word+i)+16*g, "R2"), reg("F", expandLoaded+i%2))
			if words == 1 || i%2 == 1 {
				e.zip(expandLoaded, expandLoaded+i%2, to+i&^1)
			}
		}
		count := 2 * words
		if e.zipped {
			count = max(2, words)
		}
		if word += words; word == e.bits { // the last plane has the sign
			e.signed(to, count)
		}
	}
	if e.hasNibbles() {
		plane(4, e.nibble)
	}
	if e.hasPairs() {
		plane(2, e.pair)
	}
	if e.hasBits() {
		plane(1, e.bit)
	}
}

// join makes integers of the planes and stores them.
func (e *expandNEON) join(g int) {
	count, size, at := 8, 64, 16*g
	if e.zipped {
		count, size, at = 4, 128, 32*g
	}
	for i := range count {
		to := expandTo + 2*(i%4)
		for l := range 2 {
			e.integer(to+l, e.of(i, l))
		}
		e.op("FSTPQ", pair(to), mem(size*i+at, "R1"))
	}
}
