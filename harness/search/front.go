package search

import (
	"cmp"
	"math"
	"slices"
)

// costs turns values into what is to be small in every column. A point with a
// value that is not finite has no place: it is nil.
func costs(objectives []Metric, values []float64) []float64 {
	out := make([]float64, len(objectives))
	for k, o := range objectives {
		v := values[k]
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		if o.More {
			v = -v
		}
		out[k] = v
	}
	return out
}

// dominates says whether a is nowhere worse than b and somewhere better.
func dominates(a, b []float64) bool {
	better := false
	for k, v := range a {
		if v > b[k] {
			return false
		}
		better = better || v < b[k]
	}
	return better
}

// front marks the points that none dominates; equal points stand side by side.
// Nil points are not on it. It takes points in lexical order, so that only those
// already on the front can dominate the next.
func front(points [][]float64) []bool {
	order := make([]int, 0, len(points))
	for i, p := range points {
		if p != nil {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(slices.Compare(points[i], points[j]), cmp.Compare(i, j)) })
	on := make([]bool, len(points))
	var kept [][]float64
	for _, i := range order {
		if slices.ContainsFunc(kept, func(q []float64) bool { return dominates(q, points[i]) }) {
			continue
		}
		on[i] = true
		kept = append(kept, points[i])
	}
	return on
}

// Front marks the cells whose values no other cell's dominate. values are one row
// a cell in the order of objectives; a row with a value that is not finite is not
// on the front.
func Front(objectives []Metric, values [][]float64) []bool {
	points := make([][]float64, len(values))
	for i, v := range values {
		points[i] = costs(objectives, v)
	}
	return front(points)
}

// ranks numbers the fronts that are left when the ones before are taken away, from
// 0 (Goldberg's non-dominated rank); −1 for nil points.
func ranks(points [][]float64) []int {
	out := make([]int, len(points))
	rest := slices.Clone(points)
	left := 0
	for i, p := range rest {
		out[i] = -1
		if p != nil {
			left++
		}
	}
	for rank := 0; left > 0; rank++ {
		for i, on := range front(rest) {
			if on {
				out[i], rest[i] = rank, nil
				left--
			}
		}
	}
	return out
}
