package main

// mmlaTile writes the product of an expanded panel with one, two or four tokens
// by SMMLA. A register holds eight inputs of two tokens or of two outputs; of
// sums and results, two outputs of one token, then of the other.
func mmlaTile(a neon, f armForm, tokens int) {
	k := &armInt{neon: a, armForm: f, isa: isaI8MM, tokens: tokens}
	pairs := (tokens + 1) / 2
	results := k.take(8*pairs, "results")
	sums := k.take(8, "sums of a block for two tokens")
	x := k.take(4, "activations, then their scales and corrections")
	w := k.take(4, "weights, then scales")
	k.head()
	if pairs > 1 {
		k.op("SUB", imm(64*(pairs-1)), "R7")
	}
	for _, r := range results {
		k.zero(r)
	}
	k.blocks(nil, func() {
		for p := range pairs {
			k.mmlaPair(p, p == pairs-1, results[8*p:][:8], sums, x, w)
		}
		k.op("ADD", "R6", "R4")
		if f.hasMins() {
			plain := k.fresh("plain")
			k.op("CBZ", "R13", plain)
			k.op("ADD", "$64", "R13")
			k.op("ADD", "R6", "R5")
			k.label(plain)
		}
	})
	k.mmlaOrder(results, sums[0])
	k.store(results, sums[0])
}

// mmlaPair adds a block's products of two tokens, the tile's pair p.
func (k *armInt) mmlaPair(p int, last bool, results, sums, x, w []int) {
	weights, scales := "R1", "R2"
	if !last {
		weights, scales = "R15", "R16"
		k.op("MOVD", "R1", weights)
		k.op("MOVD", "R2", scales)
	}
	switch {
	case k.tokens == 1: // the second token is zero
		k.op("FLDPD", "(R3)", pair(x[0]))
		k.op("FLDPD", "16(R3)", pair(x[2]))
		k.op("ADD", "R7", "R3")
	case last:
		k.op("VLD4.P", "(R3)(R7)", list(x[0], 4, "D2"))
	default:
		k.op("VLD4.P", "64(R3)", list(x[0], 4, "D2"))
	}
	for part, quads := range k.parts() {
		for _, r := range sums {
			k.op("VMOVI", "$0", v(r, "B16"))
		}
		for eight := quads[0] / 2; eight < (quads[0]+len(quads))/2; eight++ {
			for half := range 2 {
				k.op("VLD1.P", "64("+weights+")", list(w[0], 4, "B16"))
				for i, r := range w {
					k.three("SMMLA.4S", sums[4*half+i], x[eight], r)
				}
			}
		}
		if part == 0 { // x[0] is used up
			k.mmlaTokens("R4", p, x[0])
			k.op("VZIP1", v(x[0], "S4"), v(x[0], "S4"), v(x[0], "S4"))
		}
		for half := range 2 {
			k.op("VLD4R.P", "32("+scales+")", list(w[0], 4, "D2"))
			for i, r := range w {
				sum := sums[4*half+i]
				k.two("SCVTF.4S", sum, sum)
				k.three("FMUL.4S", sum, sum, r)
				k.op("VFMLA", v(x[0], "S4"), v(sum, "S4"), v(results[4*half+i], "S4"))
			}
		}
	}
	if k.hasMins() {
		none := k.fresh("noMinimums")
		k.op("CBZ", "R13", none)
		k.mmlaTokens("R5", p, x[1])
		k.scvtfFixed(x[1], x[1], correctionBits)
		k.op("VZIP1", v(x[1], "S4"), v(x[1], "S4"), v(x[1], "S4"))
		k.three("FMUL.4S", x[1], x[1], x[0])
		k.op("MOVD", "R13", "R17")
		for half := range 2 {
			k.op("VLD4R.P", "32(R17)", list(w[0], 4, "D2"))
			for i, r := range w {
				k.op("VFMLS", v(r, "S4"), v(x[1], "S4"), v(results[4*half+i], "S4"))
			}
		}
		k.label(none)
	}
}

// mmlaTokens loads 32 bits of each token of pair p.
func (k *armInt) mmlaTokens(from string, p, to int) {
	if k.tokens == 1 {
		k.op("FMOVS", mem(0, from), reg("F", to))
	} else {
		k.op("FMOVD", mem(8*p, from), reg("F", to))
	}
}

// mmlaOrder turns the results of two tokens to four registers of each; nine
// registers from spare on are free.
func (k *armInt) mmlaOrder(results []int, spare int) {
	for p := 0; p < len(results); p += 8 {
		for i := range 4 {
			a, b := v(results[p+2*i], "D2"), v(results[p+2*i+1], "D2")
			k.op("VZIP1", b, a, v(spare+i, "D2"))
			k.op("VZIP2", b, a, v(spare+4+i, "D2"))
		}
		for i := range 8 {
			k.op("VMOV", v(spare+i, "B16"), v(results[p+i], "B16"))
		}
	}
}
