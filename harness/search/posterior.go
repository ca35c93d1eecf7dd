package search

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// posterior draws what the cells' values may truly be, given their figures.
//
// Adding noise to figures that have noise already would spread the cells twice
// over: in such draws the luckiest of a thousand push true members off the front.
// So figures are drawn towards what is regular in the axes, the more the noisier
// they are: empirical Bayes, by kind of effect, where the size of the true ones is
// what is left of the figures' own after that of the noise (Efron and Morris
// 1975). Metrics are drawn together: what an irregular model gains in F1 it pays for
// in time, and draws that forget it dominate true members of the front. docs/search.md
// says what that reaches.
type posterior struct {
	Evidence
	pool    noise
	seed    uint64
	cells   []int // those whose values are known
	columns []*column
	regular *regular // nil = there is too little to tell what is
}

// column is a metric. Its units are what has a value of its own: a cell, or of
// the models' answers all cells that gave the same ones.
type column struct {
	answers *Answers // nil = a trial tells it
	unit    []int    // by cell in the order of posterior.cells
	first   []int    // by unit: its first cell's place there
	value   []float64
	// The rest is not set where nothing regular is looked for.
	parts []float64 // of the figures, on the scale where noise adds
	exact bool      // the figures have no noise
}

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
	p.regular = newRegular(p)
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

// draw returns what the cells' values may be, by cell and column; nil where they are
// not known.
func (p *posterior) draw(n int) [][]float64 {
	rows := make([][]float64, len(p.Cells))
	for _, i := range p.cells {
		rows[i] = make([]float64, len(p.columns))
	}
	noise := p.noise(n)
	drawn := p.regular.draw(p, noise, n)
	for k, c := range p.columns {
		for j, u := range c.unit {
			v := c.value[u]
			switch {
			case c.exact:
			case drawn[k] != nil && c.answers == nil:
				v = math.Exp(drawn[k][u])
			case drawn[k] != nil:
				v = drawn[k][u]
			case c.answers == nil:
				v *= math.Exp(noise[k][u])
			default:
				v += noise[k][u]
			}
			rows[p.cells[j]][k] = v
		}
	}
	return rows
}
