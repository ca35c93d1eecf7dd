package sweep

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// values are the metric's in the trials that have one.
func (m TrialMetric) values(r *Record, trials []store.Trial) []float64 {
	var xs []float64
	for _, t := range trials {
		if v := m.Of(r, t); !math.IsNaN(v) && !math.IsInf(v, 0) {
			xs = append(xs, v)
		}
	}
	return xs
}

// outliers tells of values of trials that lie far from the others, "" of none. They
// stay in the median, which bears them.
func outliers(xs []float64) string {
	marks := stat.Outliers(xs)
	switch len(marks) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("1 of %d trials is an outlier (modified z %.1f); it counts", len(xs), marks[0].Score)
	}
	return fmt.Sprintf("%d of %d trials are outliers (modified z up to %.1f); they count", len(marks), len(xs), farthest(marks))
}

// farthest is the score of the mark that is farthest from the median.
func farthest(marks []stat.Outlier) float64 {
	z := 0.0
	for _, m := range marks {
		if math.Abs(m.Score) > math.Abs(z) {
			z = m.Score
		}
	}
	return z
}

// outlierCells is how many cells with outliers a line names.
const outlierCells = 3

// Outliers tells in one line which cells have valid trials whose p50 latency lies far
// from that of the others, "" where none has.
func (r *Record) Outliers() string {
	valid := map[string][]store.Trial{}
	for _, t := range r.Trials {
		if t.Result.Verdict == wire.Valid {
			valid[t.Cell] = append(valid[t.Cell], t)
		}
	}
	var parts []string
	cells := 0
	for _, c := range r.Cells {
		text := outliers(timeMetrics[0].values(r, valid[c.ID]))
		if text == "" {
			continue
		}
		if cells++; cells <= outlierCells {
			parts = append(parts, c.ID+": "+text)
		}
	}
	if cells > outlierCells {
		parts = append(parts, fmt.Sprintf("and in %d further cells", cells-outlierCells))
	}
	if cells == 0 {
		return ""
	}
	return "p50 latency of " + strings.Join(parts, "; ")
}
