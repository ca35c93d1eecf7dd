package main

// aheadBytes is how far in advance a kernel of one token asks for weights on cores
// of Intel: docs/engine-speed.md has what it gives.
const aheadBytes = 2048

// ask asks for weights in advance where that helps.
func (d *direct) ask() {
	d.op("CMPB", "·intelCore(SB)", "$0")
	d.op("JEQ", "asked")
	for v := 0; v < d.panels*d.halves; v += d.halves {
		for at := 0; at < d.blockBytes(); at += 64 {
			d.op("PREFETCHT0", d.weights(aheadBytes+at, v))
		}
	}
	d.label("asked")
}

// nextPanel begins a panel: all tiles again, fetching the panel after it.
func (d *direct) nextPanel() {
	d.label("panel")
	d.intArgs("intTile", "q", "DI", "xs", "R9", "corr", "R10", "y", "DX", "tiles", "AX", "next", "R12")
	if d.short {
		d.intArgs("intTile", "half", "CX")
	}
	d.op("MOVQ", "AX", "intTile_left(BX)")
	d.op("CMPQ", "intTile_panels(BX)", "$1")
	d.op("JEQ", "tile")
	d.op("MOVQ", "intTile_w(BX)", "R12")
	d.op("ADDQ", "intTile_step(BX)", "R12")
}

// loopPanels goes on to the panel beside, if there is one.
func (d *direct) loopPanels() {
	if d.panels > 1 {
		d.op("MOVQ", "c+0(FP)", "BX")
	}
	d.op("DECQ", "intTile_panels(BX)")
	d.op("JZ", "done")
	d.op("MOVQ", "intTile_step(BX)", "AX")
	d.op("ADDQ", "AX", "intTile_w(BX)")
	d.op("MOVQ", "intTile_stepScales(BX)", "AX")
	if d.super {
		d.op("ADDQ", "AX", "intTile_super(BX)")
	} else {
		d.op("ADDQ", "AX", "intTile_scales(BX)")
	}
	if d.bits <= 4 && !d.super {
		d.op("CMPQ", "intTile_mins(BX)", "$0")
		d.op("JEQ", "noMins")
		d.op("ADDQ", "AX", "intTile_mins(BX)")
		d.label("noMins")
	}
	d.op("ADDQ", "$64", "intTile_output+output_y(BX)")
	d.op("JMP", "panel")
	d.label("done")
}

// finish stores a token's results at DX, vectors of one panel and of those beside it,
// added to what is there if AX is set.
func (g *intRegs) finish(label string, results ...string) {
	size := 64 / g.halves
	g.op("TESTQ", "AX", "AX")
	g.op("JZ", label)
	for i, r := range results {
		g.op("VADDPS", mem(size*i, "DX"), r, r)
	}
	g.label(label)
	for i, r := range results {
		g.op("VMOVUPS", r, mem(size*i, "DX"))
	}
}

// alignStack points r at the first whole 64 bytes of the stack frame.
func (a *asm) alignStack(r string) {
	a.op("MOVQ", "SP", r)
	a.op("ADDQ", "$63", r)
	a.op("ANDQ", "$~63", r)
}
