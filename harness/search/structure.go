package search

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// structure spans what is regular in a metric of cells: a constant, an effect of
// every level of every axis, and one of every pair of levels of two axes.
type structure struct {
	basis [][]float64 // orthonormal, by vector and cell
	ends  []int       // of the vectors of each of these effects
}

// newStructure spans as much of that, axis by axis and then pair by pair, as
// leaves at least half of the cells' degrees of freedom to what is not regular.
// levels are by cell and axis.
func newStructure(levels [][]int) structure {
	var s structure
	n := len(levels)
	if n == 0 {
		return s
	}
	axes := make([][][]float64, len(levels[0]))
	for a := range axes {
		axes[a] = indicators(levels, a)
	}
	one := make([]float64, n)
	for i := range one {
		one[i] = 1
	}
	groups := append([][][]float64{{one}}, axes...)
	for a := range axes {
		for b := range a {
			var pairs [][]float64
			for _, x := range axes[a] {
				for _, y := range axes[b] {
					pairs = append(pairs, floats.MulTo(make([]float64, n), x, y))
				}
			}
			groups = append(groups, pairs)
		}
	}
	for _, g := range groups {
		wider := s.and(g)
		if 2*len(wider.basis) > n {
			break
		}
		s = wider
	}
	return s
}

// indicators are, by level of an axis, 1 for the cells that have it.
func indicators(levels [][]int, axis int) [][]float64 {
	var out [][]float64
	for i, l := range levels {
		for len(out) <= l[axis] {
			out = append(out, make([]float64, len(levels)))
		}
		out[l[axis]][i] = 1
	}
	return out
}

// and spans an effect's columns, by Gram and Schmidt, twice over for the rounding;
// what is spanned already adds nothing.
func (s structure) and(columns [][]float64) structure {
	out := structure{slices.Clip(s.basis), s.ends}
	for _, c := range columns {
		whole := floats.Dot(c, c)
		v := slices.Clone(c)
		for range 2 {
			for _, q := range out.basis {
				floats.AddScaled(v, -floats.Dot(q, v), q)
			}
		}
		const spanned = 1e-9 // of a column's square, which rounding may leave
		if left := floats.Dot(v, v); left > spanned*whole {
			floats.Scale(1/math.Sqrt(left), v)
			out.basis = append(out.basis, v)
		}
	}
	out.ends = append(slices.Clip(s.ends), len(out.basis))
	return out
}

// parts are the coefficients of y, a value a cell, by vector.
func (s structure) parts(y []float64) []float64 {
	out := make([]float64, len(s.basis))
	for v, q := range s.basis {
		out[v] = floats.Dot(q, y)
	}
	return out
}

// sum is a value a cell, of coefficients by vector.
func (s structure) sum(parts []float64) []float64 {
	if len(s.basis) == 0 {
		return nil
	}
	out := make([]float64, len(s.basis[0]))
	for v, q := range s.basis {
		floats.AddScaled(out, parts[v], q)
	}
	return out
}
