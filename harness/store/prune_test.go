package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// What retention removes cannot be measured again: it must be what was asked for,
// whole, and stay away when the laptop's store is merged again.
func TestPrune(t *testing.T) { each(t, testPrune) }

func testPrune(t *testing.T, location string) {
	s, laptop := open(t, location), open(t, t.TempDir()+"/laptop.db")
	old := sitting(t, laptop, "", store.Done, trial("a", 0, 0, wire.Valid))
	mergeOK(t, laptop, s)
	tagged := sitting(t, s, "", store.Done, trial("a", 0, 0, wire.Valid))
	if _, err := s.SetTag(t.Context(), tagged, "main", false); err != nil {
		t.Fatal(err)
	}
	running := start(t, s)
	defer running.Leave()
	newest := sitting(t, s, "", store.Done)

	tomorrow := time.Now().Add(24 * time.Hour)
	ids := func(ps []store.Pruned) (out []string) {
		for _, p := range ps {
			out = append(out, p.Run.ID)
		}
		return out
	}
	for _, c := range []struct {
		name string
		keep store.Retention
		want []string
	}{
		{"young ones stay", store.Retention{Before: time.Now().Add(-time.Hour)}, nil},
		{"the newest stay", store.Retention{Before: tomorrow, Last: 4}, nil},
		{"tagged ones stay", store.Retention{Before: tomorrow, Tagged: true, Last: 1}, []string{old}},
		{"tagged ones too", store.Retention{Before: tomorrow}, []string{old, tagged, newest}},
	} {
		got, err := s.Prune(t.Context(), c.keep, true)
		if diff := cmp.Diff(c.want, ids(got)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	if runs, err := s.Runs(t.Context()); err != nil || len(runs) != 4 {
		t.Fatalf("a dry run left %d runs, %v", len(runs), err)
	}
	before := read(t, s, tagged)
	got, err := s.Prune(t.Context(), store.Retention{Before: tomorrow, Tagged: true, Last: 1}, false)
	if err != nil || len(got) != 1 || got[0].Trials != 1 || got[0].Samples != 2 || got[0].Bytes < 100 {
		t.Fatalf("removed %+v, %v", got, err)
	}
	db := past(t, location)
	for _, table := range []string{"run_states", "artefacts", "cells", "trials", "samples", "qualities", "events"} {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM "+table+" WHERE run = $1", old).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows of the removed run are left in %s, %v", n, table, err)
		}
	}
	if diff := cmp.Diff(before, read(t, s, tagged)); diff != "" {
		t.Errorf("another run changed (-before +after):\n%s", diff)
	}
	if got := mergeOK(t, laptop, s); len(got) != 1 || got[0].Skipped == "" {
		t.Errorf("a merge brought a removed run back: %+v", got)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := s.SizeBytes(t.Context()); err != nil || n < 1000 {
		t.Errorf("the store has %d bytes, %v", n, err)
	}
	if diff := cmp.Diff(before, read(t, s, tagged)); diff != "" {
		t.Errorf("compacting changed a run (-before +after):\n%s", diff)
	}
}

// A gate that compares with the wrong run cries wolf, or does not.
func TestTags(t *testing.T) { each(t, testTags) }

func testTags(t *testing.T, location string) {
	s := open(t, location)
	first, second := sitting(t, s, "", store.Done), sitting(t, s, "", store.Done)
	for _, bad := range []string{"", "last", "20261128", "run:x", "main~7d", "a b", "-x", "ä"} {
		if _, err := s.SetTag(t.Context(), first, bad, false); err == nil {
			t.Errorf("%q was taken for a tag", bad)
		}
	}
	if _, err := s.SetTag(t.Context(), "1999", "main", false); err == nil {
		t.Error("a run that is not there was tagged")
	}
	for range 2 {
		if id, err := s.SetTag(t.Context(), first, "main", false); err != nil || id != first {
			t.Errorf("tagged %q, %v", id, err)
		}
	}
	if _, err := s.SetTag(t.Context(), second, "main", false); err == nil {
		t.Error("a tag moved without being asked")
	}
	if _, err := s.SetTag(t.Context(), second, "main", true); err != nil {
		t.Error(err)
	}
	if r, ok, err := s.Tagged(t.Context(), "main"); r.ID != second || !ok || err != nil {
		t.Errorf("main is %s, %v, %v", r.ID, ok, err)
	}
	if r, err := s.Run(t.Context(), "main"); r.ID != second || err != nil {
		t.Errorf("run main is %s, %v", r.ID, err)
	}
	if tags, err := s.Tags(t.Context()); err != nil || len(tags) != 1 || tags[0].Run != second {
		t.Errorf("tags %v, %v", tags, err)
	}
	if err := s.RemoveTag(t.Context(), "main"); err != nil {
		t.Error(err)
	}
	if err := s.RemoveTag(t.Context(), "main"); err == nil {
		t.Error("a tag was removed twice")
	}
	if _, ok, err := s.Tagged(t.Context(), "main"); ok || err != nil {
		t.Errorf("a removed tag still names a run, %v", err)
	}
}
