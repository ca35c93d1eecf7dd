package sweep

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// What a reader is not warned of, they believe.
func TestWarningsOfTheRun(t *testing.T) {
	noEnergy := with(timed(1), func(m *wire.MeasureResult) { m.EnergyReason = "no sensor" })
	contended := with(timed(1), func(m *wire.MeasureResult) { m.Verdict = wire.Contended })
	for name, c := range map[string]struct {
		trials []wire.MeasureResult
		change func(*Record)
		want   []string
	}{
		"nothing to warn of": {[]wire.MeasureResult{timed(1), timed(1)}, func(*Record) {}, nil},
		"invalid trials":     {[]wire.MeasureResult{timed(1), contended, contended}, func(*Record) {}, []string{"2 of 3 trials are not valid and enter no figure"}},
		"energy, said once":  {[]wire.MeasureResult{noEnergy, noEnergy}, func(*Record) {}, []string{"energy is unavailable: no sensor"}},
		"a virtual board": {[]wire.MeasureResult{with(timed(1), func(m *wire.MeasureResult) { m.Env = wire.Environment{OS: "linux", Virtual: virtualBoard} })}, func(*Record) {}, []string{
			"local: no hardware but a virtual board; times are an emulator's and say nothing of the board's own, energy is a model's",
		}},
		"interrupted": {[]wire.MeasureResult{timed(1)}, func(r *Record) {
			r.Run.State, r.Run.Detail = store.Interrupted, "stopped by the user"
		}, []string{"the run is not complete (interrupted): stopped by the user"}},
		"still running": {nil, func(r *Record) { r.Run.State = store.Running }, []string{"the run is not complete (running)"}},
		"events": {[]wire.MeasureResult{timed(1)}, func(r *Record) {
			r.Events = []store.Event{{Level: store.Info, Text: "began"}, {Level: store.Warning, Text: "a runner died"}, {Level: store.Fault, Text: "disk full"}}
		}, []string{"a runner died", "disk full"}},
		"doubts about artefacts": {[]wire.MeasureResult{timed(1)}, func(r *Record) {
			r.Artefacts = []store.Artefact{
				{Bits: 8, RankRatio: 0.01, Report: json.RawMessage(`{"warnings":["3 matrices have a rank below 8"]}`)},
				{Bits: 16, RankRatio: 1, Report: json.RawMessage(`{}`)},
				{Bits: 4, RankRatio: 1},
				{Report: json.RawMessage(`[]`)},
			}
		}, []string{"artefact 8-bit, rank 0.01: 3 matrices have a rank below 8"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := recorded(c.trials...)
			c.change(r)
			if diff := cmp.Diff(c.want, r.Warnings()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// A run read back from the store must give the figures that it gave at its end.
func TestARecordReadsBack(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := recorded(timed(2), timed(1), with(timed(3), func(m *wire.MeasureResult) { m.Verdict = wire.Unsettled }))
	plan, err := json.Marshal(want.Plan)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Create(t.Context(), store.Run{Plan: plan, Model: "m", Dataset: "d", Commit: "c", Started: want.Run.Started})
	if err != nil {
		t.Fatal(err)
	}
	axes, err := json.Marshal(want.Cells[0].Axes)
	if err == nil {
		err = l.AddCells(t.Context(), []store.Cell{{ID: want.Cells[0].ID, Target: Local, Artefact: "k", Axes: axes}})
	}
	for _, x := range want.Trials {
		if err == nil {
			err = l.AddTrial(t.Context(), x)
		}
	}
	quality := wire.EvalResult{Truth: []int{0, 1, 1}, Predictions: []int{0, 1, 0}, Items: 3}
	for _, subject := range []string{store.Baseline, store.Reference, "k"} {
		if err == nil {
			err = l.AddQuality(t.Context(), store.Quality{Subject: subject, Result: quality})
		}
		want.Qualities = append(want.Qualities, store.Quality{Subject: subject, Result: quality})
	}
	if err == nil {
		err = l.Close(t.Context(), store.Done, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(t.Context(), s, l.Run()[:10])
	if err != nil {
		t.Fatal(err)
	}
	want.Run.ID = l.Run()
	if diff := cmp.Diff(want.Rows(), got.Rows()); diff != "" {
		t.Errorf("rows (-measured +read):\n%s", diff)
	}
	if diff := cmp.Diff(want.Comparisons(), got.Comparisons()); diff != "" || len(got.Comparisons()) != 1 {
		t.Errorf("comparisons (-measured +read):\n%s", diff)
	}
	if got.ValidTrials() != 2 || got.Environment().CPU != "Chip" || got.Baseline() == nil {
		t.Errorf("%d valid trials, environment %+v, baseline %v", got.ValidTrials(), got.Environment(), got.Baseline())
	}
	if _, err := Read(t.Context(), s, "nonesuch"); err == nil {
		t.Error("a run that is not there was read")
	}
}

func TestComparisonsTakeEachVariantOnce(t *testing.T) {
	r := recorded()
	base := r.Cells[0]
	if r.Comparisons() != nil || r.Baseline() != nil {
		t.Error("comparisons without a reference")
	}
	for i, x := range []struct {
		batch     int
		threshold float64
	}{{4, 0}, {1, 0.5}, {1, 0.9}} {
		c := base
		c.ID, c.Axes.Batch, c.Axes.Threshold = string(rune('a'+i)), x.batch, x.threshold
		r.Cells = append(r.Cells, c)
	}
	dense, worse := discordant(9, 1)
	r.Qualities = []store.Quality{
		{Subject: store.Reference, Result: dense},
		{Subject: "k", Result: dense},
		{Subject: "k", Threshold: 0.5, Result: worse}, // and nothing at 0.9
	}
	var got []string
	for _, c := range r.Comparisons() {
		got = append(got, c.Name)
	}
	if diff := cmp.Diff([]string{"16-bit", "16-bit, τ 0.5"}, got); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
	// Two tests on one run: the smaller p counts twice.
	p := r.Comparisons()[1]
	if diff := cmp.Diff([]float64{22.0 / 1024, 44.0 / 1024}, []float64{p.P, p.PHolm}, close9); diff != "" {
		t.Errorf("p and p after Holm (-want +got):\n%s", diff)
	}
}

// The page is what most readers ever see of a run.
func TestReportShowsTheRun(t *testing.T) {
	died := wire.MeasureResult{Verdict: wire.Faulted, Reason: "the runner ended by <b>signal</b>"}
	r := recorded(timed(2), timed(4), died)
	r.Run.State, r.Run.Detail = store.Interrupted, "stopped"
	r.Run.Model, r.Run.Command = "<script>alert(1)</script>", "harness sweep"
	r.Artefacts = []store.Artefact{{Key: "0123456789abcdef", Hash: "fedcba9876543210", Bits: 16, RankRatio: 1}}
	var b strings.Builder
	if err := r.Report(&b, r.Rows()); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	for _, want := range []string{
		"the run is not complete (interrupted): stopped", "1 of 3 trials are not valid", "faulted", "&lt;b&gt;signal",
		"harness sweep", "model hash fedcba987654", "random order of seed 1", "16-bit, batch 1",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(html, "<script>alert") {
		t.Error("a model's name runs as script in the reader's browser")
	}
	if got := r.pageTrials()[0]; got.Repeat != 1 || got.Attempt != 1 || got.ThroughputPerS != 100 || got.Samples != 200 {
		t.Errorf("the first trial reads %+v: people count from 1", got)
	}
	if got := r.pageTrials()[2]; got.P50MS != 0 || got.Samples != 0 || got.ThroughputPerS != 0 {
		t.Errorf("a trial without samples reads %+v", got)
	}
}
