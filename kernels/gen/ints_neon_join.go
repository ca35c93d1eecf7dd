package main

// dotJoined writes the product of a panel of 2, 3, 5 or 6 bits with one token by
// SDOT, on integers that are joined from their planes on the way. More tokens
// share the work of an expansion.
func dotJoined(a neon, f armForm) {
	k := &armInt{neon: a, armForm: f, isa: isaDot, tokens: 1}
	p := &planesNEON{neon: a, bits: f.bits, lanes: 4}
	parts := len(f.parts())
	results := k.take(4, "results")
	sums := k.take(4*parts, "sums of a block")
	x := k.take(2, "activations, then corrections")
	xs := k.take(1, "their scales")[0]
	w := k.take(8/parts, "integers")
	words := k.take(8, "planes, then scales")
	p.nibble, p.pair, p.bit = words[0], words[0], words[4]
	if f.bits == 6 {
		p.pair = words[4]
	}
	p.below, p.flip = k.take(1, "a plane below another")[0], k.take(1, "what turns the offset's bit to a sign")[0]
	k.head()
	for _, r := range results {
		k.zero(r)
	}
	p.constant()
	k.blocks(nil, func() {
		k.op("VLD1.P", "(R3)(R7)", list(x[0], 2, "B16"))
		k.tokenWords("R4", xs)
		k.dotStart(sums, nil, 0)
		turn := 0
		k.joined(p, func(q int) {
			to, sum := w[turn%2*4%len(w):][:4], sums
			if q >= 4 && f.short {
				sum = sums[4:]
			}
			turn++
			for g, r := range to {
				p.integer(r, p.of(q, g))
			}
			for g, r := range to {
				k.lane("SDOT.4S", sum[g], r, x[q/4], q%4)
			}
		})
		k.op("ADD", imm(f.blockBytes()), "R1")
		for i := range parts {
			k.scales("R2", f.scaleStep(), words[:4])
			k.scale(results, sums[4*i:][:4], words[:4], xs)
		}
		k.minimums(results, x[0], 0, xs, words[:4])
	})
	k.store(results, w[0])
}

// joined loads the planes of a block, a word of each at a time, and calls use
// for every quad whose planes are there.
func (k *armInt) joined(p *planesNEON, use func(q int)) {
	load := func(word, to int, signed bool) {
		for i := 0; i < 4; i += 2 {
			k.op("FLDPQ", mem(64*word+16*i, "R1"), pair(to+i))
		}
		if signed {
			p.signed(to, 4)
		}
	}
	if p.hasBits() {
		load(p.bits-1, p.bit, true)
	}
	if !p.hasNibbles() {
		for word := range 2 {
			load(word, p.pair, p.bits == 2)
			for q := word; q < 8; q += 2 {
				use(q)
			}
		}
		return
	}
	for _, q := range []int{0, 2, 1, 3} { // two nibbles a word of pairs
		if p.hasPairs() && q < 2 {
			load(4+q, p.pair, true)
		}
		load(q, p.nibble, false)
		use(q)
		use(q + 4)
	}
}
