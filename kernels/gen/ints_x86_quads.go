package main

// quadSource yields the integers of quads of a block, unsigned, in a register for
// each of side vectors of outputs, from vector from on. The block is at SI; those
// of further panels, whose vectors follow, lie BX bytes apart.
type quadSource struct {
	*intRegs
	f          intFormat
	from, side int
	lo, hi     []string
	spare      string
	low, mask  string // masks: low nibbles or pairs, bits of a plane or high nibbles
	split      bool   // high nibbles stay where they are
}

func newQuadSource(g *intRegs, f intFormat, side int, split bool) *quadSource {
	s := &quadSource{intRegs: g, f: f, side: side, lo: g.list(side), spare: g.new(), split: split}
	s.hi = s.lo
	if f.bits >= 4 && (f.bits < 8 || !g.vnni) {
		s.hi = g.list(side)
	}
	if f.bits < 8 || !g.vnni {
		s.low = g.new()
	}
	if f.bits == 6 || f.bits == 5 || f.bits == 3 || split {
		s.mask = g.new()
	}
	return s
}

// weights is where the bytes of vector v lie that begin off bytes into its block.
func (g *intRegs) weights(off, v int) string {
	return mem(off+32*(v%g.halves), "SI") + []string{"", "(BX*1)", "(BX*2)", "(R12*1)"}[v/g.halves]
}

// scales is the same for f16 scales or minimums at base.
func (g *intRegs) scales(off, v int, base string) string {
	return mem(off+16*(v%g.halves), base) + []string{"", "(DX*1)", "(DX*2)", "(" + g.third + "*1)"}[v/g.halves]
}

// plane loads bits of quad q from a plane that begins at word first: width bits
// a value, moved to bit position to; others may stay set.
func (s *quadSource) plane(first, width, q, to, half int, dst string) {
	word, k := q%width, q/width // a plane of pairs has two words, one of bits one
	s.load(s.weights(64*(first+word), half), dst)
	if by := to - width*k; by != 0 {
		s.shift(by, dst, dst)
	}
}

// or joins bits of a plane to r; spare is lost.
func (s *quadSource) or(first, width, q, to, half int, r string) {
	s.plane(first, width, q, to, half, s.spare)
	if s.evex() {
		s.op("VPTERNLOGD", "$0xF8", s.mask, s.spare, r) // r | spare & mask
		return
	}
	s.bitwise("VPAND", s.mask, s.spare, s.spare)
	s.bitwise("VPOR", s.spare, r, r)
}

// each calls use with every quad and its registers. In between, spare is free.
func (s *quadSource) each(use func(q int, w []string)) {
	for q := 0; s.f.bits == 8 && q < 8; q++ {
		for h := range s.side {
			s.load(s.weights(64*q, s.from+h), s.lo[h])
		}
		use(q, s.lo)
	}
	for j := 0; s.f.bits >= 4 && s.f.bits < 8 && j < 4; j++ {
		for h := range s.side {
			half, lo, hi := s.from+h, s.lo[h], s.hi[h]
			if s.split {
				s.bitwise("VPAND", s.weights(64*j, half), s.low, lo)
				s.bitwise("VPAND", s.weights(64*j, half), s.mask, hi)
				continue
			}
			s.load(s.weights(64*j, half), lo)
			s.op("VPSRLW", "$4", lo, hi)
			s.bitwise("VPAND", s.low, lo, lo)
			s.bitwise("VPAND", s.low, hi, hi)
			if s.f.bits > 4 {
				width := s.f.bits - 4
				s.or(4, width, j, 4, half, lo)
				s.or(4, width, j+4, 4, half, hi)
			}
		}
		use(j, s.lo)
		use(j+4, s.hi)
	}
	for q := 0; s.f.bits < 4 && q < 8; q++ {
		for h := range s.side {
			s.plane(0, 2, q, 0, s.from+h, s.lo[h])
			s.bitwise("VPAND", s.low, s.lo[h], s.lo[h])
			if s.f.bits == 3 {
				s.or(2, 1, q, 2, s.from+h, s.lo[h])
			}
		}
		use(q, s.lo)
	}
}

// masks fills the masks that the format needs: bytes have in place of one what
// makes them signed.
func (s *quadSource) masks() {
	low := 0x0f
	if s.f.bits == 8 {
		low = 0x80
	}
	if s.f.bits < 4 {
		low = 0x03
	}
	if s.low != "" {
		s.bytes(low, s.low)
	}
	if s.mask != "" {
		s.bytes(map[int]int{6: 0x30, 5: 0x10, 4: 0xf0, 3: 0x04}[s.f.bits], s.mask)
	}
}
