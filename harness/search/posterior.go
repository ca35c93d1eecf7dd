package search

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// posterior draws what the cells' values may truly be, given their figures.
//
// Adding noise to figures that have noise already would spread the cells twice
// over: in such draws the luckiest of a thousand push true members off the front.
// So figures are drawn towards what is regular in the axes, the more the noisier
// they are: empirical Bayes, by kind of effect, where the size of the true ones is
// what is left of the figures' own after that of the noise (Efron and Morris
// 1975). docs/search.md says what that reaches.
type posterior struct {
	Evidence
	pool    noise
	seed    uint64
	cells   []int // those whose values are known
	columns []*column
}

// column is a metric. Its units are what has a value of its own: a cell, or of
// the models' answers all cells that gave the same ones.
type column struct {
	answers *Answers // nil = a trial tells it
	unit    []int    // by cell in the order of posterior.cells
	first   []int    // by unit: its first cell's place there
	value   []float64
	// The rest is empty where there is too little to tell what is regular.
	basis structure
	pull  []float64 // by unit: how far the figure moves
	keep  []float64 // by vector and then by unit: what is left of the noise
}

const (
	// leastFree is how many degrees of freedom it takes to tell how much of the
	// figures' irregularity is noise.
	leastFree = 20
	// neighbours is how many units of the nearest values that is told from: F1 near
	// its ceiling differs less than that of models that broke.
	neighbours = 50
	// noiseDraws tell how large the noise of the figures is.
	noiseDraws = 100
)

func (e Evidence) posterior(values [][]float64, known []bool, pool noise, seed uint64) *posterior {
	p := &posterior{Evidence: e, pool: pool, seed: seed}
	for i, ok := range known {
		if ok {
			p.cells = append(p.cells, i)
		}
	}
	for k, m := range Columns(e.Objectives, e.Where) {
		c := &column{}
		if a, ok := e.Answers[m.Name]; ok {
			c.answers = &a
		}
		at := map[string]int{}
		for j, i := range p.cells {
			name := fmt.Sprint(i)
			if c.answers != nil {
				name = c.answers.same(e.Cells[i].Subject)
			}
			u, ok := at[name]
			if !ok {
				u = len(c.first)
				at[name] = u
				c.first = append(c.first, j)
				c.value = append(c.value, values[i][k])
			}
			c.unit = append(c.unit, u)
		}
		p.columns = append(p.columns, c)
	}
	p.regular()
	return p
}

// same names what a subject answered: subjects of the same name cannot be told
// apart.
func (a *Answers) same(subject int) string {
	row := []float64{score(a.Value, subject)}
	for _, d := range a.Draws {
		row = append(row, score(d, subject))
	}
	return fmt.Sprint(row)
}

// regular finds how far each figure goes towards the structure.
func (p *posterior) regular() {
	var of structure // of the cells, for all that trials tell
	for _, c := range p.columns {
		if c.answers == nil && len(of.basis) > 0 {
			c.basis = of
			continue
		}
		levels := make([][]int, len(c.first))
		for u, j := range c.first {
			levels[u] = p.Cells[p.cells[j]].Levels
			if len(levels[u]) == 0 || len(levels[u]) != len(levels[0]) {
				levels = nil
				break
			}
		}
		if s := newStructure(levels); len(levels)-len(s.basis) >= leastFree {
			c.basis = s
		}
		if c.answers == nil {
			of = c.basis
		}
	}
	squares := make([][]float64, len(p.columns))
	for n := range noiseDraws {
		for k, e := range p.noise(n) {
			if c := p.columns[k]; c.known() {
				if squares[k] == nil {
					squares[k] = make([]float64, len(c.basis.basis)+len(e))
				}
				for i, x := range c.split(e) {
					squares[k][i] += x * x / noiseDraws
				}
			}
		}
	}
	for k, c := range p.columns {
		noisy := slices.ContainsFunc(squares[k], func(x float64) bool { return x > 0 })
		if !noisy || c.answers == nil && slices.Min(c.value) <= 0 { // which has no logarithm
			c.basis = structure{}
		}
		if c.known() {
			c.shrink(squares[k])
		}
	}
}

// known says whether there is a structure.
func (c *column) known() bool { return len(c.basis.basis) > 0 }

// split takes a value a unit apart: into coefficients by vector, and what is left
// by unit.
func (c *column) split(y []float64) []float64 {
	parts := c.basis.parts(y)
	out := append(parts, y...)
	floats.Sub(out[len(parts):], c.basis.sum(parts))
	return out
}

// join is the other way round.
func (c *column) join(parts []float64) []float64 {
	n := len(c.basis.basis)
	out := c.basis.sum(parts[:n])
	floats.Add(out, parts[n:])
	return out
}

// shrink sets pull and keep, given the mean square of the noise in every part.
func (c *column) shrink(noise []float64) {
	y := make([]float64, len(c.value))
	for u := range y {
		y[u] = c.scale(c.value[u])
	}
	parts := c.split(y)
	c.keep = make([]float64, len(parts))
	share := func(i int, near []int) {
		var all, noisy float64
		for _, j := range near {
			all += parts[j] * parts[j]
			noisy += noise[j]
		}
		n := float64(len(near))
		// No less than its own standard error, since none is never known.
		truth := max(all-noisy, all*min(1, math.Sqrt(2/n))) / n
		if c.keep[i] = 1; noise[i] > 0 {
			c.keep[i] = math.Sqrt(truth / (truth + noise[i]))
		}
	}
	from := 0
	for _, to := range c.basis.ends {
		near := make([]int, 0, to-from)
		for v := from; v < to; v++ {
			near = append(near, v)
		}
		for _, v := range near {
			share(v, near)
		}
		from = to
	}
	order := make([]int, len(y))
	for u := range order {
		order[u] = from + u
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(y[a-from], y[b-from]), cmp.Compare(a, b)) })
	for o, u := range order {
		share(u, order[max(0, o-neighbours/2):min(len(order), o+neighbours/2+1)])
	}
	for i, k := range c.keep {
		parts[i] *= k*k - 1
	}
	c.pull = c.join(parts)
}

// scale is where noise adds: logarithms for what trials tell.
func (c *column) scale(v float64) float64 {
	if c.answers == nil {
		return math.Log(v)
	}
	return v
}

// noise draws the noise of every unit's figure, by column. A trial's deviations
// in several metrics stay together, and so do the subjects' on resampled items.
func (p *posterior) noise(n int) [][]float64 {
	rng := rand.New(rand.NewPCG(p.seed, uint64(n))) //nolint:gosec // statistics, not secrets
	out := make([][]float64, len(p.columns))
	for k, c := range p.columns {
		out[k] = make([]float64, len(c.first))
		if c.answers == nil || len(c.answers.Draws) == 0 {
			continue
		}
		drawn := c.answers.Draws[n%len(c.answers.Draws)]
		for u, j := range c.first {
			out[k][u] = c.value[u] - score(drawn, p.Cells[p.cells[j]].Subject)
		}
	}
	var picks []int
	var devs []float64
	for j, i := range p.cells {
		picks = picks[:0]
		for range p.Cells[i].Trials {
			picks = append(picks, rng.IntN(len(p.pool)))
		}
		for k, c := range p.columns {
			if c.answers != nil {
				continue
			}
			devs = devs[:0]
			for _, at := range picks {
				if d := p.pool[at][k]; !math.IsNaN(d) {
					devs = append(devs, d)
				}
			}
			if len(devs) > 0 {
				out[k][c.unit[j]] = -stat.Median(devs)
			}
		}
	}
	return out
}

// front marks the cells that are on the front where the known ones have these values.
func (p *posterior) front(rows [][]float64) []bool {
	columns := Columns(p.Objectives, p.Where)
	points := make([][]float64, len(p.Cells))
	for j, row := range rows {
		if p.holds(columns, row) {
			points[p.cells[j]] = costs(p.Objectives, row)
		}
	}
	return front(points)
}

// draw returns what the cells' values may be, by known cell and column.
func (p *posterior) draw(n int) [][]float64 {
	rows := make([][]float64, len(p.cells))
	for j := range rows {
		rows[j] = make([]float64, len(p.columns))
	}
	for k, e := range p.noise(n) {
		c := p.columns[k]
		if c.known() {
			parts := c.split(e)
			floats.Mul(parts, c.keep)
			e = c.join(parts)
			floats.Add(e, c.pull)
		}
		for j, u := range c.unit {
			if rows[j][k] = c.value[u] + e[u]; c.answers == nil {
				rows[j][k] = c.value[u] * math.Exp(e[u])
			}
		}
	}
	return rows
}
