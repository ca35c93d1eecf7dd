package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
)

// An update that cannot read last month's runs takes the baseline of every gate
// away. The store here is as version 1 wrote it.
func TestAnOldStoreIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	script, err := os.ReadFile(filepath.Join("migrations", "0001_start.sql"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		string(script),
		"CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL, at TEXT NOT NULL) STRICT",
		"INSERT INTO schema_version VALUES (1, '0001_start.sql', '2026-11-24T00:00:00.000000Z')",
		fmt.Sprintf("PRAGMA application_id = %d", 0x48524e53),
		`INSERT INTO runs VALUES ('r1', '{"target":"local"}', 'harness sweep', 'm', 'd', 'v', 'c', '2026-11-24T00:00:00.000000Z')`,
		"INSERT INTO run_states (run, at, state, detail) VALUES ('r1', '2026-11-24T00:01:00.000000Z', 'done', '')",
		`INSERT INTO cells VALUES ('r1', '16b', 0, 'k', '{"bits":16}')`,
		"INSERT INTO events (run, at, level, code, text) VALUES ('r1', '2026-11-24T00:00:30.000000Z', 'warning', 'x', 'y')",
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	cells, err := s.Cells(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Cell{{ID: "16b", Target: "local", Artefact: "k", Axes: []byte(`{"bits":16}`)}}
	if diff := cmp.Diff(want, cells); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	events, err := s.Events(t.Context(), "r1")
	if err != nil || len(events) != 1 || events[0].Target != "" || events[0].Text != "y" {
		t.Errorf("events %v, %v", events, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path) // the second time there is nothing to do
	if r, err := again.Run(t.Context(), store.Last); err != nil || r.ID != "r1" || r.State != store.Done {
		t.Errorf("run %+v, %v", r, err)
	}
}
