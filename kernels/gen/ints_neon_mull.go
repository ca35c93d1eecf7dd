package main

// mull is a kernel of ARMv8.0, which has no dot product. Four weights and
// activations of an output lie side by side; their products are added in 16
// bits as long as they fit (two of bytes, a block's eight of 6 bits or less),
// then pairwise in 32.
type mull struct {
	*armInt
	results []int
	sums    []int // low and high half of four outputs, by token
	hoisted []int // scales, where one token leaves room for them
	rest    []int
}

// mullRows writes the product of a panel with one or two tokens.
func mullRows(a neon, f armForm, tokens int) {
	m := &mull{armInt: &armInt{neon: a, armForm: f, isa: isaNEON, tokens: tokens}}
	m.results = m.take(4*tokens, "results")
	m.sums = m.take(8*tokens, "sums of a block")
	if f.grouped() && tokens == 1 {
		m.hoisted = m.take(4, "scales of a group")
	}
	m.rest = m.take(min(16, 32-m.next), "activations, weights and products, then scales and corrections")
	m.head()
	for _, r := range m.results {
		m.zero(r)
	}
	m.steps()
	m.blocks(m.hoisted, m.block)
	m.store(m.results, m.sums[0])
}

// How activations are walked through: the step from one token or half of a
// block to the next, that from the last one back to the next quad, and how far a
// block's steps lead in all.
func (m *mull) walk() (step, back, total int) {
	switch {
	case m.nibbles():
		return 16, 4 - 16*(2*m.tokens-1), 16
	case m.wide:
		return 32, 4 - 32*(m.tokens-1), 32
	}
	return 28, 4 - 32*(m.tokens-1), 32
}

func (m *mull) steps() {
	step, back, total := m.walk()
	m.op("MOVD", imm(step), "R15")
	m.op("MOVD", imm(back), "R16")
	m.op("SUB", imm(total), "R7")
	if m.nibbles() {
		m.op("VMOVI", "$15", v(m.rest[7], "B16"))
	}
}

// activations loads a quad of a token to all lanes of a register.
func (m *mull) activations(to int, step string) {
	m.op("VLD1R.P", "(R3)("+step+")", list(to, 1, "S4"))
}

func (m *mull) block() {
	for part, quads := range m.parts() {
		switch {
		case m.nibbles():
			m.sumNibbles()
		case m.wide:
			m.sumWide(quads)
		default:
			m.sumBytes()
		}
		m.scaleBlock(part)
	}
	m.op("ADD", "R7", "R3")
	if m.tokens > 1 && !m.wide {
		m.op("ADD", imm(m.blockBytes()), "R1")
	}
}

// sumBytes takes two quads at a time.
func (m *mull) sumBytes() {
	quad, spare := m.rest[:2*m.tokens], m.rest[6:8]
	for q := 0; q < 8; q += 2 {
		for t := range m.tokens {
			m.op("VLD1R.P", "4(R3)", list(quad[2*t], 1, "S4"))
			switch {
			case m.tokens == 1:
				m.op("VLD1R.P", "4(R3)", list(quad[1], 1, "S4"))
			case t == 0:
				m.activations(quad[1], "R15")
			default:
				m.activations(quad[3], "R16")
			}
		}
		if m.tokens == 1 {
			m.op("VLD1.P", "64(R1)", list(m.rest[8], 4, "B16"))
			m.op("VLD1.P", "64(R1)", list(m.rest[12], 4, "B16"))
		}
		for g := range 4 {
			even, odd := m.rest[4], m.rest[5]
			if m.tokens == 1 {
				even, odd = m.rest[8+g], m.rest[12+g]
			} else {
				m.op("FMOVQ", mem(64*q+16*g, "R1"), reg("F", even))
				m.op("FMOVQ", mem(64*q+64+16*g, "R1"), reg("F", odd))
			}
			for t := range m.tokens {
				m.three("SMULL", spare[0], even, quad[2*t])
				m.three("SMULL2", spare[1], even, quad[2*t])
				m.three("SMLAL", spare[0], odd, quad[2*t+1])
				m.three("SMLAL2", spare[1], odd, quad[2*t+1])
				add := "SADALP.4S"
				if q == 0 {
					add = "SADDLP.4S"
				}
				lo := m.sums[8*t+2*g]
				m.two(add, lo, spare[0])
				m.two(add, lo+1, spare[1])
			}
		}
	}
}

// sumNibbles takes the quads of both nibbles of a word.
func (m *mull) sumNibbles() {
	quad, low, mask := m.rest[:2*m.tokens], m.rest[6], m.rest[7]
	for q := range 4 {
		for i, r := range quad {
			step := "R15"
			if i == len(quad)-1 {
				step = "R16"
			}
			m.activations(r, step)
		}
		if m.tokens == 1 {
			m.op("VLD1.P", "64(R1)", list(m.rest[8], 4, "B16"))
		}
		for g := range 4 {
			w := m.rest[4+g%2]
			switch {
			case m.tokens == 1:
				w = m.rest[8+g]
				low = m.rest[2+g]
			case g%2 == 0:
				m.op("FLDPQ", mem(64*q+16*g, "R1"), pair(w))
			}
			m.op("VAND", v(mask, "B16"), v(w, "B16"), v(low, "B16"))
			m.op("VUSHR", "$4", v(w, "B16"), v(w, "B16"))
			for t := range m.tokens {
				m.multiply(q == 0, m.sums[8*t+2*g], low, quad[2*t])
				m.multiply(false, m.sums[8*t+2*g], w, quad[2*t+1])
			}
		}
	}
}

// sumWide takes a quad of signed bytes at a time.
func (m *mull) sumWide(quads []int) {
	for i, q := range quads {
		w := m.rest[4:8]
		quad := m.rest[:m.tokens]
		if m.tokens == 1 {
			w, quad = m.rest[8+q%2*4:][:4], m.rest[q%2:][:1]
			m.op("VLD1R.P", "4(R3)", list(quad[0], 1, "S4"))
		} else {
			m.activations(quad[0], "R15")
			m.activations(quad[1], "R16")
		}
		m.op("VLD1.P", "64(R1)", list(w[0], 4, "B16"))
		for g := range 4 {
			for t := range m.tokens {
				m.multiply(i == 0, m.sums[8*t+2*g], w[g], quad[t])
			}
		}
	}
}

// multiply starts or continues two neighbouring sums of 16 bits.
func (m *mull) multiply(first bool, sum, w, x int) {
	name := "SMLAL"
	if first {
		name = "SMULL"
	}
	m.three(name, sum, w, x)
	m.three(name+"2", sum+1, w, x)
}

// scaleBlock joins the sums to four outputs a register, in 32 bits, and adds
// them times their scales to the results.
func (m *mull) scaleBlock(part int) {
	scales, xs, corr := m.rest[:4], m.rest[4], m.rest[6]
	if m.wide { // the scales of activations outlive the second half's weights
		scales, xs, corr = m.rest[4:8], m.rest[2], m.rest[0]
	}
	if part == 0 {
		m.tokenWords("R4", xs)
	}
	spare := scales
	if m.hoisted != nil {
		scales = m.hoisted
	} else {
		m.scales("R2", m.scaleStep(), scales)
	}
	if m.nibbles() {
		m.tokenWords("R5", corr)
		m.sshr(corr, corr, 32, correctionBits-3)
	}
	joined := make([]int, len(m.results))
	for i := range joined {
		sum := m.sums[2*i]
		switch {
		case m.nibbles():
			// Sums of a block's products fit 16 bits once more.
			m.op("VADDP", v(sum+1, "H8"), v(sum, "H8"), v(sum, "H8"))
			m.op("VDUP", v(corr, "S")+index(i/4), v(sum+1, "S4"))
			m.two("SADALP.4S", sum+1, sum)
			sum++
		case m.short:
			m.op("VADDP", v(sum+1, "H8"), v(sum, "H8"), v(sum, "H8"))
			m.two("SADDLP.4S", sum, sum)
		case m.wide:
			m.two("SADDLP.4S", sum, sum)
			m.two("SADDLP.4S", sum+1, sum+1)
			m.op("VADDP", v(sum+1, "S4"), v(sum, "S4"), v(sum, "S4"))
		default:
			m.op("VADDP", v(sum+1, "S4"), v(sum, "S4"), v(sum, "S4"))
		}
		joined[i] = sum
	}
	m.scale(m.results, joined, scales, xs)
	if m.nibbles() {
		m.minimums(m.results, corr, 3, xs, spare)
	} else {
		m.minimums(m.results, corr, 0, xs, spare)
	}
}
