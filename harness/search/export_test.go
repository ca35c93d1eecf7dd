package search

import "math"

// Drawn is a draw of what the values may be, by cell; nil where they are not known.
func (e Evidence) Drawn(seed uint64, n int) [][]float64 {
	values := e.Values()
	known := make([]bool, len(values))
	for i, v := range values {
		known[i] = true
		for _, x := range v {
			known[i] = known[i] && !math.IsNaN(x)
		}
	}
	p := e.posterior(values, known, e.noise(), seed)
	out := make([][]float64, len(values))
	for j, row := range p.draw(n) {
		out[p.cells[j]] = row
	}
	return out
}
