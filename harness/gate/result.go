package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// Result is what the gate says of a run.
type Result struct {
	Run      string
	Commit   string
	Time     time.Time
	Baseline string   // as it was named
	Runs     []string // that it stood for
	Base     string   // commit that was last known to be good
	Findings []Finding
	Notes    []string
}

// Sort puts what a reader must see first: the worst regressions, then what is not
// told, improvements, and the rest.
func (r *Result) Sort() {
	rank := map[stat.Outcome]int{stat.Regressed: 0, stat.Improved: 1, stat.CannotTell: 2, stat.Same: 3}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Final()], rank[b.Final()]), cmp.Compare(b.size(), a.size()))
	})
}

func (f *Finding) size() float64 { return max(f.Effect.Value, -f.Effect.Value) }

// Final is the verdict with the live series, which decides where one was run.
func (f *Finding) Final() stat.Outcome {
	if f.Live != nil && f.Live.Outcome != stat.CannotTell {
		return f.Live.Outcome
	}
	if f.Live != nil {
		return stat.CannotTell // the series did not confirm it
	}
	return f.Verdict
}

// Count counts the findings of a verdict.
func (r *Result) Count(o stat.Outcome) int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Final() == o {
			n++
		}
	}
	return n
}

// Of returns the findings of a verdict.
func (r *Result) Of(o stat.Outcome) []Finding {
	var out []Finding
	for _, f := range r.Findings {
		if f.Final() == o {
			out = append(out, f)
		}
	}
	return out
}

// Line is the result in one line.
func (r *Result) Line() string {
	return fmt.Sprintf("%d regressed, %d improved, %d same, %d cannot tell, against %s (%d runs)",
		r.Count(stat.Regressed), r.Count(stat.Improved), r.Count(stat.Same), r.Count(stat.CannotTell), r.Baseline, len(r.Runs))
}

// Since names the commits between which a change came.
func (r *Result) Since() string {
	switch {
	case r.Base == "" || r.Commit == "":
		return ""
	case r.Base == r.Commit:
		return fmt.Sprintf("both are of commit %.10s: no change of the code explains it", r.Base)
	}
	return fmt.Sprintf("after commit %.10s, up to %.10s", r.Base, r.Commit)
}

// Why puts a finding into words.
func (f *Finding) Why() string {
	var parts []string
	if c := f.Control; c != nil {
		parts = append(parts, fmt.Sprintf("raw %s, the machine's %s rate %s", Percent(f.Raw), c.Roof, Percent(percentOf(c.Change))))
	}
	if l := f.Live; l != nil {
		parts = append(parts, fmt.Sprintf("interleaved: %s in %d blocks, %s", Percent(l.Change), l.Blocks, l.Outcome))
		if l.Cause != nil {
			parts = append(parts, l.Cause.String())
		}
	}
	if f.Final() == stat.CannotTell && f.Further > 0 {
		parts = append(parts, fmt.Sprintf("about %d more trials a side would tell", f.Further))
	}
	if f.Note != "" {
		parts = append(parts, f.Note)
	}
	return strings.Join(parts, "; ")
}

// Suspects groups the findings that are worth a live series by their cell, the worst
// cells first, at most so many. What a live series cannot measure is left out. With
// open, findings that leave room for a regression come after those that suggest one:
// a few trials of another day often miss what an interleaved series sees.
func (r *Result) Suspects(p Policy, most int, open bool) [][]*Finding {
	groups := map[string][]*Finding{}
	var cells []string
	for i := range r.Findings {
		f := &r.Findings[i]
		if _, err := FindMetrics([]string{f.Metric}); err != nil || !f.Suspect(p) && !(open && f.open(p)) {
			continue
		}
		if groups[f.Cell] == nil {
			cells = append(cells, f.Cell)
		}
		groups[f.Cell] = append(groups[f.Cell], f)
	}
	worst := func(cell string) (rank int, size float64) {
		for _, f := range groups[cell] {
			switch {
			case f.Verdict == stat.Regressed:
				rank = 3
			case f.Watched:
				rank = max(rank, 2)
			case f.Suspect(p):
				rank = max(rank, 1)
			}
			size = max(size, f.size())
		}
		return rank, size
	}
	slices.SortStableFunc(cells, func(a, b string) int {
		ra, sa := worst(a)
		rb, sb := worst(b)
		return cmp.Or(cmp.Compare(rb, ra), cmp.Compare(sb, sa))
	})
	var out [][]*Finding
	for _, cell := range cells[:min(most, len(cells))] {
		out = append(out, groups[cell])
	}
	return out
}
