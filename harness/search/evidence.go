package search

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// Evidence is what is known of the cells of one target. A column is a metric:
// the objectives first, then those that only Where reads.
type Evidence struct {
	Objectives []Metric
	Where      *Where // nil = no constraint
	Cells      []Known
	// Answers are, by the name of a metric of the models' answers, what every
	// subject scored; such a metric needs no trial.
	Answers map[string]Answers
}

// Known is what is known of a cell.
type Known struct {
	// Trials are its valid trials, a row each of Columns' values; NaN where the
	// trial does not tell one.
	Trials [][]float64
	// Subject is the model and threshold whose answers are the cell's; −1 = they
	// are not known.
	Subject int
}

// Answers are a metric's values over subjects that all answered the same items,
// and the values on resampled items, the same items for all of a draw, so that
// what is common to the subjects cancels.
type Answers struct {
	Value []float64   // by subject
	Draws [][]float64 // by draw, then subject
}

// Columns lists the metrics of a row of values.
func Columns(objectives []Metric, where *Where) []Metric {
	out := slices.Clone(objectives)
	if where != nil {
		for _, m := range where.Metrics() {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// Values returns each cell's medians over its trials, and its answers' scores.
func (e Evidence) Values() [][]float64 {
	columns := Columns(e.Objectives, e.Where)
	out := make([][]float64, len(e.Cells))
	var xs []float64
	for i, c := range e.Cells {
		out[i] = make([]float64, len(columns))
		for k, m := range columns {
			if a, ok := e.Answers[m.Name]; ok {
				out[i][k] = score(a.Value, c.Subject)
				continue
			}
			xs = xs[:0]
			for _, t := range c.Trials {
				if !math.IsNaN(t[k]) {
					xs = append(xs, t[k])
				}
			}
			out[i][k] = stat.Median(xs)
		}
	}
	return out
}

func score(values []float64, subject int) float64 {
	if subject < 0 || subject >= len(values) {
		return math.NaN()
	}
	return values[subject]
}

// leastPool is how many trials' deviations a pool needs before it goes without
// those of cells that have but two trials, whose median hides the skew.
const leastPool = 40

// noise is a pool of trials' deviations from their cell's median: logarithms of
// the ratio, since a slow cell's trials scatter by more milliseconds than a fast
// one's. It is pooled over cells because one to three trials say little of their
// own scatter.
type noise [][]float64

func (e Evidence) noise(values [][]float64) noise {
	for _, least := range []int{3, 2} {
		var out noise
		for i, c := range e.Cells {
			n := len(c.Trials)
			if n < least {
				continue
			}
			// The median follows the trials: deviations are too small by about this.
			grow := math.Sqrt(float64(n) / float64(n-1))
			for _, t := range c.Trials {
				row := make([]float64, len(t))
				for k, v := range t {
					if r := math.Log(v / values[i][k]); !math.IsNaN(r) && !math.IsInf(r, 0) {
						row[k] = grow * r
					}
				}
				out = append(out, row)
			}
		}
		if len(out) >= leastPool || least == 2 && len(out) > 0 {
			return out
		}
	}
	return nil
}

// DefaultDraws is how many draws a probability stands on: one of 5 % is then known
// to within 1.4 points.
const DefaultDraws = 1000

// Probabilities returns for each cell the probability that it is on the Pareto
// front, from draws in which the medians over trials are redrawn from the pooled
// deviations and the answers' scores are those of resampled items. In a draw,
// cells that do not meet Where are out. A cell that lacks a value is NaN, and so
// are all where no cell has two trials to judge the noise by.
func (e Evidence) Probabilities(draws int, seed uint64) []float64 {
	values := e.Values()
	out := make([]float64, len(e.Cells))
	pool := e.noise(values)
	known := make([]bool, len(e.Cells))
	for i, v := range values {
		known[i] = pool != nil && costs(e.Objectives, v) != nil && !slices.ContainsFunc(v, math.IsNaN)
		if !known[i] {
			out[i] = math.NaN()
		}
	}
	if pool == nil {
		return out
	}
	d := e.drawer(values, pool)
	points := make([][]float64, len(e.Cells))
	row := make([]float64, len(d.columns))
	for n := range draws {
		rng := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // statistics, not secrets
		for i := range points {
			points[i] = nil
			if !known[i] {
				continue
			}
			d.draw(row, i, n, rng)
			if e.holds(d.columns, row) {
				points[i] = costs(e.Objectives, row)
			}
		}
		for i, on := range front(points) {
			if on {
				out[i]++
			}
		}
	}
	for i := range out {
		out[i] /= float64(draws)
	}
	return out
}

// Front marks the cells whose medians meet Where and are dominated by no other
// such cell's.
func (e Evidence) Front() []bool {
	columns := Columns(e.Objectives, e.Where)
	values := e.Values()
	points := make([][]float64, len(values))
	for i, row := range values {
		if e.holds(columns, row) {
			points[i] = costs(e.Objectives, row)
		}
	}
	return front(points)
}

func (e Evidence) holds(columns []Metric, row []float64) bool {
	if e.Where == nil {
		return true
	}
	return e.Where.Holds(func(name string) float64 {
		return row[slices.IndexFunc(columns, func(m Metric) bool { return m.Name == name })]
	})
}

// drawer redraws rows of values.
type drawer struct {
	Evidence
	columns []Metric
	answers []*Answers // by column; nil = a trial tells it
	values  [][]float64
	pool    noise
	picks   []int
	devs    []float64
}

func (e Evidence) drawer(values [][]float64, pool noise) *drawer {
	d := &drawer{Evidence: e, columns: Columns(e.Objectives, e.Where), values: values, pool: pool}
	for _, m := range d.columns {
		var of *Answers
		if a, ok := e.Answers[m.Name]; ok {
			of = &a
		}
		d.answers = append(d.answers, of)
	}
	return d
}

// draw fills row with values that cell i might truly have. A trial's deviations
// in several metrics stay together.
func (d *drawer) draw(row []float64, i, n int, rng *rand.Rand) {
	c := d.Cells[i]
	d.picks = d.picks[:0]
	for range c.Trials {
		d.picks = append(d.picks, rng.IntN(len(d.pool)))
	}
	for k := range row {
		if a := d.answers[k]; a != nil {
			row[k] = score(a.Value, c.Subject)
			if len(a.Draws) > 0 {
				row[k] = score(a.Draws[n%len(a.Draws)], c.Subject)
			}
			continue
		}
		d.devs = d.devs[:0]
		for _, p := range d.picks {
			d.devs = append(d.devs, d.pool[p][k])
		}
		slices.Sort(d.devs)
		row[k] = d.values[i][k] * math.Exp(-middle(d.devs))
	}
}

// middle is the median of sorted values, 0 of none.
func middle(s []float64) float64 {
	n := len(s)
	if n == 0 {
		return 0
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}
