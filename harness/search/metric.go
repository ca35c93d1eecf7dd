package search

import (
	"fmt"
	"slices"
	"strings"
)

// Metric is a published metric by which cells can be told apart.
type Metric struct {
	Name string // as in tidy rows
	More bool   // more is better
}

// metrics are those that a trial or an evaluation gives.
var metrics = []Metric{
	{"latency_ms_p50", false},
	{"latency_ms_p90", false},
	{"latency_ms_p99", false},
	{"throughput_per_s", true},
	{"prefill_tok_s", true},
	{"model_bytes", false},
	{"peak_rss_bytes", false},
	{"f1_macro", true},
	{"f1_micro", true},
	{"accuracy", true},
	{"kl_div", false},
	{"top1_agree", true},
	{"energy_j", false},
	{"power_w", false},
	{"tops_nominal", true},
	{"tops_executed", true},
	{"tops_per_w", true},
	{"skip_rate", true},
}

// Find returns a metric by name; the error names the nearest.
func Find(name string) (Metric, error) {
	for _, m := range metrics {
		if m.Name == name {
			return m, nil
		}
	}
	return Metric{}, fmt.Errorf("no metric %.40q to search by; the nearest is %s (known: %s)", name, nearest(name), strings.Join(Names(), " "))
}

// Names lists the metrics.
func Names() []string {
	out := make([]string, len(metrics))
	for i, m := range metrics {
		out[i] = m.Name
	}
	return out
}

// MaxObjectives bounds the objectives: with more, nearly every cell is on the
// front.
const MaxObjectives = 5

// Defaults are the objectives of a search that names none. energy_j counts where
// a sensor was read.
func Defaults() []string { return []string{"latency_ms_p50", "f1_macro", "model_bytes", "energy_j"} }

// Objectives finds the metrics of names.
func Objectives(names []string) ([]Metric, error) {
	if len(names) == 0 || len(names) > MaxObjectives {
		return nil, fmt.Errorf("%d objectives: from 1 to %d, such as %s", len(names), MaxObjectives, strings.Join(Defaults(), ","))
	}
	var out []Metric
	for _, name := range names {
		m, err := Find(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, m) {
			return nil, fmt.Errorf("objective %s twice: name each once", name)
		}
		out = append(out, m)
	}
	return out, nil
}

// nearest is the metric with the fewest edits to name, the first of several.
func nearest(name string) string {
	if len(name) > 64 {
		name = name[:64]
	}
	best, least := "", 1<<30
	for _, m := range metrics {
		if d := edits(name, m.Name); d < least {
			best, least = m.Name, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two names, where a name that begins like
// the other is nearer than one that does not.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = 2 * j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = 2 * (i + 1)
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change += 3
			}
			last = row[j+1]
			row[j+1] = min(change, row[j]+2, last+2)
		}
	}
	if a != "" && strings.HasPrefix(b, a) {
		return row[len(b)] / 4
	}
	return row[len(b)]
}
