package page

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/reports/plot"
)

// Search is what is known of one target's Pareto front, and how it was found.
type Search struct {
	Target     string
	Kind       string // how cells were chosen: grid, random or halving
	Objectives []string
	Where      string // the constraint, empty = none
	Cells      []Candidate
	Rounds     []Round // decisions of a search, oldest first
	Curve      []Spent
	Unmeasured string   // what the time did not suffice for, in words
	Notes      []string // how to read it
}

// Candidate is a cell and its chance.
type Candidate struct {
	Cell    string
	P       float64 // probability of being on the front, NaN = unknown
	Front   bool    // by the medians
	Rank    int     // non-dominated rank of the medians, −1 = a value is missing
	Trials  int     // valid ones
	Verdict string  // of the constraint: satisfied, violated or undecided
}

// Round is a decision of a search.
type Round struct{ Number, Repeats, Cells, Dropped, Further int }

// Spent is the share of the final front's hypervolume that the cells had which
// looked best after so many trials.
type Spent struct {
	Trials int
	Share  float64
}

// front is a search with its picture.
type front struct {
	Search
	SVG   template.HTML
	Shown []Candidate // those that may be on the front, the likeliest first
	Rest  int
}

// leastShown is the probability below which a cell is only counted.
const leastShown = 0.01

func (v *view) drawSearches() error {
	for _, s := range v.Searches {
		f := front{Search: s}
		for _, c := range s.Cells {
			if c.P < leastShown && !c.Front {
				f.Rest++
			} else {
				f.Shown = append(f.Shown, c)
			}
		}
		slices.SortStableFunc(f.Shown, func(a, b Candidate) int {
			return cmp.Or(cmp.Compare(known(b.P), known(a.P)), cmp.Compare(a.Cell, b.Cell))
		})
		if len(s.Curve) > 1 {
			line := plot.Series{}
			for _, p := range s.Curve {
				line.X, line.Y = append(line.X, float64(p.Trials)), append(line.Y, 100*p.Share)
			}
			var b strings.Builder
			err := plot.Lines(&b, plot.Dimension{Title: "trials"}, plot.Dimension{Title: "share of hypervolume / %"}, []plot.Series{line})
			if err != nil {
				return fmt.Errorf("front of %s: %w", s.Target, err)
			}
			f.SVG = template.HTML(b.String())
		}
		v.Fronts = append(v.Fronts, f)
	}
	return nil
}

func known(p float64) float64 {
	if math.IsNaN(p) {
		return -1
	}
	return p
}

// chance prints a probability.
func chance(p float64) string {
	switch {
	case math.IsNaN(p):
		return "unknown"
	case p > 0 && p < 0.01:
		return "< 0.01"
	}
	return strconv.FormatFloat(p, 'f', 2, 64)
}
