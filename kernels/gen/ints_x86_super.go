package main

// superBlocks is how many blocks a superblock has.
const superBlocks = 8

// superRegs are the scales of the superblock at work, of each panel.
type superRegs struct {
	scale, min []string
	offset     string // 8 as f32, which a minimum of nibbles makes up for
	sum        string // minus a block's sum of activations
}

func newSuperRegs(d *direct) superRegs {
	s := superRegs{scale: d.list(d.panels)}
	if d.bits == 4 {
		s.min, s.offset, s.sum = d.list(d.panels), d.new(), d.new()
	}
	return s
}

// superHead is the size of a superblock's own scales.
func (d *direct) superHead() int {
	if d.bits == 4 { // and minimums
		return 64
	}
	return 32
}

// superTail is the size of what follows a superblock's factors: those of minimums.
func (d *direct) superTail() int {
	if d.bits == 4 {
		return superBlocks * d.factorBytes()
	}
	return 0
}

// startSupers points where the superblock before the first one would end.
func (d *direct) startSupers() {
	if d.supers.offset != "" {
		d.op("MOVL", "$0x41000000", "R14")
		d.op("VPBROADCASTD", "R14", d.supers.offset)
	}
	if d.superTail() > 0 {
		d.op("SUBQ", imm(d.superTail()), "R8")
	}
	d.op("XORQ", "R14", "R14")
}

// nextSuper loads the scales of the next superblock if one begins.
func (d *direct) nextSuper() {
	d.op("DECQ", "R14")
	d.op("JGE", "sameSuper")
	for v, r := range d.supers.scale {
		d.op("VCVTPH2PS", d.scales(d.superTail(), v, "R8"), r)
	}
	for v, r := range d.supers.min {
		d.op("VCVTPH2PS", d.scales(d.superTail()+32, v, "R8"), r)
	}
	d.op("ADDQ", imm(d.superTail()+d.superHead()), "R8")
	d.op("MOVQ", imm(superBlocks-1), "R14")
	d.label("sameSuper")
}

// factorBytes is the size of the factors of a block.
func (d *direct) factorBytes() int {
	if d.short {
		return 32
	}
	return 16
}

// scaleSupers adds the scaled sums of a block to the results: scale and factor
// multiply exactly, and a minimum is rounded once.
func (d *direct) scaleSupers(from int) {
	scale, low := d.src.lo[0], d.src.hi[0]
	if d.bits == 4 && !d.hasSums() {
		d.op("VPBROADCASTD", mem(0, "R10"), d.supers.sum)
		d.op("VPSRAD", "$7", d.supers.sum, d.supers.sum)
		d.op("VCVTDQ2PS", d.supers.sum, d.supers.sum)
		d.op("VMULPS.BCST", mem(0, "R9"), d.supers.sum, d.supers.sum)
	}
	part := d.side * d.tokens
	for p := range d.parts() {
		for h := range d.side {
			d.factor(16*p, from+h, d.supers.scale[from+h], scale)
			d.scaleSums(d.sum[p*part+h*d.tokens:][:d.tokens], d.result[(from+h)*d.tokens:], scale)
			if d.bits > 4 {
				continue
			}
			d.factor(d.superTail(), from+h, d.supers.min[from+h], low)
			d.op("VFMSUB231PS", d.supers.offset, scale, low)
			for t := range d.tokens {
				result := d.result[(from+h)*d.tokens+t]
				if d.hasSums() {
					d.op("VFNMADD231PS.BCST", mem(4*t, "R9")+"(CX*1)", low, result)
				} else {
					d.op("VFNMADD231PS", d.supers.sum, low, result)
				}
			}
		}
	}
}

// factor loads a block's factors of panel v, times the superblock's scales.
func (d *direct) factor(off, v int, super, to string) {
	d.op("VPMOVSXBD", d.scales(off, v, "R8"), to)
	d.op("VCVTDQ2PS", to, to)
	d.op("VMULPS", super, to, to)
}

// stepSupers goes on to the next block's factors.
func (d *direct) stepSupers() {
	d.op("ADDQ", imm(d.factorBytes()), "R8")
	if d.short {
		d.op("ADDQ", "R11", "CX")
	}
}
