package sweep

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/runners/compress"
)

// Axes are a cell's coordinates.
type Axes struct {
	Bits       int     `json:"bits"`
	RankRatio  float64 `json:"rank_ratio"`
	PruneRatio float64 `json:"prune_ratio"`
	Threshold  float64 `json:"threshold"`
	Batch      int     `json:"batch"`
	Threads    int     `json:"threads"`
}

// ID is the cell's name on a target: 8b-r0.5-p0-t0.5-n16-c2 is 8 bits, rank
// ratio 0.5, nothing pruned, threshold 0.5, batch 16, two threads; c0 is every
// core that the target has.
func (a Axes) ID() string {
	return strings.Join([]string{
		strconv.Itoa(a.Bits) + "b", "r" + number(a.RankRatio), "p" + number(a.PruneRatio),
		"t" + number(a.Threshold), "n" + strconv.Itoa(a.Batch), "c" + strconv.Itoa(a.Threads),
	}, "-")
}

// CellID is the cell's name within a run and across runs of one model and data
// set: its axes, and the target behind an @ where it is another machine.
func CellID(target string, a Axes) string {
	if target == Local {
		return a.ID()
	}
	return a.ID() + "@" + target
}

// CellsOn returns the cells of one target, the reference first.
func (p Plan) CellsOn(target string) []Axes {
	out := p.Cells()
	for i := range out {
		if out[i].Threads == 0 {
			out[i].Threads = p.Cores[target]
		}
	}
	return out
}

// Cells returns the plan's cells on any of its targets, the reference first.
// Threads of 0 stand for each target's own cores.
func (p Plan) Cells() []Axes {
	counts := p.Threads
	if len(counts) == 0 {
		counts = []int{0}
	}
	var out []Axes
	seen := map[Axes]bool{}
	for b, bits := range p.Bits {
		for r, rank := range p.RankRatio {
			for q, prune := range p.PruneRatio {
				for t, threshold := range p.Threshold {
					for n, batch := range p.Batch {
						for c, threads := range counts {
							a := Axes{bits, rank, prune, threshold, batch, threads}
							if seen[a] || !p.wants([6]bool{b > 0, r > 0, q > 0, t > 0, n > 0, c > 0}) {
								continue
							}
							seen[a] = true
							out = append(out, a)
						}
					}
				}
			}
		}
	}
	return out
}

// wants says whether a cell that departs from the reference on the axes marked
// is in the design.
func (p Plan) wants(departs [6]bool) bool {
	if p.Design == Grid {
		return true
	}
	n := 0
	for _, d := range departs {
		if d {
			n++
		}
	}
	if n <= 2 {
		return true
	}
	rest, moved := true, true // the run-time axes that have more than one value
	for i, values := range []int{len(p.Threshold), len(p.Batch), max(1, len(p.Threads))} {
		rest = rest && !departs[3+i]
		moved = moved && (values == 1 || departs[3+i])
	}
	return departs[0] && departs[1] && departs[2] && (rest || moved)
}

// Recipe is how a cell's artefact is made.
func (p Plan) Recipe(a Axes) compress.Recipe {
	return compress.Recipe{
		Bits: a.Bits, GroupSize: p.GroupSize, Algorithm: p.Algorithm, RankRatio: a.RankRatio, PruneRatio: a.PruneRatio,
		CalibSamples: p.CalibSamples, Seed: p.Seed, Data: p.DataHash,
	}
}

// recipes returns the distinct recipes of the cells, those of one prune ratio
// together, which share work.
func (p Plan) recipes() []compress.Recipe {
	var out []compress.Recipe
	for _, a := range p.Cells() {
		if r := p.Recipe(a); !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b compress.Recipe) int {
		switch {
		case a.PruneRatio < b.PruneRatio:
			return -1
		case a.PruneRatio > b.PruneRatio:
			return 1
		}
		return 0
	})
	return out
}

// Levels numbers the values of each axis, by cell and axis, in ascending order
// from 0.
func Levels(cells []Axes) [][]int {
	out := make([][]int, len(cells))
	for _, value := range []func(Axes) float64{
		func(a Axes) float64 { return float64(a.Bits) },
		func(a Axes) float64 { return a.RankRatio },
		func(a Axes) float64 { return a.PruneRatio },
		func(a Axes) float64 { return a.Threshold },
		func(a Axes) float64 { return float64(a.Batch) },
		func(a Axes) float64 { return float64(a.Threads) },
	} {
		var values []float64
		for _, a := range cells {
			values = append(values, value(a))
		}
		slices.Sort(values)
		values = slices.Compact(values)
		for i, a := range cells {
			level, _ := slices.BinarySearch(values, value(a))
			out[i] = append(out[i], level)
		}
	}
	return out
}
