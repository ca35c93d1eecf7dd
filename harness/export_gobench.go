package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// benchUnit is how a metric is called in the Go benchmark format.
type benchUnit struct {
	name   string
	scale  float64
	higher bool // is better
}

var benchUnits = map[string]benchUnit{
	"latency_ms_p50":   {"sec/op", 1e-3, false},
	"latency_ms_p90":   {"p90-sec/op", 1e-3, false},
	"latency_ms_p99":   {"p99-sec/op", 1e-3, false},
	"throughput_per_s": {"items/sec", 1, true},
	"prefill_tok_s":    {"tokens/sec", 1, true},
	"model_bytes":      {"model-B", 1, false},
	"peak_rss_bytes":   {"peak-RSS-B", 1, false},
	"tops_nominal":     {"nominal-TOPS", 1, true},
	"tops_executed":    {"executed-TOPS", 1, true},
	"energy_j":         {"J/item", 1, false},
	"power_w":          {"W", 1, false},
	"tops_per_w":       {"TOPS/W", 1, true},
	"f1_macro":         {"f1-macro", 1, true},
	"f1_micro":         {"f1-micro", 1, true},
	"accuracy":         {"accuracy", 1, true},
	"perplexity":       {"perplexity", 1, false},
	"kl_div":           {"KL-nat", 1, false},
	"top1_agree":       {"top1-agreement", 1, true},
	"skip_rate":        {"skip-rate", 1, true},
}

// writeBenchmarks writes a line for every valid trial, so that benchstat has as
// many values of a cell as there were trials, and one for the quality of each cell,
// which repeats do not change.
func writeBenchmarks(w io.Writer, r *sweep.Record, rows []stat.Row) error {
	out := benchfmt.NewWriter(w)
	for _, row := range rows {
		u, ok := benchUnits[row.Metric]
		if !ok || row.Cell != rows[0].Cell {
			continue
		}
		better := "lower"
		if u.higher {
			better = "higher"
		}
		err := out.Write(&benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: u.name, Key: "better"}, OrigUnit: u.name, Value: better})
		if err != nil {
			return fmt.Errorf("writing benchmarks: %w", err)
		}
	}
	quality := map[string][]benchfmt.Value{}
	timed := map[string]bool{}
	for _, m := range sweep.TrialMetrics() {
		timed[m.Name] = true
	}
	for _, row := range rows {
		if u, ok := benchUnits[row.Metric]; ok && !timed[row.Metric] && row.Available() {
			quality[row.Cell] = append(quality[row.Cell], benchfmt.Value{Value: *row.Value * u.scale, Unit: u.name})
		}
	}
	for _, c := range r.Cells {
		threads := 0
		for _, t := range r.Trials {
			if t.Cell != c.ID || t.Result.Verdict != wire.Valid {
				continue
			}
			threads = t.Result.Threads
			result := benchmark("Trial", r, c, t.Result.Env, threads)
			result.Iters, result.Values = r.Timing(t).Samples, trialValues(r, t)
			if err := out.Write(result); err != nil {
				return fmt.Errorf("writing benchmarks: %w", err)
			}
		}
		if values := quality[c.ID]; len(values) > 0 && threads > 0 {
			result := benchmark("Quality", r, c, r.EnvironmentOf(c.Target), threads)
			result.Iters, result.Values = 1, values
			if err := out.Write(result); err != nil {
				return fmt.Errorf("writing benchmarks: %w", err)
			}
		}
	}
	return nil
}

// benchmark is a result without values. Its name says where in the grid it is,
// its configuration what all cells of a target share.
func benchmark(kind string, r *sweep.Record, c sweep.RecordedCell, env wire.Environment, threads int) *benchfmt.Result {
	a := c.Axes
	name := fmt.Sprintf("%s/target=%s/bits=%d/rank=%s/prune=%s/threshold=%s/batch=%d-%d", kind, c.Target, a.Bits, plain(a.RankRatio), plain(a.PruneRatio), plain(a.Threshold), a.Batch, threads)
	result := &benchfmt.Result{Name: benchfmt.Name(name)}
	for _, kv := range [][2]string{
		{"goos", env.OS},
		{"goarch", env.Arch},
		{"cpu", env.CPU},
		{"board", env.Board},
		{"tier", env.Tier},
		{"governor", env.Governor},
		{"virtual", env.Virtual},
		{"model", r.Run.Model},
		{"dataset", r.Run.Dataset},
		{"scenario", r.Plan.Scenario},
		{"algorithm", r.Plan.Algorithm},
		{"group-size", strconv.Itoa(r.Plan.GroupSize)},
	} {
		if kv[1] != "" {
			result.Config = append(result.Config, benchfmt.Config{Key: kv[0], Value: []byte(strings.Join(strings.Fields(kv[1]), " ")), File: true})
		}
	}
	return result
}

func trialValues(r *sweep.Record, t store.Trial) []benchfmt.Value {
	var out []benchfmt.Value
	for _, m := range sweep.TrialMetrics() {
		if v := m.Of(r, t); !math.IsNaN(v) && !math.IsInf(v, 0) {
			u := benchUnits[m.Name]
			out = append(out, benchfmt.Value{Value: v * u.scale, Unit: u.name})
		}
	}
	return out
}
