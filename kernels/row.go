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
	groups := out.panelCount() * out.slots * panelRows
	if u := m.super; u != nil {
		out.super = newSupers(&out, u.groups, u.mins)
	} else {
		out.scales = aligned[uint16](groups)
	}
	if m.mins != nil {
		out.mins = aligned[uint16](groups)
	}
	for i, r := range rows {
		from, to := m.panel(int(r)/panelRows), out.panel(i/panelRows)
		for at := 0; at < len(to); at += wordBytes {
			copy(to[at+i%panelRows*4:][:4], from[at+int(r)%panelRows*4:])
		}
		if m.super == nil {
			moveRow(out.scales, m.scales, m.slots, i, int(r))
			moveRow(out.mins, m.mins, m.slots, i, int(r))
			continue
		}
		for k := range m.supers() {
			d, u := out.super.block(i/panelRows*m.supers()+k), m.super.block(int(r)/panelRows*m.supers()+k)
			moveRow(d.scale, u.scale, 1, i%panelRows, int(r)%panelRows)
			moveRow(d.min, u.min, 1, i%panelRows, int(r)%panelRows)
			moveRow(d.fine, u.fine, m.super.groups, i%panelRows, int(r)%panelRows)
			moveRow(d.fineMin, u.fineMin, m.super.groups, i%panelRows, int(r)%panelRows)
		}
	}
	return &out
}

// moveRow copies row r of src to row i of dst, both [panels][n][16] or empty.
func moveRow[T any](dst, src []T, n, i, r int) {
	if len(src) == 0 {
		return
	}
	d, s := i/panelRows*panelRows*n+i%panelRows, r/panelRows*panelRows*n+r%panelRows
	for k := range n {
		dst[d+k*panelRows] = src[s+k*panelRows]
	}
}
