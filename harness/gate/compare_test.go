package gate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// night makes a run of cells with trials of the latency that ms says, by a machine
// whose roofs are at speed.
func night(seed uint64, day, cells, repeats int, speed float64, ms func(cell int) float64) *sweep.Record {
	const latencies = 700 // enough for p99
	rng := rand.New(rand.NewPCG(seed, 1))
	r := &sweep.Record{Run: store.Run{ID: fmt.Sprintf("2026-%02d", day), Commit: fmt.Sprintf("commit%d", day), State: store.Done, Started: time.Date(2026, 11, 1+day, 2, 0, 0, 0, time.UTC)}}
	for c := range cells {
		id := fmt.Sprintf("8b-r1-p0-t0-n%d-c2", c+1)
		r.Cells = append(r.Cells, sweep.RecordedCell{Cell: store.Cell{ID: id, Target: sweep.Local}})
		for i := range repeats {
			latency := ms(c) / speed * (1 + 0.004*rng.NormFloat64())
			gops, gbs := 400*speed*(1+0.003*rng.NormFloat64()), 20*speed*(1+0.003*rng.NormFloat64())
			m := wire.MeasureResult{
				Verdict: wire.Valid, WindowS: latency * latencies / 1000, Items: latencies, ModelBytes: 1 << 20, PeakRSSBytes: 50 << 20, ExecutedMAC: latencies << 24,
				Evidence: wire.Evidence{PeakGOPS: &gops, ReadGBS: &gbs, SpinNS: 0.3 / speed}, Env: wire.Environment{Tier: "avx2"},
			}
			for range latencies {
				m.Samples = append(m.Samples, wire.Sample{LatencyMS: latency, Items: 1})
			}
			r.Trials = append(r.Trials, store.Trial{Cell: id, Repeat: i, Result: m})
		}
	}
	return r
}

func same(cell int) float64 { return float64(cell + 1) }

func slower(at int, by float64) func(int) float64 {
	return func(cell int) float64 {
		if cell == at {
			return same(cell) * (1 + by)
		}
		return same(cell)
	}
}

func verdictOf(t *testing.T, findings []Finding, cell int, metric string) Finding {
	t.Helper()
	for _, f := range findings {
		if f.Metric == metric && f.Cell == fmt.Sprintf("8b-r1-p0-t0-n%d-c2", cell+1) {
			return f
		}
	}
	t.Fatalf("no finding of %s in cell %d", metric, cell)
	return Finding{}
}

func told(findings []Finding, o stat.Outcome) (out []string) {
	for _, f := range findings {
		if f.Final() == o {
			out = append(out, f.Cell+" "+f.Metric)
		}
	}
	return out
}

func TestCompareFindsWhatWasPlanted(t *testing.T) {
	base := []*sweep.Record{night(1, 1, 8, 10, 1, same)}
	findings, notes := Compare(base, night(2, 2, 8, 10, 1, slower(3, 0.05)), DefaultPolicy())
	if len(notes) > 0 {
		t.Errorf("notes %v", notes)
	}
	f := verdictOf(t, findings, 3, "latency_ms_p50")
	if f.Verdict != stat.Regressed || f.Effect.Value < 4 || f.Effect.Value > 6 || f.Effect.Lo > 5 || f.Effect.Hi < 5 {
		t.Errorf("5 %% more latency is %s, %s", f.Verdict, Percent(f.Effect))
	}
	if f := verdictOf(t, findings, 3, "throughput_per_s"); f.Verdict != stat.Regressed || f.Effect.Value > -4 {
		t.Errorf("the lower throughput is %s, %s", f.Verdict, Percent(f.Effect))
	}
	for _, what := range told(findings, stat.Regressed) {
		if !strings.HasPrefix(what, "8b-r1-p0-t0-n4-c2 ") {
			t.Errorf("a false alarm: %s", what)
		}
	}
	if f := verdictOf(t, findings, 0, "model_bytes"); f.Verdict != stat.Same {
		t.Errorf("equal sizes are %s", f.Verdict)
	}
}

// A p99 of a few latencies moves by chance: it must fail nobody's build, and not be
// left out in silence.
func TestAPercentileOfTooFewLatenciesIsNotGated(t *testing.T) {
	base, run := night(1, 1, 2, 10, 1, same), night(2, 2, 2, 10, 1, slower(1, 0.3))
	run.Trials[0].Result.Samples = run.Trials[0].Result.Samples[:200]
	run.Trials[15].Result.Samples = run.Trials[15].Result.Samples[:661]
	findings, notes := Compare([]*sweep.Record{base}, run, DefaultPolicy())
	if want := "cannot tell latency_ms_p99 in 2 cells: not enough: 200 to 661 latencies a trial, 662 needed"; len(notes) != 1 || notes[0] != want {
		t.Errorf("notes %q, want %q", notes, want)
	}
	if verdictOf(t, findings, 1, "latency_ms_p90").Verdict != stat.Regressed {
		t.Error("p90, which has enough, is not gated")
	}
	for _, f := range findings {
		if f.Metric == "latency_ms_p99" {
			t.Errorf("p99 of %s is %s", f.Cell, f.Verdict)
		}
	}
}

// A board that is slower for a day must not cost an engineer the day.
func TestSlowDayIsNoRegression(t *testing.T) {
	base := []*sweep.Record{night(1, 1, 8, 10, 1, same)}
	findings, _ := Compare(base, night(2, 2, 8, 10, 0.94, same), DefaultPolicy())
	if bad := told(findings, stat.Regressed); len(bad) > 0 {
		t.Errorf("a slow day is called a regression: %v", bad)
	}
	f := verdictOf(t, findings, 0, "latency_ms_p50")
	if f.Raw.Value < 5 || f.Effect.Value > 1 || f.Control == nil || f.Control.Roof != RoofCompute {
		t.Errorf("raw %s, without the machine's change %s, control %+v", Percent(f.Raw), Percent(f.Effect), f.Control)
	}
	// A change that hides behind a fast day is a suspect, not the same.
	findings, _ = Compare(base, night(3, 2, 8, 10, 1.06, slower(2, 0.06)), DefaultPolicy())
	f = verdictOf(t, findings, 2, "latency_ms_p50")
	if f.Verdict == stat.Same || !f.Suspect(DefaultPolicy()) {
		t.Errorf("it is %s: raw %s, without the machine's change %s", f.Verdict, Percent(f.Raw), Percent(f.Effect))
	}
}

// Where too little was measured the gate says so, and what it would take.
func TestTooFewTrialsCannotTell(t *testing.T) {
	findings, _ := Compare([]*sweep.Record{night(1, 1, 1, 2, 1, same)}, night(2, 2, 1, 2, 1, slower(0, 0.05)), DefaultPolicy())
	f := verdictOf(t, findings, 0, "latency_ms_p50")
	if f.Verdict != stat.CannotTell || f.Further < 1 || !f.Suspect(DefaultPolicy()) {
		t.Errorf("two trials are %s with %d more to tell", f.Verdict, f.Further)
	}
}

// Nights scatter more than repeats of one night: what the repeats alone would call
// a change, night after night, is none.
func TestNightsOfBaseline(t *testing.T) {
	drift := rand.New(rand.NewPCG(5, 5))
	wobble := func() func(int) float64 {
		f := make([]float64, 12)
		for i := range f {
			f[i] = 1 + 0.008*drift.NormFloat64()
		}
		return func(c int) float64 { return same(c) * f[c] }
	}
	var base []*sweep.Record
	for d := range 12 {
		base = append(base, night(uint64(d), d, 12, 10, 1, wobble()))
	}
	clean, _ := Compare(base, night(50, 13, 12, 10, 1, wobble()), DefaultPolicy())
	if bad := told(clean, stat.Regressed); len(bad) > 0 {
		t.Errorf("a night like the others has regressions: %v", bad)
	}
	w := wobble()
	findings, _ := Compare(base, night(51, 13, 12, 10, 1, func(c int) float64 {
		if c == 4 {
			return w(c) * 1.1
		}
		return w(c)
	}), DefaultPolicy())
	if f := verdictOf(t, findings, 4, "latency_ms_p50"); f.Verdict != stat.Regressed {
		t.Errorf("10 %% on nights that scatter by 0.8 %% is %s: %s", f.Verdict, f.Why())
	}
}

func TestOtherModelsAreNotCompared(t *testing.T) {
	base, run := night(1, 1, 1, 6, 1, same), night(2, 2, 1, 6, 1, same)
	base.Plan.ModelHash, run.Plan.ModelHash = "a", "b"
	findings, notes := Compare([]*sweep.Record{base}, run, DefaultPolicy())
	if len(findings) > 0 || len(notes) == 0 || !strings.Contains(notes[0], "another model") {
		t.Errorf("%d findings, notes %v", len(findings), notes)
	}
}

func TestAccuracy(t *testing.T) {
	truth := make([]int, 400)
	result := func(wrong int) wire.EvalResult {
		p := make([]int, len(truth))
		for i := range wrong {
			p[i] = 1
		}
		return wire.EvalResult{Predictions: p, Truth: truth}
	}
	f, ok := compareAccuracy(result(20), result(60))
	fs := []Finding{f}
	if decide(fs, DefaultPolicy()); !ok || fs[0].Verdict != stat.Regressed {
		t.Errorf("40 more errors of 400 are %s, %s", fs[0].Verdict, Percent(f.Effect))
	}
	f, _ = compareAccuracy(result(20), result(20))
	fs = []Finding{f}
	if decide(fs, DefaultPolicy()); fs[0].Verdict != stat.Same {
		t.Errorf("equal predictions are %s", fs[0].Verdict)
	}
	if _, ok := compareAccuracy(result(1), wire.EvalResult{Predictions: []int{0}, Truth: []int{0}}); ok {
		t.Error("other items were compared")
	}
}
