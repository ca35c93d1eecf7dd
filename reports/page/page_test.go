package page_test

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// sample is a run of eight cells over three axes with one throttled trial and
// markup in every text that comes from outside.
func sample() page.Data {
	d := page.Data{
		Title: "service-nano on this machine", Run: "20261124-001", Command: "harness sweep --bits 16,8,4",
		Model: "service-nano <script>alert(1)</script>", Dataset: "builtin",
		Started: time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC), Ended: time.Date(2026, 11, 24, 1, 4, 3, 0, time.UTC),
		Environment: wire.Environment{CPU: "Example CPU", Cores: 2, MemoryBytes: 25 << 30, OS: "linux", Arch: "amd64", Tier: "avx2"},
		Baseline:    &page.Baseline{Name: "TF-IDF + logistic regression", MacroF1: 0.85, Lo: 0.84, Hi: 0.86, N: 2000},
		Warnings:    []string{"no energy sensor: RAPL is absent"},
		Notes:       []string{"Trials were interleaved in random order."},
		Comparisons: []page.Comparison{{Name: "4-bit", F1: 0.93, F1Dense: 0.95, Delta: -0.02, DeltaLo: -0.03, DeltaHi: -0.01, OnlyDense: 50, OnlyThis: 10, P: 1e-7, PHolm: 1e-6}},
	}
	i := 0
	for _, bits := range []int{16, 8, 4} {
		for _, prune := range []float64{0, 0.5} {
			for _, batch := range []int{1, 16} {
				cell := fmt.Sprintf("c%02d", i)
				row := stat.Row{Run: d.Run, Cell: cell, Bits: bits, RankRatio: 1, PruneRatio: prune, Batch: batch, Threads: 2, Metric: "latency_ms_p50", Unit: "ms", Verdict: "valid"}
				base := float64(bits) / 8 * (1 - prune/2) * float64(batch)
				row.Set(stat.Interval{Value: base, Lo: base * .95, Hi: base * 1.04, N: 6})
				d.Rows = append(d.Rows, row)
				row.Metric = "f1_macro"
				f1 := .95 - prune/20 - .1/float64(bits)
				row.Set(stat.Interval{Value: f1, Lo: f1 - .01, Hi: f1 + .01, N: 2000})
				d.Rows = append(d.Rows, row)
				row.Metric, row.Unit = "model_bytes", "B"
				row.SetValue(float64(bits)*(1-prune/2)*6e5, 1)
				d.Rows = append(d.Rows, row)
				row.Metric = "energy_j"
				row.Value, row.Lo, row.Hi = nil, nil, nil
				d.Rows = append(d.Rows, row)
				verdict := "valid"
				if i == 3 {
					verdict = "throttled"
				}
				d.Trials = append(d.Trials, page.Trial{Cell: cell, Repeat: 1, Verdict: verdict, Samples: 40, P50MS: base, WindowS: 0.5})
				i++
			}
		}
	}
	return d
}

func render(t *testing.T, d page.Data) string {
	t.Helper()
	var b strings.Builder
	if err := page.Render(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A report that loads something cannot be archived, mailed or read offline.
func TestSelfContained(t *testing.T) {
	html := render(t, sample())
	for _, m := range regexp.MustCompile(`(?:src|href|url)\s*[=(]\s*["']?([^"'\s)>]+)`).FindAllStringSubmatch(html, -1) {
		if !strings.HasPrefix(m[1], "#") && m[1] != "data:," && !strings.HasPrefix(m[1], "http://www.w3.org/") {
			t.Errorf("loads %s", m[1])
		}
	}
}

// A figure without the trials behind it cannot be checked by its reader.
func TestEveryCellLinksToItsTrials(t *testing.T) {
	html := render(t, sample())
	for i := range 12 {
		id := fmt.Sprintf("cell-c%02d", i)
		if !strings.Contains(html, `href="#`+id+`"`) || !strings.Contains(html, `id="`+id+`"`) {
			t.Errorf("%s: no link or no target", id)
		}
	}
	if !strings.Contains(html, "throttled") {
		t.Error("the throttled trial is not shown")
	}
	if !strings.Contains(html, "energy / J") {
		t.Error("the report does not say that energy was not measured")
	}
}

// Names come from files and boards of others; one that runs in the reader's
// browser can send the whole report away.
func TestEscapesOutsideText(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`
	d := sample()
	d.Title, d.Run, d.Command, d.Model, d.Dataset = evil, evil, evil, evil, evil
	d.Warnings, d.Notes = []string{evil}, []string{evil}
	d.Environment = wire.Environment{Host: evil, Board: evil, CPU: evil, Kernel: evil, Virtual: evil, Governor: evil, BootID: evil, ToolVersion: evil, Commit: evil}
	d.Baseline.Name, d.Comparisons[0].Name = evil, evil
	for i := range d.Rows {
		d.Rows[i].Warnings = []string{evil}
		if d.Rows[i].Cell == "c00" {
			d.Rows[i].Cell = evil
		}
	}
	d.Trials[0].Cell = evil
	for i := range d.Trials {
		d.Trials[i].Verdict, d.Trials[i].Reason, d.Trials[i].Warnings = evil, evil, []string{evil}
	}
	html := render(t, d)
	if n := strings.Count(html, "<script"); n != 1 {
		t.Errorf("%d scripts, want the page's own", n)
	}
	for _, tag := range regexp.MustCompile(`<[^!/>][^>]*>`).FindAllString(html, -1) {
		if strings.Contains(tag, "onerror") && !strings.Contains(tag, "&gt;") && !strings.Contains(tag, "%3e") {
			t.Errorf("%s", tag)
		}
	}
	if strings.Contains(html, "<img") {
		t.Error("a name became a picture")
	}
}

// A trial that died has no latency; 0 would be the fastest of all.
func TestFaultedTrialsShowNoFigures(t *testing.T) {
	d := sample()
	d.Trials = append(d.Trials, page.Trial{Cell: "c05", Repeat: 2, Attempt: 1, Verdict: "faulted", Reason: "the runner ended by signal: killed"})
	html := render(t, d)
	const want = `<tr class="faulted"><td>2</td><td>1</td><td>faulted</td><td>0</td><td>–</td><td>–</td><td>–</td><td>–</td><td>–</td>`
	if !strings.Contains(html, want) {
		t.Errorf("the report lacks %s", want)
	}
}

// A simulated watt that reads as a measured one decides about real boards.
func TestSimulatedEnergyIsLabelled(t *testing.T) {
	d := sample()
	for i := range d.Rows {
		if r := &d.Rows[i]; r.Metric == "energy_j" {
			r.Set(stat.Interval{Value: 1 + float64(r.Bits), Lo: 1, Hi: 20, N: 6})
			r.Warnings = []string{"simulated"}
		}
	}
	html := render(t, d)
	if n := strings.Count(html, "] simulated</td>"); n != 12 {
		t.Errorf("%d of 12 simulated figures are labelled in the table", n)
	}
	if !strings.Contains(html, "macro-F1 against energy / J (simulated)") {
		t.Error("the picture does not say that its energy is simulated")
	}
}

// A recommendation that loses to the reference is worse than none.
func TestHeadlinesBeatTheReference(t *testing.T) {
	const fastest = "Fastest within 1 point of F1"
	d := sample()
	for i := range d.Rows {
		if r := &d.Rows[i]; r.Metric == "f1_macro" {
			r.SetValue(0.9, 2000)
		}
	}
	if html := render(t, d); !strings.Contains(html, fastest) {
		t.Error("the fastest cell is not named")
	}
	for i := range d.Rows {
		if r := &d.Rows[i]; r.Metric == "latency_ms_p50" && r.Cell != "c00" {
			r.SetValue(1e3, 6)
		}
	}
	if html := render(t, d); strings.Contains(html, fastest) {
		t.Error("a cell slower than the reference is called the fastest")
	}
}

// Without one figure the page still has to show the trials and why.
func TestNothingValid(t *testing.T) {
	d := sample()
	for i := range d.Rows {
		r := &d.Rows[i]
		r.Value, r.Lo, r.Hi, r.N, r.Warnings = nil, nil, nil, 0, []string{"unavailable: no valid trial"}
	}
	d.Ended = time.Time{}
	html := render(t, d)
	for _, want := range []string{"unfinished", "unavailable: no valid trial", "latency p50 / ms, ", "throttled"} {
		if !strings.Contains(html, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// A dash that does not say why reads as an oversight, a percentile of 40 latencies as
// a measurement.
func TestTooFewLatenciesAreTold(t *testing.T) {
	d := sample()
	for i := range d.Trials {
		d.Trials[i].P90MS = 1234.5
	}
	d.Trials[1].Samples, d.Trials[2].Samples = 64, 662
	html := render(t, d)
	const want = "not enough for p90 in 9 of 11 cells (40 latencies a trial, 64 needed) and for p99 in 10 of 11 cells (40 to 64 latencies a trial, 662 needed)"
	if !strings.Contains(html, want) {
		t.Errorf("the report lacks %q", want)
	}
	if n := strings.Count(html, "<td>1234</td>") + strings.Count(html, "<td>1235</td>"); n != 2 {
		t.Errorf("%d trials show a p90, want the 2 that have the latencies for it", n)
	}
}

// Without its metric's name a warning of one figure seems to be of all.
func TestOutliersAreMarked(t *testing.T) {
	const mark = "1 of 6 trials is an outlier (modified z 5.1); it counts"
	d := sample()
	for i := range d.Rows {
		if r := &d.Rows[i]; r.Cell == "c00" && r.Metric == "latency_ms_p50" {
			r.Warnings = []string{mark}
		}
	}
	for _, ms := range []float64{1.98, 2.01, 1.99, 2.02, 9} {
		d.Trials = append(d.Trials, page.Trial{Cell: "c00", Verdict: "valid", Samples: 40, P50MS: ms})
	}
	d.Trials = append(d.Trials, page.Trial{Cell: "c00", Verdict: "throttled", Samples: 40, P50MS: 99})
	html := render(t, d)
	if !strings.Contains(html, "latency_ms_p50: "+mark) {
		t.Errorf("the report lacks %q", mark)
	}
	if n := strings.Count(html, "outlier: modified z "); n != 1 {
		t.Errorf("%d trials are marked, want the one valid trial that lies out", n)
	}
	if n := strings.Count(html, "6 valid of 7 trials"); n != 1 {
		t.Errorf("%d cells have six valid trials of seven", n)
	}
}

func TestNoFigures(t *testing.T) {
	if err := page.Render(io.Discard, page.Data{Run: "empty"}); err == nil {
		t.Error("a report without a figure is no error")
	}
}

// boards is sample on two boards, the second of which throttled for good and is
// a stand-in.
func boards() page.Data {
	one := sample()
	d := one
	d.Targets = []page.Target{
		{Name: "pi5", Environment: wire.Environment{Board: "Raspberry Pi 5 <b>", CPU: "Cortex-A76", Cores: 4}, Energy: "pmic, board-5V"},
		{Name: "nano@home", Environment: wire.Environment{Board: "Jetson Orin Nano", Cores: 6}, Energy: "hwmon-ina3221, module, simulated"},
		{Name: "asleep"},
	}
	d.Rows, d.Trials = nil, nil
	for i, target := range []string{"pi5", "nano@home"} {
		for _, r := range one.Rows {
			r.Target, r.Cell = target, r.Cell+"@"+target
			if r.Metric == "energy_j" {
				r.Set(stat.Interval{Value: 1 + float64(r.Bits), Lo: 1, Hi: 20, N: 6})
			}
			if i == 1 {
				r.Warnings = []string{stat.Emulated}
				if r.Metric == "energy_j" {
					r.Warnings = append(r.Warnings, stat.Simulated)
				}
			}
			d.Rows = append(d.Rows, r)
		}
		for _, trial := range one.Trials {
			trial.Cell += "@" + target
			d.Trials = append(d.Trials, trial)
		}
	}
	return d
}

// Two boards in one picture would give a front of neither; a reader has to find
// each board's own, and what no hardware stands behind.
func TestEveryTargetHasItsOwnPictures(t *testing.T) {
	html := render(t, boards())
	for _, want := range []string{
		"macro-F1 against energy / J, pi5", "macro-F1 against energy / J (emulated, simulated), nano@home",
		"macro-F1 against latency p50 / ms (emulated), nano@home", `<option>nano@home</option>`, `data-target="pi5"`,
		"Raspberry Pi 5 &lt;b&gt;", "hwmon-ina3221, module, simulated", "16-bit, batch 1 on pi5",
		`href="#cell-c00%40pi5"`, `id="cell-c00@pi5"`, `<td class="throttled">1</td>`, "<h3>Least energy within 1 point of F1</h3>",
		"<dt>energy / J</dt><dd>17.00 [1.000, 20.00] emulated, simulated</dd>",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if n := strings.Count(html, "<h3>Reference</h3>"); n != 2 {
		t.Errorf("%d references, want one a target", n)
	}
	if strings.Contains(html, "asleep") {
		t.Error("a target without a cell is shown as if it had been measured")
	}
	if one := render(t, sample()); strings.Contains(one, "<dt>energy / J</dt>") {
		t.Error("a board without a sensor has a line for its energy")
	}
	if one := render(t, sample()); strings.Contains(one, `id="filter"`) || strings.Contains(one, `id="targets"`) {
		t.Error("a report of one target has a choice of targets")
	}
}
