package kernels

import (
	"fmt"
	"unsafe"
)

// IntMatrix is a matrix of rows outputs x cols inputs of signed integers with
// one binary16 scale, and maybe one binary16 minimum, per output and group of
// inputs: w = q*scale + min. Integers take as many bits as they have (7 take
// 8). Once its rows are set it is read-only.
//
// A panel holds 16 outputs, a word four inputs of each (see format).
type IntMatrix struct {
	rows, cols int
	format     format
	blocks     int // of 32 inputs, the last filled up with zeros
	group      int // inputs per scale
	groups     int // scales of a row
	slots      int // places for them: two a block where group is 16
	panels     []uint8
	scales     []uint16     // per panel [slots][16]
	mins       []uint16     // likewise, nil if there are none
	super      *superScales // in place of both, nil if there is none
}

// NewInt returns a matrix with scales of 0 and room for integers of 2 to 8 bits. group
// is a multiple of 32, or 16 with 6 bits; minimums go with up to 4 bits.
func NewInt(bits, rows, cols, group int, mins bool) *IntMatrix {
	m := newInt(bits, rows, cols, group, mins)
	m.scales = arena[uint16](m, m.panelCount()*m.slots*panelRows)
	if mins {
		m.mins = arena[uint16](m, len(m.scales))
	}
	return m
}

// newInt is NewInt still without scales.
func newInt(bits, rows, cols, group int, mins bool) *IntMatrix {
	switch {
	case bits < 2 || bits > 8:
		panic(fmt.Sprintf("kernels: NewInt of %d bits: needs 2 to 8", bits))
	case group != 16 && (group < blockSize || group%blockSize != 0) || group == 16 && bits != 6:
		panic(fmt.Sprintf("kernels: NewInt of %d bits in groups of %d: needs a multiple of %d, or 16 with 6 bits", bits, group, blockSize))
	case mins && bits > 4:
		panic(fmt.Sprintf("kernels: NewInt of %d bits with minimums: needs at most 4", bits))
	case rows < 1 || cols < 1:
		panic(fmt.Sprintf("kernels: NewInt of %d x %d", rows, cols))
	}
	m := &IntMatrix{
		rows: rows, cols: cols, format: formatOf(bits), group: group,
		blocks: (cols + blockSize - 1) / blockSize,
		groups: (cols + group - 1) / group,
	}
	m.slots = m.groups
	if group < blockSize {
		m.slots = 2 * m.blocks
	}
	m.panels = arena[uint8](m, m.panelCount()*m.panelBytes())
	return m
}

// PackInt packs the row-major rows x cols integers q, each within bits bits
// (2 to 8, two's complement), and the binary16 scales, row-major rows x
// ceil(cols/group).
func PackInt(bits int, q []int8, scale []uint16, rows, cols, group int) *IntMatrix {
	m := NewInt(bits, rows, cols, group, false)
	if len(q) != rows*cols {
		panic(fmt.Sprintf("kernels: PackInt of %d integers as %d x %d", len(q), rows, cols))
	}
	m.SetRows(0, q, scale, nil)
	return m
}

// SetRows writes the rows from row from on, a multiple of 16: integers row-major
// [n][cols], scales and minimums (nil in a matrix without) [n][groups]. n is a
// multiple of 16 or reaches the last row. Calls for different rows may run at
// the same time.
func (m *IntMatrix) SetRows(from int, q []int8, scale, min []uint16) {
	n := m.setIntegers(from, q)
	if m.super != nil || len(scale) != n*m.groups || m.mins == nil && min != nil || m.mins != nil && len(min) != len(scale) {
		panic(fmt.Sprintf("kernels: SetRows of %d scales and %d minimums for %d rows of %d groups", len(scale), len(min), n, m.groups))
	}
	for i := range n {
		at := m.scaleAt(from + i)
		for g := range m.groups {
			m.scales[at+g*panelRows] = scale[i*m.groups+g]
			if min != nil {
				m.mins[at+g*panelRows] = min[i*m.groups+g]
			}
		}
	}
}

// setIntegers packs the integers of rows from row from on and returns their number.
func (m *IntMatrix) setIntegers(from int, q []int8) int {
	n := len(q) / m.cols
	if from%panelRows != 0 || len(q) != n*m.cols || from+n > m.rows || n%panelRows != 0 && from+n != m.rows {
		panic(fmt.Sprintf("kernels: SetRows of %d integers from row %d of %d x %d", len(q), from, m.rows, m.cols))
	}
	for i := 0; i < n; i += panelRows {
		rows := min(panelRows, n-i)
		m.setPanel((from+i)/panelRows, q[i*m.cols:][:rows*m.cols])
	}
	return n
}

// setPanel packs the rows of one panel, fewer than 16 in the last one.
func (m *IntMatrix) setPanel(p int, q []int8) {
	panel, size := m.panel(p), m.format.blockBytes()
	rows := len(q) / m.cols
	bytes := unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(q))), len(q))
	if rows == panelRows && m.cols%blockSize == 0 && packPanel(m.format, panel, q, m.cols) {
		return
	}
	if rows < panelRows {
		m.format.fillZero(panel)
	}
	for r := range rows {
		row := bytes[r*m.cols:][:m.cols]
		for b := range m.blocks {
			var x [quads]uint32
			loadQuads(&x, row[b*blockSize:])
			if !m.format.fits(&x) {
				panic(fmt.Sprintf("kernels: a value of row %d, columns %d to %d does not fit %d bits", p*panelRows+r, b*blockSize, b*blockSize+blockSize-1, m.format))
			}
			m.format.pack(panel[b*size:][:size], r, &x)
		}
	}
}

// loadQuads reads up to 32 bytes, filling up with zeros.
func loadQuads(x *[quads]uint32, b []uint8) {
	var short [blockSize]uint8
	if len(b) < blockSize {
		copy(short[:], b)
		b = short[:]
	}
	*x = *(*[quads]uint32)(unsafe.Pointer(unsafe.SliceData(b)))
}

// Rows returns the number of outputs.
func (m *IntMatrix) Rows() int { return m.rows }

// Cols returns the number of inputs.
func (m *IntMatrix) Cols() int { return m.cols }

// Bytes returns the memory held by packed weights, scales and minimums.
func (m *IntMatrix) Bytes() int64 {
	n := sizeBytes(m.panels) + sizeBytes(m.scales) + sizeBytes(m.mins)
	if m.super != nil {
		n += sizeBytes(m.super.bytes)
	}
	return n
}

func (m *IntMatrix) panelCount() int { return (m.rows + panelRows - 1) / panelRows }
func (m *IntMatrix) panelBytes() int { return m.blocks * m.format.blockBytes() }

func (m *IntMatrix) panel(p int) []uint8 {
	return m.panels[p*m.panelBytes():][:m.panelBytes()]
}

// scaleAt is the index of output r's first scale; the next is panelRows on.
func (m *IntMatrix) scaleAt(r int) int { return r/panelRows*panelRows*m.slots + r%panelRows }

// Row writes the cols values of row r to dst.
func (m *IntMatrix) Row(dst []float32, r int) {
	dst = dst[:m.cols]
	panel, size := m.panel(r/panelRows), m.format.blockBytes()
	for b := range m.blocks {
		var x [quads]uint32
		m.format.unpack(&x, panel[b*size+r%panelRows*4:])
		values := (*[blockSize]int8)(unsafe.Pointer(&x))
		to := dst[b*blockSize:]
		to = to[:min(blockSize, len(to))]
		step := min(m.group, blockSize)
		for at := 0; at < len(to); at += step {
			scale, minimum := m.rowScale(r, (b*blockSize+at)/m.group)
			for i := at; i < min(at+step, len(to)); i++ {
				to[i] = float32(values[i])*scale + minimum
			}
		}
	}
}
