package search

// Drawn is a draw of what the values may be, by cell; nil where they are not known.
func (e Evidence) Drawn(seed uint64, n int) [][]float64 {
	_, p := e.shares(0, seed)
	out := make([][]float64, len(e.Cells))
	for j, row := range p.draw(n) {
		out[p.cells[j]] = row
	}
	return out
}
