package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// recorded is a run of one cell with these trials; each gets the cell's id, and
// the repeat and times of its place.
func recorded(trials ...wire.MeasureResult) *Record {
	p := Reference()
	p.Threads = []int{1}
	axes := p.Cells()[0]
	r := &Record{
		Run: store.Run{
			ID: "r", Model: "m", Dataset: "d", Commit: "c", State: store.Done,
			Started: time.Unix(1000, 0), Ended: time.Unix(2000, 0),
		},
		Plan: p, Cells: []RecordedCell{{Cell: store.Cell{ID: axes.ID(), Target: Local, Artefact: "k"}, Axes: axes}},
	}
	for i, x := range trials {
		r.Trials = append(r.Trials, store.Trial{
			Cell: axes.ID(), Repeat: i, Started: time.Unix(1000+int64(i), 0), Ended: time.Unix(1001+int64(i), 0), Result: x,
		})
	}
	return r
}

// timed is a valid trial of 200 samples around a median latency.
func timed(ms float64) wire.MeasureResult {
	m := wire.MeasureResult{
		Verdict: wire.Valid, Batch: 1, WindowS: 2, Items: 200, Tokens: 3000, PeakRSSBytes: 5e6, ModelBytes: 4e6,
		DenseMAC: 4e12, ExecutedMAC: 1e12, Env: wire.Environment{OS: "linux", CPU: "Chip", Tier: "avx2"},
	}
	for i := range 200 {
		m.Samples = append(m.Samples, wire.Sample{LatencyMS: ms * (0.9005 + float64(i)/1000)})
	}
	return m
}

func with(m wire.MeasureResult, change func(*wire.MeasureResult)) wire.MeasureResult {
	change(&m)
	return m
}

// row returns the cell's one row of a metric.
func row(t *testing.T, rows []stat.Row, metric string) stat.Row {
	t.Helper()
	i := slices.IndexFunc(rows, func(r stat.Row) bool { return r.Metric == metric })
	if i < 0 {
		t.Fatalf("no row of %s", metric)
	}
	if slices.ContainsFunc(rows[i+1:], func(r stat.Row) bool { return r.Metric == metric }) {
		t.Fatalf("two rows of %s", metric)
	}
	return rows[i]
}

// figureOf prints a row's numbers, "-" for nil.
func figureOf(r stat.Row) string {
	text := func(v *float64) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprintf("%.4g", *v)
	}
	return fmt.Sprintf("%s [%s, %s] n=%d", text(r.Value), text(r.Lo), text(r.Hi), r.N)
}

func warned(r stat.Row, text string) bool {
	return slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, text) })
}

// Figures are medians over trials. The trials a user is told to distrust must
// not move them.
func TestOnlyValidTrialsEnter(t *testing.T) {
	wrong := with(timed(1000), func(m *wire.MeasureResult) {
		m.Verdict, m.PeakRSSBytes, m.Warnings = wire.Throttled, 9e9, []wire.Warning{{Code: "hot"}}
	})
	r := recorded(timed(3), wrong, timed(1), timed(4), wrong, timed(2), timed(5), timed(6))
	r.Trials[2].Result.Warnings = []wire.Warning{{Code: "steal"}, {Code: "steal"}}
	rows := r.Rows()
	for metric, want := range map[string]string{
		"latency_ms_p50":   "3.5 [1, 6] n=6",
		"latency_ms_p90":   "3.779 [1.08, 6.478] n=6",
		"throughput_per_s": "100 [100, 100] n=6",
		"prefill_tok_s":    "1500 [1500, 1500] n=6",
		"model_bytes":      "4e+06 [4e+06, 4e+06] n=6",
		"peak_rss_bytes":   "5e+06 [5e+06, 5e+06] n=6",
		"tops_nominal":     "4 [4, 4] n=6",
		"tops_executed":    "1 [1, 1] n=6",
		"decode_tok_s":     "- [-, -] n=0",
		"gb_s":             "- [-, -] n=0",
		"energy_j":         "- [-, -] n=0",
		"f1_macro":         "- [-, -] n=0",
		"skip_rate":        "- [-, -] n=0",
	} {
		if got := figureOf(row(t, rows, metric)); got != want {
			t.Errorf("%s is %s, want %s", metric, got, want)
		}
	}
	p50 := row(t, rows, "latency_ms_p50")
	if diff := cmp.Diff([]string{"steal"}, p50.Warnings); diff != "" {
		t.Errorf("warnings of valid trials, once each (-want +got):\n%s", diff)
	}
	p50.Metric, p50.Value, p50.Lo, p50.Hi = "", nil, nil, nil
	want := stat.Row{
		Run: "r", Cell: r.Cells[0].ID, Target: Local, Board: "Chip", Model: "m", Dataset: "d", Bits: 16, GroupSize: 32, Algorithm: "rtn",
		RankRatio: 1, Batch: 1, Threads: 1, Tier: "avx2", Scenario: wire.SingleStream, Unit: "ms", N: 6, Verdict: "valid",
		Warnings: []string{"steal"}, Time: time.Unix(1008, 0).UTC(), Commit: "c",
	}
	if diff := cmp.Diff(want, p50); diff != "" {
		t.Errorf("what a row says of its run (-want +got):\n%s", diff)
	}
	for _, x := range rows {
		if x.Value == nil && !warned(x, "unavailable: ") {
			t.Errorf("%s has no value and does not say why: %q", x.Metric, x.Warnings)
		}
	}
}

// A cell whose trials all failed must be seen to have no figure, and why.
func TestACellWithoutAValidTrial(t *testing.T) {
	contended := with(timed(1), func(m *wire.MeasureResult) { m.Verdict = wire.Contended })
	hot := with(timed(1), func(m *wire.MeasureResult) { m.Verdict, m.Energy = wire.Throttled, &wire.Energy{GrossJ: 1, WindowS: 1} })
	measured := recorded(contended, hot, contended).Rows()
	untried := recorded().Rows()
	if len(measured) == 0 || len(measured) != len(untried) || len(measured) != len(recorded(timed(1)).Rows()) {
		t.Fatalf("%d rows without a valid trial, %d without a trial: every metric needs its row", len(measured), len(untried))
	}
	for i, x := range measured {
		if x.Value != nil || x.Lo != nil || x.Hi != nil || x.N != 0 {
			t.Errorf("%s is %s", x.Metric, figureOf(x))
		}
		if x.Verdict != "contended" || untried[i].Verdict != "" {
			t.Errorf("%s: verdict %q and %q, want the most frequent", x.Metric, x.Verdict, untried[i].Verdict)
		}
	}
	if e := row(t, measured, "energy_j"); !warned(e, "no valid trial") {
		t.Errorf("energy was read, but %q", e.Warnings)
	}
}

// A lower level that is not labelled would be read as 95 %.
func TestTheLevelOfAnIntervalIsLabelled(t *testing.T) {
	for n, c := range map[int]struct{ figure, warning string }{
		1: {"1 [-, -] n=1", "one trial: no interval"},
		2: {"1.5 [1, 2] n=2", "interval at 50.0 %: 2 trials reach no more"},
		5: {"3 [1, 5] n=5", "interval at 93.8 %"},
		6: {"3.5 [1, 6] n=6", ""},
		9: {"5 [2, 8] n=9", ""},
	} {
		var trials []wire.MeasureResult
		for i := range n {
			trials = append(trials, timed(float64(i+1)))
		}
		p50 := row(t, recorded(trials...).Rows(), "latency_ms_p50")
		if got := figureOf(p50); got != c.figure {
			t.Errorf("%d trials: %s, want %s", n, got, c.figure)
		}
		if c.warning == "" && len(p50.Warnings) > 0 || c.warning != "" && !warned(p50, c.warning) {
			t.Errorf("%d trials: warnings %q, want %q", n, p50.Warnings, c.warning)
		}
	}
}

// A percentile of too few latencies reads like one of enough: MLPerf stops earlier
// for neither.
func TestAPercentileOfTooFewLatenciesIsNotTold(t *testing.T) {
	of := func(n int) wire.MeasureResult {
		return with(timed(1), func(m *wire.MeasureResult) {
			m.Samples = nil
			for range n {
				m.Samples = append(m.Samples, wire.Sample{LatencyMS: 1})
			}
		})
	}
	for name, c := range map[string]struct {
		least    int
		p90, p99 string // why not; "" = told
	}{
		"neither": {63, "unavailable: not enough: 63 latencies a trial, 64 needed", "unavailable: not enough: 63 latencies a trial, 662 needed"},
		"p90":     {64, "", "unavailable: not enough: 64 latencies a trial, 662 needed"},
		"nearly":  {661, "", "unavailable: not enough: 661 latencies a trial, 662 needed"},
		"both":    {662, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := recorded(of(700), of(c.least), with(of(1), func(m *wire.MeasureResult) { m.Verdict = wire.Throttled }))
			rows := r.Rows()
			for metric, why := range map[string]string{"latency_ms_p50": "", "latency_ms_p90": c.p90, "latency_ms_p99": c.p99} {
				x := row(t, rows, metric)
				if x.Available() != (why == "") || why != "" && !slices.Contains(x.Warnings, why) || why == "" && warned(x, "not enough") {
					t.Errorf("%s is %s with %q, want %q", metric, figureOf(x), x.Warnings, why)
				}
			}
			bundled := *r
			bundled.rules = 1
			if old := bundled.Rows(); row(t, old, "latency_ms_p90").Value == nil || row(t, old, "latency_ms_p99").Value == nil {
				t.Error("a bundle of the first rules lacks a percentile that it was published with")
			}
			if got := r.NotEnough(); (got == "") != (c.p99 == "") {
				t.Errorf("of the run it says %q", got)
			}
		})
	}
}

// A trial that is silently dropped may be the finding; one that is silently kept may
// be the reason for a wide interval.
func TestOutliersAreMarkedAndCount(t *testing.T) {
	const mark = "1 of 6 trials is an outlier (modified z "
	r := recorded(timed(1), timed(1.02), timed(9), timed(0.98), timed(1.01), timed(0.99))
	rows := r.Rows()
	p50 := row(t, rows, "latency_ms_p50")
	if got := figureOf(p50); got != "1.005 [0.98, 9] n=6" || !warned(p50, mark) || !warned(p50, "; it counts") {
		t.Errorf("p50 is %s with %q", got, p50.Warnings)
	}
	if size := row(t, rows, "model_bytes"); warned(size, "outlier") {
		t.Errorf("the size carries %q", size.Warnings)
	}
	if got := r.Outliers(); !strings.HasPrefix(got, "p50 latency of "+r.Cells[0].ID+": "+mark) {
		t.Errorf("of the run it says %q", got)
	}
	r.rules = 1
	if old := row(t, r.Rows(), "latency_ms_p50"); warned(old, "outlier") {
		t.Errorf("p50 of the first rules carries %q, which was not published", old.Warnings)
	}
	if even := recorded(timed(1), timed(2), timed(3), timed(4), timed(5), timed(6)); even.Outliers() != "" {
		t.Errorf("six even trials: %q", even.Outliers())
	}
}

// An energy of 0 would crown every board without a sensor.
func TestEnergy(t *testing.T) {
	joules := func(gross float64, simulated bool) wire.MeasureResult {
		return with(timed(1), func(m *wire.MeasureResult) {
			m.Energy = &wire.Energy{Source: "rapl", GrossJ: gross, WindowS: 2, Simulated: simulated}
		})
	}
	none := with(timed(1), func(m *wire.MeasureResult) { m.EnergyReason = "the kernel shows no RAPL package domain" })
	for name, c := range map[string]struct {
		trials             []wire.MeasureResult
		joule, watt, terap string
		warning            string
	}{
		"measured":          {[]wire.MeasureResult{joules(10, false), joules(20, false)}, "0.075 [0.05, 0.1] n=2", "7.5 [5, 10] n=2", "0.15 [0.1, 0.2] n=2", "50.0 %"},
		"simulated":         {[]wire.MeasureResult{joules(10, true)}, "0.05 [-, -] n=1", "5 [-, -] n=1", "0.2 [-, -] n=1", "simulated"},
		"no sensor":         {[]wire.MeasureResult{none, none}, "- [-, -] n=0", "- [-, -] n=0", "- [-, -] n=0", "unavailable: the kernel shows no RAPL"},
		"no reason":         {[]wire.MeasureResult{timed(1)}, "- [-, -] n=0", "- [-, -] n=0", "- [-, -] n=0", "unavailable: no energy sensor was read"},
		"in one of two":     {[]wire.MeasureResult{none, joules(10, false)}, "0.05 [-, -] n=1", "5 [-, -] n=1", "0.2 [-, -] n=1", "one trial"},
		"a counter at rest": {[]wire.MeasureResult{joules(0, false)}, "- [-, -] n=0", "- [-, -] n=0", "- [-, -] n=0", "unavailable: the sensor counted nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			rows := recorded(c.trials...).Rows()
			for metric, want := range map[string]string{"energy_j": c.joule, "power_w": c.watt, "tops_per_w": c.terap} {
				x := row(t, rows, metric)
				if got := figureOf(x); got != want {
					t.Errorf("%s is %s, want %s", metric, got, want)
				}
				if !warned(x, c.warning) {
					t.Errorf("%s carries %q, want %q", metric, x.Warnings, c.warning)
				}
			}
		})
	}
}

// Six trials that agree to a tenth of a percent on a sensor that is good for 3 %
// are good for 3 %: between boards, no less.
func TestTheSensorsErrorIsInTheInterval(t *testing.T) {
	var trials []wire.MeasureResult
	for i := range 6 {
		gross := 10 * (1 + 0.001*float64(i))
		trials = append(trials, with(timed(1), func(m *wire.MeasureResult) {
			m.Energy = &wire.Energy{Source: "ina226", GrossJ: gross, GrossLo: 0.97 * gross, GrossHi: 1.03 * gross, WindowS: 2}
		}))
	}
	rows := recorded(trials...).Rows()
	for _, metric := range []string{"energy_j", "power_w", "tops_per_w"} {
		x := row(t, rows, metric)
		lo, hi := 1 - *x.Lo / *x.Value, *x.Hi / *x.Value - 1
		if want := math.Hypot(0.0025, 0.03); math.Abs(lo-want) > 1e-4 || math.Abs(hi-want) > 1e-4 {
			t.Errorf("%s is %s: -%.4f, +%.4f, want %.4f", metric, figureOf(x), lo, hi, want)
		}
	}
	if x := row(t, rows, "latency_ms_p50"); *x.Lo != *x.Hi {
		t.Errorf("the sensor's error is in the latency: %s", figureOf(x))
	}
}

// All batches of an artefact share its quality; another threshold does not.
func TestQualityRows(t *testing.T) {
	hot := with(timed(1), func(m *wire.MeasureResult) { m.Warnings = []wire.Warning{{Code: "steal"}} })
	r := recorded(hot)
	second, third := r.Cells[0], r.Cells[0]
	second.ID, second.Axes.Batch = "second", 4
	third.ID, third.Axes.Threshold = "third", 0.5
	r.Cells = append(r.Cells, second, third)
	truth := []int{0, 1, 0, 1}
	labels := []string{"a", "b"}
	r.Qualities = []store.Quality{
		{Subject: store.Reference, Result: wire.EvalResult{Labels: labels, Truth: truth, Predictions: truth, Items: 4}},
		{Subject: "k", Result: wire.EvalResult{Labels: labels, Truth: truth, Predictions: []int{0, 1, 0, 0}, Items: 4}},
		{Subject: "k", Threshold: 0.5, Result: wire.EvalResult{Labels: labels, Truth: truth, Predictions: []int{0, 0, 0, 0}, Items: 4, SkipRate: 0.3}},
	}
	rows := r.Rows()
	of := func(cell, metric string) stat.Row {
		i := slices.IndexFunc(rows, func(x stat.Row) bool { return x.Cell == cell && x.Metric == metric })
		return rows[i]
	}
	first := r.Cells[0].ID
	for _, cell := range []string{first, "second"} {
		if v := of(cell, "accuracy").Value; v == nil || *v != 0.75 {
			t.Errorf("accuracy of %s is %v, want 0.75", cell, v)
		}
		if w := of(cell, "accuracy").Warnings; len(w) > 0 {
			t.Errorf("accuracy of %s carries the timing's warnings %q", cell, w)
		}
		if v := of(cell, "top1_agree").Value; v == nil || *v != 0.75 {
			t.Errorf("agreement of %s is %v, want 0.75", cell, v)
		}
	}
	third50 := []string{figureOf(of("third", "skip_rate")), figureOf(of(first, "skip_rate"))}
	if diff := cmp.Diff([]string{"0.3 [-, -] n=4", "0 [-, -] n=4"}, third50); diff != "" {
		t.Errorf("skip rates (-want +got):\n%s", diff)
	}
	if v := of("third", "accuracy").Value; v == nil || *v != 0.5 {
		t.Errorf("accuracy at the threshold is %v, want 0.5", v)
	}
	if x := of(first, "perplexity"); x.Value != nil || !warned(x, "not evaluated") {
		t.Errorf("perplexity is %s with %q", figureOf(x), x.Warnings)
	}
	for _, x := range rows {
		if x.Value != nil && (math.IsNaN(*x.Value) || math.IsInf(*x.Value, 0)) {
			t.Errorf("%s of %s is %g", x.Metric, x.Cell, *x.Value)
		}
	}
	if diff := cmp.Diff(rows, r.Rows()); diff != "" {
		t.Errorf("the same record gave other rows:\n%s", diff)
	}
}
