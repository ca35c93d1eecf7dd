package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// plantRun stores a finished run of two cells, the second slower by a share.
func plantRun(t *testing.T, location string, at time.Time, repeats int, slower float64) string {
	t.Helper()
	return plantPlan(t, location, `{"targets":["local"],"scenario":"single-stream"}`, at, repeats, slower)
}

// plantPlan is plantRun of a plan.
func plantPlan(t *testing.T, location, plan string, at time.Time, repeats int, slower float64) string {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, location)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lease, err := s.Create(ctx, store.Run{Plan: json.RawMessage(plan), Model: "m", Dataset: "d", Commit: "abc", Started: at})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(at.Unix()), 1))
	axes := `{"bits":8,"rank_ratio":1,"batch":%d,"threads":2}`
	if err := lease.AddArtefact(ctx, store.Artefact{Key: "k", Bits: 8, RankRatio: 1}); err != nil {
		t.Fatal(err)
	}
	for c := 1; c <= 2; c++ {
		id := fmt.Sprintf("8b-r1-p0-t0-n%d-c2", c)
		cell := store.Cell{ID: id, Position: c, Artefact: "k", Axes: json.RawMessage(fmt.Sprintf(axes, c))}
		if err := lease.AddCells(ctx, []store.Cell{cell}); err != nil {
			t.Fatal(err)
		}
		for i := range repeats {
			ms := float64(c) * (1 + 0.003*rng.NormFloat64())
			if c == 2 {
				ms *= 1 + slower
			}
			r := wire.MeasureResult{Verdict: wire.Valid, WindowS: ms / 10, Items: 100, ModelBytes: 1000, PeakRSSBytes: 1e6, Evidence: wire.Evidence{SpinNS: 0.3}, Env: wire.Environment{OS: "linux", Tier: "avx2"}}
			for range 20 {
				r.Samples = append(r.Samples, wire.Sample{LatencyMS: ms, Items: 1})
			}
			if err := lease.AddTrial(ctx, store.Trial{Cell: id, Repeat: i, Started: at, Ended: at, Result: r}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := lease.Close(ctx, store.Done, ""); err != nil {
		t.Fatal(err)
	}
	return lease.Run()
}

func typed(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var out, err bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// A CI job knows of a regression by the exit status alone.
func TestGateStatus(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "h.db")
	at := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	first := plantRun(t, db, at, 10, 0)
	clean := plantRun(t, db, at.Add(24*time.Hour), 10, 0)
	bad := plantRun(t, db, at.Add(48*time.Hour), 10, 0.05)
	few := plantRun(t, db, at.Add(72*time.Hour), 2, 0.03)
	for _, args := range [][]string{{first, "main"}, {first, "main/1"}, {clean, "main/2"}} {
		if code, _, stderr := typed(t, "store", "tag", args[0], args[1], "--store", db); code != exitDone {
			t.Fatal(stderr)
		}
	}
	junit, sarif := filepath.Join(dir, "gate.xml"), filepath.Join(dir, "gate.sarif")
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string
		err  string
	}{
		{"clean", []string{"--run", clean, "--baseline", "main", "--metric", "latency_ms_p50"}, exitDone, "0 regressed", ""},
		{"slower", []string{"--run", bad, "--baseline", "run:" + clean}, exitRegressed, "regressed", ""},
		{"slower than several", []string{"--run", bad, "--baseline", "main~7d", "--junit", junit, "--sarif", sarif}, exitRegressed, "(2 runs)", ""},
		{"too few", []string{"--run", few, "--baseline", "main"}, exitDone, "cannot tell", ""},
		{"too few, strict", []string{"--run", few, "--baseline", "main", "--strict"}, exitNoValid, "cannot tell", ""},
		{"no baseline", []string{"--run", clean}, exitFault, "", "--baseline"},
		{"no such tag", []string{"--run", clean, "--baseline", "next"}, exitFault, "", "harness store tag"},
		{"no such window", []string{"--run", first, "--baseline", "main~7d"}, exitFault, "", "no run to compare with"},
		{"itself", []string{"--run", first, "--baseline", "main"}, exitFault, "", "run under test"},
		{"a bad window", []string{"--baseline", "main~7y"}, exitFault, "", "36h, 7d or 2w"},
		{"a bad metric", []string{"--baseline", "main", "--metric", "latency_ms_p51"}, exitFault, "", "did you mean latency_ms_p50"},
		{"a bad margin", []string{"--baseline", "main", "--margin", "0"}, exitFault, "", "--margin"},
	} {
		code, out, stderr := typed(t, append([]string{"gate", "--store", db}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(stderr, c.err) {
			t.Errorf("%s: status %d, want %d\n%s%s", c.name, code, c.code, out, stderr)
		}
	}
	raw, err := os.ReadFile(junit)
	if err != nil || xml.Unmarshal(raw, &struct{}{}) != nil {
		t.Errorf("JUnit's file: %v", err)
	}
	raw, err = os.ReadFile(sarif)
	if err != nil || !json.Valid(raw) {
		t.Errorf("SARIF's file: %v", err)
	}
	code, out, stderr := typed(t, "compare", "main", bad, "--store", db, "-o", "json")
	var found []finding
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != exitDone {
		t.Fatalf("compare: status %d, %v, %s", code, err, stderr)
	}
	seen := false
	for _, f := range found {
		if f.Metric == "latency_ms_p50" && f.Cell == "8b-r1-p0-t0-n2-c2" {
			seen = f.Effect.Pct != nil && *f.Effect.Pct > 4 && *f.Effect.Pct < 6
		}
	}
	if !seen {
		t.Errorf("compare does not tell of the 5 %%: %s", out)
	}
}

func TestLiveUsage(t *testing.T) {
	for text, args := range map[string][]string{
		"is none of":         {"compare", "--live", "a", "b"},
		"differ in kind":     {"compare", "commit:a", "model:b"},
		"name both":          {"bisect", "--good", "a"},
		"follows one metric": {"bisect", "--good", "a", "--bad", "b", "--metric", "latency_ms_p50,latency_ms_p90"},
		"six parts":          {"bisect", "--good", "a", "--bad", "b", "--cell", "x"},
		"the flags make 2":   {"bisect", "--good", "a", "--bad", "b", "--bits", "8,4"},
		"--margin":           {"compare", "commit:a", "commit:b", "--margin", "-1"},
		"does not exist":     {"compare", "a", "b", "--store", filepath.Join(t.TempDir(), "none.db")},
	} {
		if code, _, stderr := typed(t, args...); code != exitFault || !strings.Contains(stderr, text) {
			t.Errorf("%v: status %d: %s", args, code, stderr)
		}
	}
}

// The plan, the service and the workflow of the page are copied by their readers.
func TestDocumentedNightly(t *testing.T) {
	shown := 0
	for _, block := range blocks(t, "docs/nightly.md", "yaml") {
		path := filepath.Join(t.TempDir(), "plan.yaml")
		if err := os.WriteFile(path, []byte(block), 0o644); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := typed(t, "nightly", path, "--check"); code != exitDone {
			t.Errorf("the plan of the page: %s", stderr)
		}
		shown++
	}
	if shown != 1 {
		t.Errorf("%d plans are shown", shown)
	}
	unit, err := os.ReadFile("../docs/systemd/harness-nightly.service")
	if err != nil {
		t.Fatal(err)
	}
	_, schedule, found := strings.Cut(string(unit), `--schedule "`)
	schedule, _, _ = strings.Cut(schedule, `"`)
	if _, err := gate.ParseSchedule(schedule); !found || err != nil {
		t.Errorf("the service's schedule %q: %v", schedule, err)
	}
	workflow, err := os.ReadFile("../docs/systemd/harness-nightly.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]any `yaml:"jobs"`
	}
	if err := yaml.Unmarshal(workflow, &w); err != nil || len(w.Jobs) != 1 {
		t.Errorf("the workflow: %v", err)
	}
}

func TestNightlyUsage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.yaml")
	for text, want := range map[string]string{
		"sweep: {bitz: [8]}":     "bitz",
		"gate: {baseline: '~'}":  "baseline",
		"unknown: 1":             "unknown",
		"sweep: {bits: [8]":      "plan",
		"notify: {on: sometime}": "notify.on",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := typed(t, "nightly", path); code != exitFault || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d: %s", text, code, stderr)
		}
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := typed(t, "nightly", path, "--schedule", "x"); code != exitFault || !strings.Contains(stderr, "five") {
		t.Errorf("a bad schedule: %s", stderr)
	}
}
