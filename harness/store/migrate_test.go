package store_test

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// unzip writes a compressed file of testdata to a folder of the test's own.
func unzip(t *testing.T, name string) string {
	t.Helper()
	in, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(t.TempDir(), name)
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(in)
	if err == nil {
		_, err = io.Copy(out, z)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// An update that cannot read last month's runs takes the baseline of every gate
// away. The file is of the harness of 28 November 2026, with the schema's version
// 2: a sweep of two cells and two repeats.
func TestAnOldStoreIsBroughtUpToDate(t *testing.T) {
	path := unzip(t, "v2.db")
	type old struct {
		Samples int
		First   wire.Sample
	}
	want := map[int64]old{}
	db := past(t, path)
	rows, err := db.Query("SELECT trial, count(*), max(CASE number WHEN 0 THEN latency_ms END), max(CASE number WHEN 0 THEN tokens END) FROM samples GROUP BY trial")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var id int64
		o := old{First: wire.Sample{Items: 1}}
		if err := rows.Scan(&id, &o.Samples, &o.First.LatencyMS, &o.First.Tokens); err != nil {
			t.Fatal(err)
		}
		want[id] = o
	}
	db.Close()

	s := open(t, path)
	run, err := s.Run(t.Context(), store.Last)
	if err != nil || run.ID != "20261128-031425-1376" || run.State != store.Done {
		t.Fatalf("run %+v, %v", run, err)
	}
	trials, err := s.Trials(t.Context(), run.ID)
	if err == nil {
		err = s.AddSamples(t.Context(), run.ID, trials)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[int64]old{}
	for _, x := range trials {
		first := x.Result.Samples[0]
		first.TimeS = 0
		got[x.ID] = old{len(x.Result.Samples), first}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 4 {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path) // the second time there is nothing to do
	if r, err := again.Run(t.Context(), store.Last); err != nil || r.ID != run.ID {
		t.Errorf("run %+v, %v", r, err)
	}
}

// Who goes back to last month's harness wants to keep this month's runs; who comes
// back again must find every sample as it was.
func TestMigrationsThereAndBack(t *testing.T) { each(t, testMigrationsThereAndBack) }

func testMigrationsThereAndBack(t *testing.T, location string) {
	s := open(t, location)
	l := start(t, s)
	for _, err := range []error{
		l.AddTrial(t.Context(), trial("a", 0, 0, wire.Valid)),
		l.AddTrial(t.Context(), trial("b", 0, 0, wire.Faulted)),
		l.AddEvent(t.Context(), store.Event{Level: store.Info, Text: "t", Target: "x"}),
		l.Close(t.Context(), store.Done, ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(s *store.Store) []store.Trial {
		trials, err := s.Trials(t.Context(), l.Run())
		if err == nil {
			err = s.AddSamples(t.Context(), l.Run(), trials)
		}
		if err != nil {
			t.Fatal(err)
		}
		return trials
	}
	want := read(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, version := range []int{3, 2} {
		if err := store.Migrate(t.Context(), location, version); err != nil {
			t.Fatalf("to version %d: %v", version, err)
		}
	}
	db := past(t, location)
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM samples WHERE number >= 0").Scan(&rows); err != nil || rows != 4 {
		t.Errorf("version 2 has %d rows of samples, %v; want 4", rows, err)
	}
	if _, err := db.Exec("DELETE FROM samples"); err == nil {
		t.Error("version 2 lets samples be deleted")
	}
	db.Close()
	s = open(t, location)
	if diff := cmp.Diff(want, read(s)); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
	s.Close()
	for range 2 {
		if err := store.Migrate(t.Context(), location, 0); err != nil {
			t.Fatalf("to nothing: %v", err)
		}
		s = open(t, location)
		if runs, err := s.Runs(t.Context()); err != nil || len(runs) != 0 {
			t.Errorf("%d runs, %v", len(runs), err)
		}
		start(t, s).Leave()
		s.Close()
	}
	if err := store.Migrate(t.Context(), location, 99); err == nil {
		t.Error("a version that nobody knows was accepted")
	}
}
