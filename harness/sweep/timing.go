package sweep

import (
	"math"
	"slices"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Timing is what figures take from the samples of one trial. Times are in
// milliseconds, NaN without samples.
type Timing struct {
	Samples                           int
	MinMS, P50MS, P90MS, P99MS, MaxMS float64
}

// timingOf reorders ms.
func timingOf(ms []float64) Timing {
	if len(ms) == 0 {
		nan := math.NaN()
		return Timing{0, nan, nan, nan, nan, nan}
	}
	q := stat.Quantiles(ms, 0.5, 0.9, 0.99)
	return Timing{Samples: len(ms), MinMS: slices.Min(ms), P50MS: q[0], P90MS: q[1], P99MS: q[2], MaxMS: slices.Max(ms)}
}

// Timing is that of one of the record's trials.
func (r *Record) Timing(t store.Trial) Timing {
	if known, ok := r.timings[t.ID]; ok {
		return known
	}
	return timingOf(latencies(t.Result))
}

// latencies returns a trial's samples in milliseconds.
func latencies(m wire.MeasureResult) []float64 {
	out := make([]float64, len(m.Samples))
	for i, s := range m.Samples {
		out[i] = s.LatencyMS
	}
	return out
}

// TrialMetric is a figure of one trial. That of a cell is the median over its valid
// trials.
type TrialMetric struct {
	Name, Unit string
	of         func(wire.MeasureResult, Timing) float64 // NaN where the trial has none
}

// Of is the figure of one of the record's trials, NaN where it has none or too few
// latencies to tell it.
func (m TrialMetric) Of(r *Record, t store.Trial) float64 {
	x := r.Timing(t)
	if r.tooFew(m.Name, x.Samples) != "" {
		return math.NaN()
	}
	return m.of(t.Result, x)
}

// TrialMetrics lists the figures of a trial in the order of the rows.
func TrialMetrics() []TrialMetric {
	return slices.Concat(timeMetrics, sizeMetrics, workMetrics, energyMetrics)
}

var (
	timeMetrics = []TrialMetric{
		{"latency_ms_p50", "ms", func(_ wire.MeasureResult, t Timing) float64 { return t.P50MS }},
		{"latency_ms_p90", "ms", func(_ wire.MeasureResult, t Timing) float64 { return t.P90MS }},
		{"latency_ms_p99", "ms", func(_ wire.MeasureResult, t Timing) float64 { return t.P99MS }},
		{"throughput_per_s", "1/s", func(m wire.MeasureResult, _ Timing) float64 { return float64(m.Items) / m.WindowS }},
		{"prefill_tok_s", "1/s", func(m wire.MeasureResult, _ Timing) float64 { return float64(m.Tokens) / m.WindowS }},
	}
	sizeMetrics = []TrialMetric{
		{"model_bytes", "B", func(m wire.MeasureResult, _ Timing) float64 { return float64(m.ModelBytes) }},
		{"peak_rss_bytes", "B", func(m wire.MeasureResult, _ Timing) float64 { return float64(m.PeakRSSBytes) }},
	}
	// Work is a multiply and an addition for each multiply-accumulate.
	workMetrics = []TrialMetric{
		{"tops_nominal", "TOPS", func(m wire.MeasureResult, _ Timing) float64 { return tera(m.DenseMAC, m.WindowS) }},
		{"tops_executed", "TOPS", func(m wire.MeasureResult, _ Timing) float64 { return tera(m.ExecutedMAC, m.WindowS) }},
	}
	// Energy is that of one item, gross, as the total rule adds the rails up.
	energyMetrics = []TrialMetric{
		{"energy_j", "J", withEnergy(func(m wire.MeasureResult, e wire.Energy) float64 { return e.GrossJ / float64(m.Items) })},
		{"power_w", "W", withEnergy(func(_ wire.MeasureResult, e wire.Energy) float64 { return e.GrossJ / e.WindowS })},
		{"tops_per_w", "TOPS/W", withEnergy(func(m wire.MeasureResult, e wire.Energy) float64 {
			return 2 * float64(m.ExecutedMAC) / 1e12 / e.GrossJ
		})},
	}
)

func tera(mac uint64, seconds float64) float64 { return 2 * float64(mac) / seconds / 1e12 }

// counted says whether a sensor counted anything: no work is done without energy,
// and a counter that rests is no measurement.
func counted(e *wire.Energy) bool { return e != nil && e.GrossJ > 0 }

func withEnergy(of func(wire.MeasureResult, wire.Energy) float64) func(wire.MeasureResult, Timing) float64 {
	return func(m wire.MeasureResult, _ Timing) float64 {
		if !counted(m.Energy) {
			return math.NaN()
		}
		return of(m, *m.Energy)
	}
}
