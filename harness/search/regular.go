package search

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

const (
	// leastFree is how many degrees of freedom it takes to tell how much of the
	// figures' irregularity is noise.
	leastFree = 20
	// neighbours is how many figures of the nearest values that is told from: F1
	// near its ceiling differs less than that of models that broke.
	neighbours = 50
	// noiseDraws tell how large the noise of the figures is.
	noiseDraws = 100
)

// regular is what the figures of a sweep have in common. It takes a column apart
// into parts: how far it goes with each vector of the basis; then what the models that
// gave a group of cells its answers have of their own; then what a cell has.
type regular struct {
	basis  structure
	groups [][]int // cells, in the order of posterior.cells, of the same answers
	blends []blend // by part
}

// blend draws a part of all columns, given what is seen of it.
type blend struct {
	root []float64 // a lower triangle: root·rootᵀ is the covariance of such parts
	gain []float64 // how much of what is seen, by column, goes to each
}

// newRegular returns nil where the levels are not known or there are too few cells.
// It sets the columns' parts.
func newRegular(p *posterior) *regular {
	levels := make([][]int, len(p.cells))
	for j, i := range p.cells {
		levels[j] = p.Cells[i].Levels
		if len(levels[j]) == 0 || len(levels[j]) != len(levels[0]) {
			return nil
		}
	}
	r := &regular{basis: newStructure(levels)}
	if len(levels)-len(r.basis.basis) < leastFree {
		return nil
	}
	at := map[string]int{}
	for j := range p.cells {
		var units []int
		for _, c := range p.columns {
			if c.answers != nil {
				units = append(units, c.unit[j])
			}
		}
		if units == nil {
			units = []int{j}
		}
		name := fmt.Sprint(units)
		if _, ok := at[name]; !ok {
			at[name] = len(r.groups)
			r.groups = append(r.groups, nil)
		}
		r.groups[at[name]] = append(r.groups[at[name]], j)
	}
	for _, c := range p.columns {
		y := make([]float64, len(c.value))
		for u, v := range c.value {
			y[u] = c.scale(v) // a value of 0 or less has no logarithm
		}
		if finite(y) {
			c.parts = r.split(c.cells(y))
		}
	}
	noise := r.noise(p)
	for k, c := range p.columns {
		if c.parts != nil && !finite(noise[pair{k, k}]) {
			c.parts = nil
		}
	}
	r.blend(p, noise)
	return r
}

func finite(xs []float64) bool {
	return !slices.ContainsFunc(xs, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}

// cells are values of units, by cell.
func (c *column) cells(units []float64) []float64 {
	out := make([]float64, len(c.unit))
	for j, u := range c.unit {
		out[j] = units[u]
	}
	return out
}

// split takes a value a cell apart. Its parts are more than there are cells, so that
// those of groups and cells are not free of each other, and smaller where a vector
// or a group has few cells; each is drawn against its own noise.
func (r *regular) split(y []float64) []float64 {
	out := r.basis.parts(y)
	own := slices.Clone(y)
	floats.Sub(own, r.basis.sum(out))
	for g, mean := range r.means(own) {
		cells := r.groups[g]
		for _, j := range cells {
			own[j] -= mean
		}
		out = append(out, mean*math.Sqrt(float64(len(cells))))
	}
	out = append(out, own...)
	// What rounding leaves of nothing is nothing: a size that no axis but bits changes has
	// no irregularity to go by.
	const rounding = 1e-10
	_, spread := stat.MeanStdDev(y, nil)
	for i, x := range out {
		if math.Abs(x) <= rounding*spread*math.Sqrt(float64(len(y))) {
			out[i] = 0
		}
	}
	return out
}

// join is the other way round.
func (r *regular) join(parts []float64) []float64 {
	out := r.basis.sum(parts[:len(r.basis.basis)])
	groups := parts[len(r.basis.basis):]
	floats.Add(out, groups[len(r.groups):])
	for g, cells := range r.groups {
		for _, j := range cells {
			out[j] += groups[g] / math.Sqrt(float64(len(cells)))
		}
	}
	return out
}

// kinds are parts that are alike. Of the last two, local ones, only those of cells of
// like values are.
func (r *regular) kinds() (out [][]int, local int) {
	from := 0
	ends := append(slices.Clone(r.basis.ends), len(r.basis.basis)+len(r.groups))
	for _, to := range append(ends, ends[len(ends)-1]+len(r.basis.basis[0])) {
		var kind []int
		for ; from < to; from++ {
			kind = append(kind, from)
		}
		out = append(out, kind)
	}
	return out, len(ends) - 1
}

// pair is two columns, the second not after the first.
type pair [2]int

// noise is the mean product of two columns' noise, by part.
func (r *regular) noise(p *posterior) map[pair][]float64 {
	out := map[pair][]float64{}
	for n := range noiseDraws {
		parts := r.parts(p, p.noise(n))
		for k, x := range parts {
			for l, y := range parts[:k+1] {
				if x == nil || y == nil {
					continue
				}
				at := pair{k, l}
				if out[at] == nil {
					out[at] = make([]float64, len(x))
				}
				for i := range x {
					out[at][i] += x[i] * y[i] / noiseDraws
				}
			}
		}
	}
	return out
}

// parts takes a draw of noise apart, by column; nil where the column has no parts.
func (r *regular) parts(p *posterior, noise [][]float64) [][]float64 {
	out := make([][]float64, len(p.columns))
	for k, c := range p.columns {
		if c.parts != nil {
			out[k] = r.split(c.cells(noise[k]))
		}
	}
	return out
}

// size is a mean square: of parts as they are seen, and of true ones.
type size struct{ seen, truth float64 }

// blend sets blends, given the noise.
func (r *regular) blend(p *posterior, noise map[pair][]float64) {
	kinds, local := r.kinds()
	sizes := make([][]size, len(p.columns))
	for k, c := range p.columns {
		own := noise[pair{k, k}]
		c.exact = own != nil && floats.Max(own) == 0
		sizes[k] = make([]size, len(r.basis.basis)+len(r.groups)+len(p.cells))
		if c.parts == nil {
			continue
		}
		values := r.values(c)
		for n, kind := range kinds {
			// A cell alone in its group has nothing beside what the group has.
			live := slices.DeleteFunc(slices.Clone(kind), func(i int) bool { return c.parts[i] == 0 && own[i] == 0 })
			if n < local && len(live) > 0 {
				s := c.size(live, own)
				for _, i := range live {
					sizes[k][i] = s
				}
				continue
			}
			slices.SortFunc(live, func(a, b int) int { return cmp.Or(cmp.Compare(values[a], values[b]), cmp.Compare(a, b)) })
			for o, i := range live {
				sizes[k][i] = c.size(live[max(0, o-neighbours/2):min(len(live), o+neighbours/2+1)], own)
			}
		}
	}
	r.blends = make([]blend, len(sizes[0]))
	for _, kind := range kinds {
		corr := correlation(p.columns, kind, sizes, noise)
		for _, i := range kind {
			r.blends[i] = newBlend(i, corr, sizes, noise)
		}
	}
}

// values are the figures that local parts are of, of a group their mean, by part.
func (r *regular) values(c *column) []float64 {
	cells := c.cells(c.value)
	return slices.Concat(make([]float64, len(r.basis.basis)), r.means(cells), cells)
}

// means are those of the groups' cells.
func (r *regular) means(cells []float64) []float64 {
	out := make([]float64, len(r.groups))
	for g, group := range r.groups {
		for _, j := range group {
			out[g] += cells[j] / float64(len(group))
		}
	}
	return out
}

// size is that of the parts near, with their noise.
func (c *column) size(near []int, noise []float64) size {
	var all, noisy float64
	for _, i := range near {
		all += c.parts[i] * c.parts[i]
		noisy += noise[i]
	}
	n := float64(len(near))
	// No less than its own standard error, since none is never known.
	return size{seen: all / n, truth: max(all-noisy, all*min(1, math.Sqrt(2/n))) / n}
}

// correlation is that of the columns' true parts of a kind.
func correlation(columns []*column, kind []int, sizes [][]size, noise map[pair][]float64) *mat.SymDense {
	out := mat.NewSymDense(len(columns), nil)
	for k := range columns {
		out.SetSym(k, k, 1)
	}
	if len(kind) < 2 {
		return out // one shows nothing of it
	}
	each := mat.NewSymDense(len(columns), nil)
	each.CopySym(out)
	for k := range columns {
		for l := range k {
			var product, most float64
			for _, i := range kind {
				if w := math.Sqrt(sizes[k][i].seen * sizes[l][i].seen); w > 0 {
					product += (columns[k].parts[i]*columns[l].parts[i] - noise[pair{k, l}][i]) / w
					most += math.Sqrt(sizes[k][i].truth*sizes[l][i].truth) / w
				}
			}
			if most > 0 {
				each.SetSym(k, l, max(-1, min(1, product/most)))
			}
		}
	}
	// They were estimated pair by pair: the nearest that all can have.
	var e mat.EigenSym
	if !e.Factorize(each, true) {
		return out
	}
	values := e.Values(nil)
	for i, x := range values {
		values[i] = max(x, 0)
	}
	var v, half, all mat.Dense
	e.VectorsTo(&v)
	half.Mul(&v, mat.NewDiagDense(len(values), values))
	all.Mul(&half, v.T())
	n := float64(len(kind))
	trust := n / (n + float64(len(columns)) + 1) // a few parts show little
	for k := range columns {
		for l := range k {
			out.SetSym(k, l, trust*all.At(k, l)/math.Sqrt(all.At(k, k)*all.At(l, l)))
		}
	}
	return out
}

// newBlend is part i's, by the rules of normal values: what is true of it is, on
// average, truth·(truth + noise)⁻¹ of what is seen.
func newBlend(i int, corr mat.Symmetric, sizes [][]size, noise map[pair][]float64) blend {
	all := len(sizes)
	b := blend{root: make([]float64, all*all), gain: make([]float64, all*all)}
	var some []int // columns that have such parts
	for k := range sizes {
		if sizes[k][i].truth > 0 {
			some = append(some, k)
		}
	}
	if len(some) == 0 {
		return b
	}
	truth, seen := mat.NewSymDense(len(some), nil), mat.NewSymDense(len(some), nil)
	for x, k := range some {
		for y, l := range some[:x+1] {
			t := corr.At(k, l) * math.Sqrt(sizes[k][i].truth*sizes[l][i].truth)
			truth.SetSym(x, y, t)
			seen.SetSym(x, y, t+noise[pair{k, l}][i])
		}
	}
	var root, whole mat.Cholesky
	var low mat.TriDense
	var gain mat.Dense
	if !root.Factorize(truth) || !whole.Factorize(seen) {
		for _, k := range some { // what is seen, then
			b.gain[k*all+k] = 1
		}
		return b
	}
	root.LTo(&low)
	_ = whole.SolveTo(&gain, truth) // it says where columns are of very different sizes, and solves
	for x, k := range some {
		for y, l := range some {
			b.root[k*all+l] = low.At(x, y)
			b.gain[k*all+l] = gain.At(y, x)
		}
	}
	return b
}

// draw draws what may be true of the columns, by unit, on the scale where noise
// adds; nil where a column has no parts. A draw of what such parts are and one of the
// noise make a figure that might have been; the true part is as far from the drawn one
// as the figures let expect (Matheron's rule, part by part).
func (r *regular) draw(p *posterior, noise [][]float64, n int) [][]float64 {
	out := make([][]float64, len(p.columns))
	if r == nil {
		return out
	}
	rng := rand.New(rand.NewPCG(^p.seed, uint64(n))) //nolint:gosec // statistics, not secrets
	parts := r.parts(p, noise)
	all := len(p.columns)
	normal, drawn, far := make([]float64, all), make([]float64, all), make([]float64, all)
	for i, b := range r.blends {
		for k := range normal {
			normal[k] = rng.NormFloat64()
		}
		for k, c := range p.columns {
			if c.parts != nil {
				drawn[k] = floats.Dot(b.root[k*all:(k+1)*all], normal)
				far[k] = c.parts[i] + parts[k][i] - drawn[k]
			}
		}
		for k := range p.columns {
			if parts[k] != nil {
				parts[k][i] = drawn[k] + floats.Dot(b.gain[k*all:(k+1)*all], far)
			}
		}
	}
	for k, c := range p.columns {
		if c.parts == nil {
			continue
		}
		out[k] = make([]float64, len(c.first))
		count := make([]float64, len(c.first))
		for j, v := range r.join(parts[k]) {
			out[k][c.unit[j]] += v
			count[c.unit[j]]++
		}
		floats.Div(out[k], count)
	}
	return out
}
