package main

// superBlocks is how many blocks a superblock has.
const superBlocks = 8

// superAhead is how far ahead superblocks' scales are asked for, in bytes: they are
// too few for the processor to see where they go on.
const superAhead = 512

// weightsAhead is how far ahead the panels of one token are fetched, in bytes, into
// the second cache: into the first it is slower than not at all. Kernels that do
// less with a block gain nothing by it.
const weightsAhead = 4096

// fetchAhead asks for as much of each panel as a block takes.
func (d *direct) fetchAhead() {
	for v := range d.panels {
		for off := 0; off < d.blockBytes(); off += 64 {
			d.op("PREFETCHT1", d.weights(weightsAhead+off, v))
		}
	}
}

// superRegs are the scales of the superblock at work, of each panel.
type superRegs struct {
	scale, min []string
	offset     string // 8 as f32, which a minimum of nibbles makes up for
	sum        string // minus a block's sum of activations
	at         string // general register: offset of the superblock's scales
}

func newSuperRegs(d *direct) superRegs {
	s := superRegs{scale: d.list(d.panels), at: "R15"}
	if d.bits == 4 {
		s.min, s.offset, s.sum, s.at = d.list(d.panels), d.new(), d.new(), "R13"
	}
	return s
}

// startSupers points at the first superblock's scales.
func (d *direct) startSupers() {
	if d.supers.offset != "" {
		d.op("MOVL", "$0x41000000", "R14")
		d.op("VPBROADCASTD", "R14", d.supers.offset)
	}
	d.op("XORQ", d.supers.at, d.supers.at)
	d.op("XORQ", "R14", "R14")
}

// nextSuper loads the scales of the next superblock if one begins.
func (d *direct) nextSuper() {
	d.op("DECQ", "R14")
	d.op("JGE", "sameSuper")
	d.op("MOVQ", "c+0(FP)", "BX")
	d.loadSupers("intTile_super", d.supers.scale)
	if d.bits == 4 {
		d.loadSupers("intTile_superMin", d.supers.min)
	}
	d.op("ADDQ", "$32", d.supers.at)
	d.op("MOVQ", imm(superBlocks-1), "R14")
	if d.panels > 1 {
		d.op("MOVQ", "intTile_apart(BX)", "BX")
	}
	d.label("sameSuper")
}

// factorBytes is the size of the factors of a block.
func (d *direct) factorBytes() int {
	if d.short {
		return 32
	}
	return 16
}

// loadSupers loads the superblock's scales of all panels from a field of the tile at BX.
func (d *direct) loadSupers(field string, to []string) {
	d.op("MOVQ", field+"(BX)", "R14")
	for p, r := range to {
		d.op("VCVTPH2PS", "(R14)("+d.supers.at+"*1)", r)
		d.op("PREFETCHT0", mem(superAhead, "R14")+"("+d.supers.at+"*1)")
		if p+1 < len(to) {
			d.op("ADDQ", "intTile_apartSuper(BX)", "R14")
		}
	}
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
			d.factor(16*p, from+h, "R8", d.supers.scale[from+h], scale)
			for t := range d.tokens {
				sum := d.sum[p*part+h*d.tokens+t]
				d.op("VCVTDQ2PS", sum, sum)
				d.op("VMULPS.BCST", mem(4*t, "R9"), scale, d.tmp)
				d.op("VFMADD231PS", d.tmp, sum, d.result[(from+h)*d.tokens+t])
			}
			if d.bits > 4 {
				continue
			}
			d.factor(0, from+h, "R15", d.supers.min[from+h], low)
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
func (d *direct) factor(off, v int, base, super, to string) {
	d.op("VPMOVSXBD", d.scales(off, v, base), to)
	d.op("VCVTDQ2PS", to, to)
	d.op("VMULPS", super, to, to)
}

// stepSupers goes on to the next block's factors.
func (d *direct) stepSupers() {
	d.op("ADDQ", imm(d.factorBytes()), "R8")
	if d.short {
		d.op("ADDQ", "R11", "CX")
	} else {
		d.op("ADDQ", imm(d.factorBytes()), "R15")
	}
}

// besideSupers goes on to the factors and scales of the panel beside; AX is the
// distance of factors.
func (d *direct) besideSupers() {
	d.op("MOVQ", "intTile_stepSuper(BX)", "R13")
	d.op("ADDQ", "AX", "intTile_fine(BX)")
	d.op("ADDQ", "R13", "intTile_super(BX)")
	if d.bits == 4 {
		d.op("ADDQ", "AX", "intTile_fineMin(BX)")
		d.op("ADDQ", "R13", "intTile_superMin(BX)")
	}
}
