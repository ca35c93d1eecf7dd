package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/reports/page"
)

// mostOnFront cells of a front are printed; the report has them all.
const mostOnFront = 15

// printFronts prints the cells that are most likely on each target's Pareto front.
func printFronts(w io.Writer, searches []page.Search) {
	for _, s := range searches {
		on := slices.DeleteFunc(slices.Clone(s.Cells), func(c page.Candidate) bool { return !c.Front })
		slices.SortStableFunc(on, func(a, b page.Candidate) int { return cmp.Compare(b.P, a.P) })
		fmt.Fprintf(w, "\nPareto front of %s", strings.Join(s.Objectives, ", "))
		if len(searches) > 1 {
			fmt.Fprintf(w, " on %s", s.Target)
		}
		if s.Where != "" {
			fmt.Fprintf(w, " where %s", s.Where)
		}
		fmt.Fprintf(w, ": %d of %d cells\n", len(on), len(s.Cells))
		for _, c := range on[:min(len(on), mostOnFront)] {
			p := "P = ?   "
			if !search.Unknown(c.P) {
				p = fmt.Sprintf("P = %.2f", c.P)
			}
			fmt.Fprintf(w, "  %s  %s", p, c.Cell)
			if c.Verdict != "" {
				fmt.Fprintf(w, "  %s", c.Verdict)
			}
			fmt.Fprintln(w)
		}
		if rest := len(on) - mostOnFront; rest > 0 {
			fmt.Fprintf(w, "  and %d more\n", rest)
		}
		if s.Unmeasured != "" {
			fmt.Fprintf(w, "not measured: %s\n", s.Unmeasured)
		}
	}
}
