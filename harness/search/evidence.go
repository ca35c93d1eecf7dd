package search

import (
	"math"
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
	// Levels numbers the cell's value on each axis, from 0; nil = not known, so
	// that nothing tells what is regular.
	Levels []int
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
// those of cells that have but two trials, whose mean hides the skew.
const leastPool = 40

// noise is a pool of trials' deviations from their cell's mean, in logarithms,
// since a slow cell's trials scatter by more milliseconds than a fast one's. It is
// pooled over cells because one to three trials say little of their own scatter.
// Deviations from a median would not do: of three trials one has none. A value that a
// trial lacks is NaN.
type noise [][]float64

func (e Evidence) noise() noise {
	for _, least := range []int{3, 2} {
		var out noise
		for _, c := range e.Cells {
			n := len(c.Trials)
			if n < least {
				continue
			}
			// The mean follows the trials: deviations are too small by this.
			grow := math.Sqrt(float64(n) / float64(n-1))
			rows := make([][]float64, n)
			for r := range rows {
				rows[r] = make([]float64, len(c.Trials[0]))
			}
			for k := range rows[0] {
				var logs []float64 // against the first, so that equal values deviate by nothing at all
				first := math.NaN()
				for r, t := range c.Trials {
					rows[r][k] = math.NaN()
					if math.IsNaN(first) && t[k] > 0 {
						first = t[k]
					}
					if x := math.Log(t[k] / first); !math.IsNaN(x) && !math.IsInf(x, 0) {
						rows[r][k], logs = x, append(logs, x)
					}
				}
				mean := stat.Mean(logs)
				for r := range rows {
					rows[r][k] = grow * (rows[r][k] - mean)
				}
			}
			out = append(out, rows...)
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

// Shares returns for each cell in which share of draws it is on the Pareto front.
// They are draws of what the values may truly be: medians over trials move by
// the pooled deviations, the answers' scores as on resampled items, and both
// towards what is regular in the axes. In a draw, cells that do not meet Where are
// out. A cell that lacks a value is NaN, and so
// are all where no cell has two trials to judge the noise by.
func (e Evidence) Shares(draws int, seed uint64) []float64 {
	values := e.Values()
	out := make([]float64, len(e.Cells))
	pool := e.noise()
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
	p := e.posterior(values, known, pool, seed)
	for n := range draws {
		for i, on := range e.frontOf(p.draw(n)) {
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
func (e Evidence) Front() []bool { return e.frontOf(e.Values()) }

// frontOf is that of cells that have these values, by cell; nil = they are not known.
func (e Evidence) frontOf(values [][]float64) []bool {
	columns := Columns(e.Objectives, e.Where)
	points := make([][]float64, len(values))
	for i, row := range values {
		if row != nil && e.holds(columns, row) {
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
