package main

// dotRows writes the product of a panel with one or two tokens by SDOT, all
// outputs at a time. Nibbles stay unsigned: their sums start at the correction.
func dotRows(a neon, f armForm, tokens int) {
	k := &armInt{neon: a, armForm: f, isa: isaDot, tokens: tokens}
	nibbles := f.nibbles()
	results := k.take(4*tokens, "results")
	sums := k.take(4*tokens, "sums of a block")
	x := k.take(2*tokens, "activations, then corrections")
	w := k.take(8, "weights, then scales")
	var hoisted, mask, corr []int
	if f.grouped() && tokens == 1 {
		hoisted = k.take(4, "scales of a group")
	}
	if nibbles {
		mask, corr = k.take(1, "mask of low nibbles"), k.take(1, "corrections")
	}
	xs := k.take(1, "scales of activations")[0]
	k.head()
	for _, r := range results {
		k.zero(r)
	}
	if nibbles {
		k.op("VMOVI", "$15", v(mask[0], "B16"))
	}
	k.blocks(hoisted, func() {
		k.op("VLD1.P", "(R3)(R7)", list(x[0], 2*tokens, "B16"))
		k.tokenWords("R4", xs)
		if nibbles {
			k.tokenWords("R5", corr[0])
		}
		for _, quads := range f.parts() {
			k.dotStart(sums, corr, w[0])
			k.quads(quads, w, mask, func(q int, w []int) {
				for t := range tokens {
					for g := range 4 {
						k.lane("SDOT.4S", sums[4*t+g], w[g], x[2*t+q/4], q%4)
					}
				}
			})
			scales := hoisted
			if scales == nil {
				scales = w[:4]
				k.scales("R2", f.scaleStep(), scales)
			}
			k.scale(results, sums, scales, xs)
		}
		if nibbles {
			k.minimums(results, corr[0], correctionBits, xs, w)
		} else {
			k.minimums(results, x[1], 0, xs, w)
		}
	})
	k.store(results, w[0])
}

// dotStart sets sums to zero, or for nibbles to the corrections.
func (k *armInt) dotStart(sums, corr []int, spare int) {
	switch {
	case corr == nil:
		for _, r := range sums {
			k.op("VMOVI", "$0", v(r, "B16"))
		}
	case k.tokens == 1:
		for _, r := range sums {
			k.sshr(r, corr[0], 32, correctionBits-3)
		}
	default:
		k.sshr(spare, corr[0], 32, correctionBits-3)
		for i, r := range sums {
			k.op("VDUP", v(spare, "S")+index(i*k.tokens/len(sums)), v(r, "S4"))
		}
	}
}

// quads calls use with the weights of every quad, in four of eight registers;
// the next ones are on their way by then.
func (k *armInt) quads(quads, w, mask []int, use func(q int, w []int)) {
	load := func(to []int) { k.op("VLD1.P", "64(R1)", list(to[0], 4, "B16")) }
	a, b := w[:4], w[4:]
	load(a)
	if !k.nibbles() {
		for i, q := range quads {
			if i+1 < len(quads) {
				load(b)
			}
			use(q, a)
			a, b = b, a
		}
		return
	}
	for q := range 4 {
		for g := range 4 {
			k.op("VAND", v(mask[0], "B16"), v(a[g], "B16"), v(b[g], "B16"))
		}
		for g := range 4 {
			k.op("VUSHR", "$4", v(a[g], "B16"), v(a[g], "B16"))
		}
		use(q, b)
		if q < 3 {
			load(b)
		}
		use(q+4, a)
		a, b = b, a
	}
}

// dotTile writes the product of a panel with four tokens by SDOT. Eight outputs
// at a time, their sums fit the registers beside the results of all.
func dotTile(a neon, f armForm) {
	const tokens = 4
	k := &armInt{neon: a, armForm: f, isa: isaDot, tokens: tokens}
	nibbles := f.nibbles()
	results := k.take(4*tokens, "results")
	sums := k.take(2*tokens, "sums of a block")
	x := k.take(tokens, "activations, then their scales and corrections")
	w := k.take(4, "weights, then scales; V31 also the mask of low nibbles")
	mask := w[3]
	k.head()
	for _, r := range results {
		k.zero(r)
	}
	if nibbles {
		k.op("VMOVI", "$15", v(mask, "B16"))
	}
	k.blocks(nil, func() {
		for half := range 2 {
			var side []int
			for t := range tokens {
				side = append(side, results[4*t+2*half:][:2]...)
			}
			for part, quads := range f.parts() {
				if nibbles {
					k.op("FMOVQ", "(R5)", reg("F", w[0]))
					k.dotStart(sums, w[:1], w[1])
				} else {
					k.dotStart(sums, nil, 0)
				}
				k.dotHalf(half, quads, sums, x, w)
				k.op("FMOVQ", "(R4)", reg("F", x[0]))
				if f.wide {
					k.op("FLDPQ", mem(64*part+32*half, "R2"), pair(w[0]))
				} else {
					k.op("FMOVQ", mem(16*half, "R2"), reg("F", w[1]))
					k.two("FCVTL", w[0], w[1])
					k.two("FCVTL2", w[1], w[1])
				}
				k.scale(side, sums, w[:2], x[0])
			}
			k.dotTileMinimums(half, side, x, w)
		}
		k.op("ADD", imm(f.blockBytes()), "R1")
		k.op("ADD", "R7", "R3")
		k.op("ADD", "R6", "R4")
		if f.wide {
			k.op("ADD", imm(64*len(f.parts())), "R2")
		}
		if nibbles {
			k.op("ADD", "R6", "R5")
		} else if f.hasMins() {
			plain := k.fresh("plain")
			k.op("CBZ", "R13", plain)
			k.op("ADD", "$64", "R13")
			k.op("ADD", "R6", "R5")
			k.label(plain)
		}
	})
	k.store(results, sums[0])
}

// dotHalf sums quads of eight outputs.
func (k *armInt) dotHalf(half int, quads, sums, x, w []int) {
	use := func(q int, w []int) {
		for t := range 4 {
			for g := range 2 {
				k.lane("SDOT.4S", sums[2*t+g], w[g], x[t], q%4)
			}
		}
	}
	for i, q := range quads {
		if q%4 == 0 {
			for t := range 4 {
				k.op("FMOVQ", mem(32*t+4*q, "R3"), reg("F", x[t]))
			}
		}
		if k.nibbles() {
			k.op("FLDPQ", mem(64*(q%4)+32*half, "R1"), pair(w[0]))
			for _, r := range w[:2] {
				if q < 4 {
					k.op("VAND", v(w[3], "B16"), v(r, "B16"), v(r, "B16"))
				} else {
					k.op("VUSHR", "$4", v(r, "B16"), v(r, "B16"))
				}
			}
			use(q, w[:2])
			continue
		}
		load := func(q int) { k.op("FLDPQ", mem(64*q+32*half, "R1"), pair(w[q%2*2])) }
		if i == 0 {
			load(q)
		}
		if i+1 < len(quads) {
			load(q + 1)
		}
		use(q, w[q%2*2:])
	}
}

// dotTileMinimums is minimums for eight outputs.
func (k *armInt) dotTileMinimums(half int, results, x, w []int) {
	if !k.hasMins() {
		return
	}
	none := k.fresh("noMinimums")
	k.op("CBZ", "R13", none)
	k.op("FMOVQ", "(R5)", reg("F", x[1]))
	k.scvtfFixed(x[1], x[1], correctionBits)
	k.three("FMUL.4S", x[1], x[1], x[0])
	if k.wide {
		k.op("FLDPQ", mem(32*half, "R13"), pair(w[0]))
	} else {
		k.op("FMOVQ", mem(16*half, "R13"), reg("F", w[1]))
		k.two("FCVTL", w[0], w[1])
		k.two("FCVTL2", w[1], w[1])
	}
	for i, r := range results {
		k.lane("FMLS.4S", r, w[i%2], x[1], i/2)
	}
	k.label(none)
}
