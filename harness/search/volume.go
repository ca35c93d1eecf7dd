package search

import (
	"cmp"
	"math"
	"slices"
)

// Worst returns the worst value of each objective, the corner from which volumes
// are counted; values that are not finite do not count.
func Worst(objectives []Metric, values [][]float64) []float64 {
	out := make([]float64, len(objectives))
	for k, o := range objectives {
		out[k] = math.NaN()
		for _, row := range values {
			v := row[k]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			if math.IsNaN(out[k]) || o.More && v < out[k] || !o.More && v > out[k] {
				out[k] = v
			}
		}
	}
	return out
}

// Volume is the hypervolume that rows of values dominate, up to the reference
// point, in the product of the objectives' units (Zitzler and Thiele 1998). Rows
// that are not better than the reference in every objective add nothing.
func Volume(objectives []Metric, values [][]float64, reference []float64) float64 {
	corner := costs(objectives, reference)
	if len(corner) == 0 {
		return 0
	}
	var points [][]float64
	for _, row := range values {
		p := costs(objectives, row)
		if p == nil {
			continue
		}
		inside := true
		for k := range p {
			inside = inside && p[k] < corner[k]
		}
		if inside {
			points = append(points, p)
		}
	}
	return volume(points, corner)
}

// volume slices the last dimension and adds the slices' volumes, as the first
// algorithms did (HSO, While et al. 2006): exact, and fast enough for the fronts
// of a few hundred cells in at most five objectives.
func volume(points [][]float64, corner []float64) float64 {
	on := front(points)
	kept := make([][]float64, 0, len(points))
	for i, p := range points {
		if on[i] {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		return 0
	}
	last := len(corner) - 1
	if last == 0 {
		return corner[0] - kept[0][0] // equal ones are all that a front in one dimension has
	}
	slices.SortFunc(kept, func(a, b []float64) int { return cmp.Compare(a[last], b[last]) })
	if last == 1 {
		return area(kept, corner)
	}
	var sum float64
	slice := make([][]float64, 0, len(kept))
	for i, p := range kept {
		slice = append(slice, p[:last])
		top := corner[last]
		if i+1 < len(kept) {
			top = kept[i+1][last]
		}
		if depth := top - p[last]; depth > 0 {
			sum += depth * volume(slice, corner[:last])
		}
	}
	return sum
}

// area is that of steps in order of their second coordinate.
func area(steps [][]float64, corner []float64) float64 {
	var sum float64
	reach := corner[0]
	for _, p := range steps {
		if p[0] < reach {
			sum += (reach - p[0]) * (corner[1] - p[1])
			reach = p[0]
		}
	}
	return sum
}
