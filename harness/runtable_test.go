package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// stored is a run of two cells: six valid trials of the first, and of the second
// one that is valid and five that were throttled.
func stored() *sweep.Record {
	began := time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)
	p := sweep.Reference()
	p.Bits, p.Threads = []int{16, 4}, []int{2}
	r := &sweep.Record{
		Run:  store.Run{ID: "20261124-010000-abcd", Model: "service-nano", Dataset: "builtin", Started: began, State: store.Done},
		Plan: p,
	}
	env := wire.Environment{OS: "linux", Arch: "amd64", CPU: "Example CPU", Cores: 2, Tier: "avx2", Virtual: "kvm"}
	for i, axes := range p.Cells() {
		c := store.Cell{ID: axes.ID(), Target: sweep.Local, Position: i, Artefact: axes.ID()}
		r.Cells = append(r.Cells, sweep.RecordedCell{Cell: c, Axes: axes})
		for repeat := range 6 {
			m := wire.MeasureResult{
				Verdict: wire.Valid, Scenario: wire.SingleStream, Batch: 1, Threads: 2, WindowS: 0.5, Items: 500, Tokens: 8000,
				PeakRSSBytes: 60e6, ModelBytes: int64(11e6 / (1 + 2*i)), DenseMAC: 40e9, ExecutedMAC: 40e9, EnergyReason: "no RAPL", Env: env,
			}
			for k := range 20 {
				m.Samples = append(m.Samples, wire.Sample{LatencyMS: 1/(1+float64(i)) + float64(repeat)/100 + float64(k)/1000, Items: 1, Tokens: 16})
			}
			if i == 1 && repeat > 0 {
				m.Verdict, m.Reason = wire.Throttled, "the clock fell to 80.0 %, the limit is 95.0 %"
			}
			r.Trials = append(r.Trials, store.Trial{ID: int64(len(r.Trials) + 1), Cell: c.ID, Repeat: repeat, Ended: began.Add(time.Minute), Result: m})
		}
		q := wire.EvalResult{Labels: []string{"a", "b"}, Items: 40}
		for k := range 40 {
			q.Truth = append(q.Truth, k%2)
			q.Predictions = append(q.Predictions, k%2)
			if k < 4*(1+i) {
				q.Predictions[k] = 1 - k%2
			}
		}
		r.Qualities = append(r.Qualities, store.Quality{Subject: c.Artefact, Result: q})
		if i == 0 {
			r.Qualities = append(r.Qualities, store.Quality{Subject: store.Reference, Result: q})
		}
	}
	return r
}

// The table is what a user reads first: no throttled sample may show in it, and
// what has no interval or no figure must say so.
func TestRunTable(t *testing.T) {
	var out bytes.Buffer
	r := stored()
	if err := printRun(&out, r, r.Rows()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "table.golden")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("table (-want +got); rewrite it with make golden:\n%s", diff)
	}
}

// A trial that lies far out is in the median; the reader has to know of it.
func TestTableTellsOutliers(t *testing.T) {
	r := stored()
	for i := range r.Trials[2].Result.Samples {
		r.Trials[2].Result.Samples[i].LatencyMS *= 5
	}
	var b bytes.Buffer
	if err := printRun(&b, r, r.Rows()); err != nil {
		t.Fatal(err)
	}
	if want := "warning: p50 latency of " + r.Cells[0].ID + ": 1 of 6 trials is an outlier (modified z "; !strings.Contains(b.String(), want) {
		t.Errorf("the table lacks %q:\n%s", want, b.String())
	}
}

// On several boards a line without its board is nobody's, and a stand-in's figures
// must not pass for a board's.
func TestTableOfSeveralTargets(t *testing.T) {
	r := stored()
	r.Plan.Targets = []string{sweep.Local, "pi5", "asleep"}
	n := len(r.Cells)
	for _, c := range r.Cells[:n] {
		c.ID, c.Target = sweep.CellID("pi5", c.Axes), "pi5"
		r.Cells = append(r.Cells, c)
	}
	for _, x := range r.Trials {
		x.Cell += "@pi5"
		x.Result.Env.Board = "Raspberry Pi 5"
		x.Result.Warnings = []wire.Warning{{Code: "emulated"}}
		x.Result.Energy = &wire.Energy{GrossJ: 1, WindowS: 1, Simulated: true}
		r.Trials = append(r.Trials, x)
	}
	var b bytes.Buffer
	if err := printRun(&b, r, r.Rows()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"target", "\npi5 ", "\nlocal ", "time emulated, energy simulated", "pi5: Raspberry Pi 5, Example CPU", "trials: 7 valid, 5 throttled", "asleep: nothing was measured",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}
