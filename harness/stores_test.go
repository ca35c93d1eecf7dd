package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/perf/benchfmt"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// oldStore writes the store of a real run of two cells and two repeats to a file.
func oldStore(path string) error {
	raw, err := os.ReadFile(filepath.Join("store", "testdata", "v2.db.gz"))
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, z)
	return errors.Join(err, out.Close())
}

// TestStoreScripts types commands on a store that is there already.
func TestStoreScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "store"),
		UpdateScripts: *update,
		Setup:         func(e *testscript.Env) error { return oldStore(filepath.Join(e.WorkDir, "harness.db")) },
	})
}

// openOld reads the run of the old store.
func openOld(t *testing.T) (*store.Store, *sweep.Record, []stat.Row) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "harness.db")
	if err := oldStore(path); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r, err := sweep.Skim(t.Context(), s, store.Last)
	if err != nil {
		t.Fatal(err)
	}
	return s, r, r.Rows()
}

// benchstat reads an export with this reader: a line that it refuses, a unit that
// it takes for another or a trial that is missing makes its verdict one of nothing.
func TestBenchstatReadsTheExport(t *testing.T) {
	_, r, rows := openOld(t)
	var out bytes.Buffer
	if err := writeBenchmarks(&out, r, rows); err != nil {
		t.Fatal(err)
	}
	values := map[string][]float64{} // latency by cell
	quality := 0
	in := benchfmt.NewReader(&out, "export")
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Errorf("benchstat refuses %v", rec)
		case *benchfmt.Result:
			if rec.GetConfig("cpu") != "AMD EPYC" || rec.GetConfig("model") != "service-nano" {
				t.Errorf("configuration %v", rec.Config)
			}
			if strings.HasPrefix(rec.Name.String(), "Quality/") {
				quality++
				if v, ok := rec.Value("f1-macro"); !ok || v < 0.9 {
					t.Errorf("quality line %v", rec.Values)
				}
				continue
			}
			v, ok := rec.Value("sec/op")
			if !ok || rec.Iters < 100 {
				t.Errorf("%s: %d iterations, %v", rec.Name, rec.Iters, rec.Values)
			}
			name, _ := rec.Name.Parts()
			values[string(name)+" "+rec.Name.String()] = append(values[string(name)+" "+rec.Name.String()], v)
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	units := in.Units()
	if units.GetBetter("items/sec") != 1 || units.GetBetter("sec/op") != -1 || units.GetBetter("f1-macro") != 1 {
		t.Error("benchstat does not know which values are better")
	}
	if len(values) != 2 || quality != 2 {
		t.Fatalf("%d cells and %d qualities, want 2 and 2: %v", len(values), quality, values)
	}
	var got, want []float64
	for _, xs := range values {
		if len(xs) != 2 {
			t.Errorf("%d values of a cell, want one a trial", len(xs))
		}
		got = append(got, 1e3*stat.Median(xs))
	}
	for _, row := range rows {
		if row.Metric == "latency_ms_p50" {
			want = append(want, *row.Value)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	for i := range want {
		if d := got[i]/want[i] - 1; d > 1e-12 || d < -1e-12 {
			t.Errorf("the median of the lines is %g ms, the figure %g ms", got[i], want[i])
		}
	}
}

// Every metric that a trial has needs a name in the Go format.
func TestEveryMetricHasABenchmarkUnit(t *testing.T) {
	seen := map[string]string{}
	for metric, u := range benchUnits {
		if u.scale == 0 || u.name == "" || strings.ContainsAny(u.name, " \t=") {
			t.Errorf("%s: unit %+v", metric, u)
		}
		if other := seen[u.name]; other != "" {
			t.Errorf("%s and %s have one unit %s", metric, other, u.name)
		}
		seen[u.name] = metric
	}
	for _, m := range sweep.TrialMetrics() {
		if benchUnits[m.Name].name == "" {
			t.Errorf("%s has no unit", m.Name)
		}
	}
}

// A notebook reads the parquet file instead of the json lines: the columns are the
// published ones, and what is unavailable is null.
func TestParquetRows(t *testing.T) {
	_, _, rows := openOld(t)
	var out bytes.Buffer
	if err := writeRowsParquet(&out, rows); err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, f := range file.Schema().Fields() {
		columns = append(columns, f.Name())
	}
	if diff := cmp.Diff(stat.Columns(), columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	back, err := parquet.Read[parquetRow](bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var got []stat.Row
	for _, r := range back {
		r.Time = r.Time.UTC()
		if len(r.Warnings) == 0 {
			r.Warnings = nil
		}
		got = append(got, stat.Row(r))
	}
	want := slices.Clone(rows)
	for i := range want {
		if len(want[i].Warnings) == 0 {
			want[i].Warnings = nil
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// All ways to export the samples must tell the same ones, those of invalid trials
// with their verdict.
func TestSampleExportsAgree(t *testing.T) {
	s, r, _ := openOld(t)
	l, err := s.Claim(t.Context(), r.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	err = l.AddTrial(t.Context(), store.Trial{Cell: r.Cells[0].ID, Repeat: 2, Started: at, Ended: at, Result: wire.MeasureResult{
		Verdict: wire.Throttled, Samples: []wire.Sample{{TimeS: 0.1, LatencyMS: 1.0 / 3, Items: 1, Tokens: 2}},
	}})
	l.Leave()
	if err != nil {
		t.Fatal(err)
	}
	var text, table, file bytes.Buffer
	for format, w := range map[string]io.Writer{"jsonl": &text, "csv": &table, "parquet": &file} {
		if err := writeSamples(t.Context(), w, format, s, r.Run.ID); err != nil {
			t.Fatal(err)
		}
	}
	back, err := parquet.Read[sampleRow](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(back); n != 1265 || back[n-1].Verdict != "throttled" || back[n-1].LatencyMS != 1.0/3 {
		t.Fatalf("%d samples, the last %+v", n, back[n-1])
	}
	var again bytes.Buffer
	if err := writeJSONLines(&again, back); err != nil {
		t.Fatal(err)
	}
	if again.String() != text.String() {
		t.Error("parquet and json lines differ")
	}
	again.Reset()
	write, end := sampleWriter(&again, "csv")
	if err := errors.Join(write(back), end()); err != nil {
		t.Fatal(err)
	}
	if again.String() != table.String() {
		t.Error("parquet and csv differ")
	}
	records, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(records) != len(back)+1 || !slices.Equal(records[0], sampleColumns) {
		t.Errorf("%d lines of csv, %v", len(records), err)
	}
}

// An age that is read as another one removes runs that were to stay.
func TestDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * 24 * time.Hour, "12w": 84 * 24 * time.Hour, "36h": 36 * time.Hour, "0d": 0,
	} {
		if got, err := days(text); got != want || err != nil {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "90", "d", "-1d", "1.5d", "-3h", "99999999999d", "1y"} {
		if got, err := days(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// A search publishes more rows than a plain sweep: who replays its bundle must find
// those the same, too.
func TestTheBundleOfASearchReplays(t *testing.T) {
	dir := t.TempDir()
	db, tar := filepath.Join(dir, "n.db"), filepath.Join(dir, "run.tar")
	const plan = `{"targets":["local"],"scenario":"single-stream","search":"random","sample":2,"objectives":["latency_ms_p50","throughput_per_s"]}`
	plantPlan(t, db, plan, time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC), 4, 0)
	if code, _, stderr := typed(t, "export", "--store", db, "--format", "bundle", "--out", tar); code != exitDone {
		t.Fatal(stderr)
	}
	code, stdout, stderr := typed(t, "replay", tar, "-o", "json")
	if code != exitDone || !strings.Contains(stdout, `"differences": []`) {
		t.Errorf("status %d: %s%s", code, stdout, stderr)
	}
}
