package kernels

import "fmt"

// Row writes the cols values of output i to dst.
func (m *packed[E]) Row(dst []float32, i int) {
	if i < 0 || i >= m.rows || len(dst) != m.cols {
		panic(fmt.Sprintf("kernels: row %d into %d values from %d x %d", i, len(dst), m.rows, m.cols))
	}
	panel := m.panels[i/panelRows*panelRows*m.cols+i%panelRows:]
	for k := range dst {
		dst[k] = widen(panel[k*panelRows])
	}
}

// Select returns a matrix of the given outputs of m.
func (m *F32Matrix) Select(rows []int32) *F32Matrix { return &F32Matrix{m.selected(rows)} }

// Select is like [F32Matrix.Select].
func (m *BF16Matrix) Select(rows []int32) *BF16Matrix { return &BF16Matrix{m.selected(rows)} }

func (m *packed[E]) selected(rows []int32) packed[E] {
	whole := (len(rows) + panelRows - 1) / panelRows * panelRows
	out := packed[E]{rows: len(rows), cols: m.cols, panels: aligned[E](whole * m.cols)}
	for i, r := range rows {
		from := m.panels[int(r)/panelRows*panelRows*m.cols+int(r)%panelRows:]
		to := out.panels[i/panelRows*panelRows*m.cols+i%panelRows:]
		for k := range m.cols {
			to[k*panelRows] = from[k*panelRows]
		}
	}
	return out
}

// Select is like [F32Matrix.Select].
func (m *IntMatrix) Select(rows []int32) *IntMatrix {
	out := *m
	out.rows = len(rows)
	out.panels = aligned[uint8](out.panelCount() * out.panelBytes())
	out.scales = aligned[uint16](out.panelCount() * out.slots * panelRows)
	if m.mins != nil {
		out.mins = aligned[uint16](len(out.scales))
	}
	for i, r := range rows {
		from, to := m.panel(int(r)/panelRows), out.panel(i/panelRows)
		for at := 0; at < len(to); at += wordBytes {
			copy(to[at+i%panelRows*4:][:4], from[at+int(r)%panelRows*4:])
		}
		s, d := m.scaleAt(int(r)), out.scaleAt(i)
		for g := range m.slots {
			out.scales[d+g*panelRows] = m.scales[s+g*panelRows]
			if m.mins != nil {
				out.mins[d+g*panelRows] = m.mins[s+g*panelRows]
			}
		}
	}
	return &out
}
