package kernels

import "fmt"

// IntMatrix is a matrix of rows outputs x cols inputs of signed integers with
// one binary16 scale per output and group of inputs: w = q*scale. Weights of up
// to 4 bits are kept in nibbles, of 5 to 8 bits in bytes. It is read-only.
//
// A panel holds 16 outputs. For each block of 32 inputs it has 8 words (4 for
// nibbles) of 64 bytes; byte 4r+i of word j belongs to output r and input 4j+i.
// A nibble is stored plus 8; the high one belongs to word j+4.
type IntMatrix struct {
	rows, cols  int
	blocks      int // of 32 inputs, the last filled up with zeros
	groupBlocks int // blocks per scale
	groups      int
	nibbles     bool
	panels      []uint8
	scales      []uint16 // per panel [groups][16]
}

// PackInt packs the row-major rows x cols integers q, each within bits bits
// (2 to 8, two's complement), and the binary16 scales, row-major rows x
// ceil(cols/group). group is a multiple of 32.
func PackInt(bits int, q []int8, scale []uint16, rows, cols, group int) *IntMatrix {
	if bits < 2 || bits > 8 || group < blockSize || group%blockSize != 0 {
		panic(fmt.Sprintf("kernels: PackInt of %d bits in groups of %d: needs 2 to 8 bits and a multiple of %d", bits, group, blockSize))
	}
	if rows < 1 || cols < 1 || len(q) != rows*cols || len(scale) != rows*((cols+group-1)/group) {
		panic(fmt.Sprintf("kernels: PackInt of %d integers and %d scales as %d x %d in groups of %d", len(q), len(scale), rows, cols, group))
	}
	m := &IntMatrix{
		rows: rows, cols: cols, nibbles: bits <= 4,
		blocks:      (cols + blockSize - 1) / blockSize,
		groupBlocks: group / blockSize,
		groups:      (cols + group - 1) / group,
	}
	count := (rows + panelRows - 1) / panelRows
	m.panels = aligned[uint8](count * m.panelBytes())
	m.scales = aligned[uint16](count * m.groups * panelRows)
	if m.nibbles {
		for i := range m.panels {
			m.panels[i] = 0x88
		}
	}
	for r := range rows {
		m.packRow(r, q[r*cols:][:cols])
		scales := m.scales[r/panelRows*panelRows*m.groups+r%panelRows:]
		for g, s := range scale[r*m.groups:][:m.groups] {
			scales[g*panelRows] = s
		}
	}
	return m
}

// packRow writes the integers of output r, a block of 32 at a time.
func (m *IntMatrix) packRow(r int, q []int8) {
	panel := m.panels[r/panelRows*m.panelBytes()+r%panelRows*4:]
	for b := range m.blocks {
		var block [blockSize]uint8
		for i, v := range q[b*blockSize : min((b+1)*blockSize, len(q))] {
			block[i] = uint8(v)
			if m.nibbles && (v < -8 || v > 7) {
				panic(fmt.Sprintf("kernels: PackInt: value %d at row %d, column %d does not fit 4 bits", v, r, b*blockSize+i))
			}
		}
		words := panel[b*m.blockBytes():]
		if !m.nibbles {
			for j := range blockSize / 4 {
				copy(words[j*64:][:4], block[4*j:])
			}
			continue
		}
		const half = blockSize / 2
		for j := range half / 4 {
			for i := range 4 {
				words[j*64+i] = (block[4*j+i]+8)&15 | (block[half+4*j+i]+8)<<4
			}
		}
	}
}

// Rows returns the number of outputs.
func (m *IntMatrix) Rows() int { return m.rows }

// Cols returns the number of inputs.
func (m *IntMatrix) Cols() int { return m.cols }

// Bytes returns the memory held by packed weights and scales.
func (m *IntMatrix) Bytes() int64 { return sizeBytes(m.panels) + sizeBytes(m.scales) }

// blockBytes is the size of one block of one panel.
func (m *IntMatrix) blockBytes() int {
	if m.nibbles {
		return blockSize / 2 * panelRows
	}
	return blockSize * panelRows
}

func (m *IntMatrix) panelBytes() int { return m.blocks * m.blockBytes() }

// Mul computes y = a * transpose(W) for the first n tokens of a, which must
// have Cols() values each: token t gives y[t*ldy:][:Rows()].
func (m *IntMatrix) Mul(p *Pool, y []float32, ldy int, a *Acts, n int) {
	if a.cols != m.cols || n > a.n {
		panic(fmt.Sprintf("kernels: Mul of %d tokens on activations of %d tokens x %d values with %d inputs", n, a.n, a.cols, m.cols))
	}
	checkMatrix("y", n, m.rows, ldy, len(y))
	if n <= 0 {
		return
	}
	if p == nil {
		j := mulJob{m: m, tier: Active(), y: y, ldy: ldy, n: n, acts: a}
		j.panels = (m.rows + panelRows - 1) / panelRows
		m.mulPanels(&j, 0, j.panels)
		return
	}
	p.mu.Lock()
	j := &p.job
	j.m, j.tier, j.y, j.ldy, j.n, j.acts = m, Active(), y, ldy, n, a
	p.run(j.cut(p.Threads(), m.rows, m.cols), j)
	j.release()
	p.mu.Unlock()
	p.int8.Add(uint64(m.rows) * uint64(m.cols) * uint64(n))
}
