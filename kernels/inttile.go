package kernels

// intTile is the work of one call of an integer kernel: 16 outputs of some
// neighbouring tokens of a tile. The assembly reads it by offset; a slice starts
// with its pointer.
type intTile struct {
	blocks      int
	groupBlocks int
	nibbles     bool
	w           []uint8   // one panel
	scales      []uint16  // its scales [groups][16]
	q           []int8    // from the first token's block 0 on
	xs          []float32 // likewise
	corr        []int32   // likewise
	width       int       // tokens of the tile: the distance of blocks
	y           []float32 // [tokens][ldy], 16 values each
	ldy         int
}

// mulPanels computes the outputs of panels [lo, hi) for the tokens of the job.
func (m *IntMatrix) mulPanels(j *mulJob, lo, hi int) {
	var edge [actTile * panelRows]float32
	a := j.acts
	corr := a.corr8
	if m.nibbles {
		corr = a.corr4
	}
	for p := lo; p < hi; p++ {
		cols := min(panelRows, m.rows-p*panelRows)
		for t := 0; t < j.n; {
			width, at := a.tile(t)
			rows := intTileRows(j.tier, min(j.n-t, actTile-t%actTile))
			c := intTile{
				blocks: m.blocks, groupBlocks: m.groupBlocks, nibbles: m.nibbles,
				w:      m.panels[p*m.panelBytes():][:m.panelBytes()],
				scales: m.scales[p*m.groups*panelRows:][:m.groups*panelRows],
				q:      a.q[at*blockSize:], xs: a.scale[at:], corr: corr[at:], width: width,
				y: j.y[t*j.ldy+p*panelRows:], ldy: j.ldy,
			}
			if cols == panelRows {
				c.y = c.y[:(rows-1)*j.ldy+panelRows]
				mulInt(j.tier, rows, &c)
			} else {
				c.y, c.ldy = edge[:], panelRows
				mulInt(j.tier, rows, &c)
				for r := range rows {
					copy(j.y[(t+r)*j.ldy+p*panelRows:][:cols], edge[r*panelRows:])
				}
			}
			t += rows
		}
	}
}

// mulIntGeneric computes rows tokens of c.
func mulIntGeneric(rows int, c *intTile) {
	for t := range rows {
		var acc [panelRows]float32
		for b := range c.blocks {
			at := b*c.width + t
			x := (*[blockSize]int8)(c.q[at*blockSize:])
			sums := [panelRows]int32{}
			if c.nibbles {
				sumNibbles(&sums, x, c.w[b*256:][:256])
				for r := range sums {
					sums[r] += c.corr[at]
				}
			} else {
				sumBytes(&sums, x, c.w[b*512:][:512])
			}
			scales := c.scales[b/c.groupBlocks*panelRows:][:panelRows]
			for r, s := range sums {
				acc[r] = fma32(float32(s), F16ToF32(scales[r])*c.xs[at], acc[r])
			}
		}
		copy(c.y[t*c.ldy:][:panelRows], acc[:])
	}
}

func sumBytes(sums *[panelRows]int32, x *[blockSize]int8, w []uint8) {
	for j := range 8 {
		x0, x1, x2, x3 := int32(x[4*j]), int32(x[4*j+1]), int32(x[4*j+2]), int32(x[4*j+3])
		word := w[j*64:][:64]
		for r := range sums {
			v := word[4*r:][:4]
			sums[r] += int32(int8(v[0]))*x0 + int32(int8(v[1]))*x1 + int32(int8(v[2]))*x2 + int32(int8(v[3]))*x3
		}
	}
}

func sumNibbles(sums *[panelRows]int32, x *[blockSize]int8, w []uint8) {
	for j := range 4 {
		word := w[j*64:][:64]
		for r := range sums {
			for i, v := range word[4*r:][:4] {
				sums[r] += int32(v&15)*int32(x[4*j+i]) + int32(v>>4)*int32(x[4*j+16+i])
			}
		}
	}
}
