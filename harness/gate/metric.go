package gate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
)

// Metric is a figure of one trial.
type Metric struct {
	Name, Unit string
	// Less says that less is better.
	Less bool
	// Timed says that it depends on how fast the machine is: it falls with the time
	// that a trial takes where Less is false, and rises with it otherwise.
	Timed bool
	// of returns NaN where the trial has no such figure.
	of func(wire.MeasureResult) float64
}

// Of is the metric of a trial, NaN where it has none.
func (m Metric) Of(r wire.MeasureResult) float64 {
	v := m.of(r)
	if math.IsInf(v, 0) || v <= 0 {
		return math.NaN() // effects are ratios
	}
	return v
}

// OfEnergy says that only trials with an energy sensor have it.
func (m Metric) OfEnergy() bool { return m.Unit == "J" || m.Unit == "W" }

// latency is a quantile of a trial's latencies, ms. A trial of fewer latencies than
// need has none.
func latency(p float64, need int) func(wire.MeasureResult) float64 {
	return func(r wire.MeasureResult) float64 {
		if len(r.Samples) < need {
			return math.NaN()
		}
		xs := make([]float64, len(r.Samples))
		for i, s := range r.Samples {
			xs[i] = s.LatencyMS
		}
		return stat.Quantile(xs, p)
	}
}

// ofEnergy is a figure of a trial that has energy.
func ofEnergy(f func(wire.MeasureResult, wire.Energy) float64) func(wire.MeasureResult) float64 {
	return func(r wire.MeasureResult) float64 {
		if r.Energy == nil {
			return math.NaN()
		}
		return f(r, *r.Energy)
	}
}

// Metrics are the figures that trials have, by their names in tidy rows. Those of a
// row that say the same as another one (tokens a second and items a second) are left
// out.
var Metrics = []Metric{
	{"latency_ms_p50", "ms", true, true, latency(0.5, 1)},
	{"latency_ms_p90", "ms", true, true, latency(0.9, stat.LeastLatencies("latency_ms_p90"))},
	{"latency_ms_p99", "ms", true, true, latency(0.99, stat.LeastLatencies("latency_ms_p99"))},
	{"throughput_per_s", "1/s", false, true, func(r wire.MeasureResult) float64 { return float64(r.Items) / r.WindowS }},
	{"model_bytes", "B", true, false, func(r wire.MeasureResult) float64 { return float64(r.ModelBytes) }},
	{"peak_rss_bytes", "B", true, false, func(r wire.MeasureResult) float64 { return float64(r.PeakRSSBytes) }},
	{"energy_j", "J", true, false, ofEnergy(func(r wire.MeasureResult, e wire.Energy) float64 { return e.GrossJ / float64(r.Items) })},
	{"power_w", "W", true, false, ofEnergy(func(_ wire.MeasureResult, e wire.Energy) float64 { return e.GrossJ / e.WindowS })},
}

// MetricNames lists the metrics of trials.
func MetricNames() []string {
	out := make([]string, len(Metrics))
	for i, m := range Metrics {
		out[i] = m.Name
	}
	return out
}

// FindMetrics returns the metrics of these names; none stands for all.
func FindMetrics(names []string) ([]Metric, error) {
	if len(names) == 0 {
		return Metrics, nil
	}
	var out []Metric
	for _, name := range names {
		i := slices.IndexFunc(Metrics, func(m Metric) bool { return m.Name == name })
		if i < 0 {
			hint := ""
			if near := targets.Nearest(name, MetricNames()); near != "" {
				hint = "; did you mean " + near + "?"
			}
			return nil, fmt.Errorf("metric %q: must be one of %s%s", name, strings.Join(MetricNames(), ", "), hint)
		}
		if !slices.ContainsFunc(out, func(m Metric) bool { return m.Name == name }) {
			out = append(out, Metrics[i])
		}
	}
	return out, nil
}

// lacks counts a cell in where any of its trials has too few latencies for the
// metric.
func (m Metric) lacks(of map[string]*stat.Shortage, trials []store.Trial) bool {
	need := stat.LeastLatencies(m.Name)
	fewest := need
	for _, t := range trials {
		fewest = min(fewest, len(t.Result.Samples))
	}
	if fewest == need {
		return false
	}
	if of[m.Name] == nil {
		of[m.Name] = &stat.Shortage{Need: need}
	}
	return of[m.Name].Add(fewest)
}

// lacking notes what cannot be told.
func lacking(of map[string]*stat.Shortage) (notes []string) {
	for _, m := range Metrics {
		if lack := of[m.Name]; lack != nil {
			notes = append(notes, fmt.Sprintf("cannot tell %s in %d cells: not enough: %v", m.Name, lack.Cells, lack))
		}
	}
	return notes
}
