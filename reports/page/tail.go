package page

import (
	"fmt"
	"strings"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// NotEnough says in one line which percentiles cells lack for want of latencies,
// "" where none does. fewest are the latencies of the shortest valid trial of each
// cell that has one.
func NotEnough(fewest map[string]int) string {
	var parts []string
	for _, name := range []string{"p90", "p99"} {
		lack := stat.Shortage{Need: stat.LeastLatencies("latency_ms_" + name)}
		for _, n := range fewest {
			lack.Add(n)
		}
		if lack.Cells > 0 {
			parts = append(parts, fmt.Sprintf("%s in %d of %d cells (%s)", name, lack.Cells, len(fewest), &lack))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "not enough for " + strings.Join(parts, " and for ")
}

// fewest finds the shortest valid trial of each cell.
func (v *view) fewest() map[string]int {
	out := map[string]int{}
	for _, c := range v.Cells {
		for _, t := range c.Trials {
			if n, known := out[c.ID]; t.Verdict == valid && (!known || t.Samples < n) {
				out[c.ID] = t.Samples
			}
		}
	}
	return out
}

// P90 is the trial's, a dash where its latencies are too few to tell.
func (t Trial) P90() string {
	if t.Samples < stat.LeastLatencies("latency_ms_p90") {
		return "–"
	}
	return number(t.P90MS)
}

// mark marks the valid trials whose median latency lies far from that of the others.
// They stay in every figure.
func (c *cell) mark() {
	c.Outliers = make([]string, len(c.Trials))
	var at []int
	var ms []float64
	for i, t := range c.Trials {
		if t.Verdict == valid && t.Samples > 0 {
			at, ms = append(at, i), append(ms, t.P50MS)
		}
	}
	for _, o := range stat.Outliers(ms) {
		c.Outliers[at[o.Index]] = fmt.Sprintf("outlier: modified z %.1f; it counts", o.Score)
	}
}
