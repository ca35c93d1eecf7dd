package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// contents is everything that a store tells of a run.
type contents struct {
	Run       store.Run
	Cells     []store.Cell
	Artefacts []store.Artefact
	Trials    []store.Trial
	Qualities []store.Quality
	Events    []store.Event
}

func read(t *testing.T, s *store.Store, id string) contents {
	t.Helper()
	var c contents
	var errs [6]error
	c.Run, errs[0] = s.Run(t.Context(), id)
	c.Cells, errs[1] = s.Cells(t.Context(), id)
	c.Artefacts, errs[2] = s.Artefacts(t.Context(), id)
	if c.Trials, errs[3] = s.Trials(t.Context(), id); errs[3] == nil {
		errs[3] = s.AddSamples(t.Context(), id, c.Trials)
	}
	c.Qualities, errs[4] = s.Qualities(t.Context(), id)
	c.Events, errs[5] = s.Events(t.Context(), id)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return c
}

// sitting measures trials of a new run, or goes on with one, and ends it.
func sitting(t *testing.T, s *store.Store, id string, end store.State, trials ...store.Trial) string {
	t.Helper()
	var l *store.Lease
	var err error
	if id == "" {
		l = start(t, s)
	} else if l, err = s.Claim(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, x := range trials {
		if err := l.AddTrial(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		l.AddQuality(t.Context(), store.Quality{Subject: "k", Threshold: 0.3, Result: wire.EvalResult{Predictions: []int{1}, Truth: []int{1}, Items: 1}}),
		l.AddArtefact(t.Context(), store.Artefact{Key: "k", Bits: 8, RankRatio: 0.1, Hash: "h", Cached: true, BuildS: 1.0 / 3, Report: json.RawMessage(`{"a": 1.0}`)}),
		l.AddEvent(t.Context(), store.Event{Level: store.Warning, Code: "c", Text: "ä\x00 " + string(end), Target: "x"}),
		l.Close(t.Context(), end, ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return l.Run()
}

// mergeOK merges and fails on any refusal.
func mergeOK(t *testing.T, from, to *store.Store) []store.Merged {
	t.Helper()
	out, err := store.Merge(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range out {
		if m.Err != nil {
			t.Fatalf("run %s: %v", m.Run, m.Err)
		}
	}
	return out
}

// A laptop's runs must arrive in the lab as they were measured, also those that
// went on since the last merge, and on the way back.
func TestMerge(t *testing.T) {
	for _, lab := range []string{"sqlite", "postgres"} {
		t.Run("to "+lab, func(t *testing.T) {
			from, to := open(t, filepath.Join(t.TempDir(), "laptop.db")), (*store.Store)(nil)
			if lab == "postgres" {
				to = open(t, postgres(t))
			} else {
				to = open(t, filepath.Join(t.TempDir(), "lab.db"))
			}
			first := sitting(t, from, "", store.Interrupted, trial("a", 0, 0, wire.Faulted), trial("a", 0, 1, wire.Valid))
			if _, err := from.SetTag(t.Context(), first, "base", false); err != nil {
				t.Fatal(err)
			}
			same := func() {
				t.Helper()
				diff := cmp.Diff(read(t, from, first), read(t, to, first), cmpopts.IgnoreFields(store.Trial{}, "ID"))
				if diff != "" {
					t.Fatalf("a merged run differs (-from +to):\n%s", diff)
				}
			}
			if got := mergeOK(t, from, to); len(got) != 1 || !got[0].New || got[0].Trials != 2 {
				t.Errorf("first merge: %+v", got)
			}
			same()
			if got := mergeOK(t, from, to); got[0].New || got[0].Trials != 0 {
				t.Errorf("merged again: %+v", got)
			}
			same()
			sitting(t, from, first, store.Done, trial("b", 0, 0, wire.Valid))
			if got := mergeOK(t, from, to); got[0].New || got[0].Trials != 1 {
				t.Errorf("merged after it went on: %+v", got)
			}
			same()
			if got := mergeOK(t, to, from); got[0].New || got[0].Trials != 0 {
				t.Errorf("merged back: %+v", got)
			}
			same()
			if r, ok, err := to.Tagged(t.Context(), "base"); !ok || err != nil || r.ID != first {
				t.Errorf("tag names %q, %v, %v", r.ID, ok, err)
			}
		})
	}
}

// Two stores that contradict each other must not become one that nobody measured.
func TestMergeRefusesConflicts(t *testing.T) { each(t, testMergeRefusesConflicts) }

func testMergeRefusesConflicts(t *testing.T, location string) {
	lab := open(t, location)
	base := open(t, filepath.Join(t.TempDir(), "base.db"))
	id := sitting(t, base, "", store.Interrupted, trial("a", 0, 0, wire.Faulted))
	mergeOK(t, base, lab)
	before := read(t, lab, id)

	late := trial("a", 0, 0, wire.Faulted)
	late.Ended = late.Ended.Add(time.Second)
	for name, c := range map[string]struct {
		change string
		args   []any
		want   string
	}{
		"another trial":    {"UPDATE trials SET result = $1", []any{`{"verdict":"faulted","items":9}`}, "trial of cell a, repeat 0, attempt 0 differs"},
		"another plan":     {"UPDATE runs SET plan = $1", []any{`{"bits":[4]}`}, "run " + id + " differs"},
		"another cell":     {"UPDATE cells SET target = $1 WHERE id = 'b'", []any{"pi5"}, "cell b differs"},
		"another artefact": {"UPDATE artefacts SET hash = $1", []any{"h2"}, "artefact k differs"},
		"another quality":  {"UPDATE qualities SET result = $1", []any{"{}"}, "qualitie"},
		"went on in both":  {"UPDATE run_states SET detail = $1", []any{"x"}, "it went on in both stores"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "other.db")
			other := open(t, path)
			mergeOK(t, base, other)
			db := past(t, path)
			table := strings.Fields(c.change)[1]
			if _, err := db.Exec("DROP TRIGGER " + table + "_keep_update"); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(c.change, c.args...); err != nil {
				t.Fatal(err)
			}
			good := sitting(t, other, "", store.Done)
			out, err := store.Merge(t.Context(), other, lab)
			if err != nil {
				t.Fatal(err)
			}
			var conflict *store.ConflictError
			for _, m := range out {
				switch m.Run {
				case id:
					if !errors.As(m.Err, &conflict) || !strings.Contains(m.Err.Error(), c.want) {
						t.Errorf("got %v, want a refusal that says %q", m.Err, c.want)
					}
				case good:
					if m.Err != nil || !m.New {
						t.Errorf("the other run: %+v", m)
					}
				}
			}
			if diff := cmp.Diff(before, read(t, lab, id)); diff != "" {
				t.Errorf("a refused merge changed the run (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("a second valid trial", func(t *testing.T) {
		a, b := open(t, filepath.Join(t.TempDir(), "a.db")), open(t, filepath.Join(t.TempDir(), "b.db"))
		mergeOK(t, base, a)
		mergeOK(t, base, b)
		sitting(t, a, id, store.Done, trial("b", 0, 0, wire.Valid))
		sitting(t, b, id, store.Done, trial("b", 0, 1, wire.Valid))
		out, err := store.Merge(t.Context(), a, b)
		if err != nil || !strings.Contains(fmt.Sprint(out[0].Err), "trial of cell b, repeat 0, attempt 0 is a second valid one; it went on in both stores") {
			t.Errorf("%v, %v", out, err)
		}
	})
	t.Run("a tag of two runs", func(t *testing.T) {
		other := open(t, filepath.Join(t.TempDir(), "x.db"))
		second := sitting(t, other, "", store.Done)
		for _, at := range []struct {
			s   *store.Store
			run string
		}{{other, second}, {lab, id}} {
			if _, err := at.s.SetTag(t.Context(), at.run, "main", false); err != nil {
				t.Fatal(err)
			}
		}
		var conflict *store.ConflictError
		if _, err := store.Merge(t.Context(), other, lab); !errors.As(err, &conflict) || !strings.Contains(err.Error(), "tag main names run "+id+" there") {
			t.Error(err)
		}
	})
}

// A run that is being measured is not final, on either side.
func TestMergeLeavesRunningRunsAlone(t *testing.T) { each(t, testMergeLeavesRunningRunsAlone) }

func testMergeLeavesRunningRunsAlone(t *testing.T, location string) {
	lab, laptop := open(t, location), open(t, filepath.Join(t.TempDir(), "x.db"))
	l := start(t, laptop)
	if got := mergeOK(t, laptop, lab); got[0].Skipped == "" {
		t.Errorf("merged a running run: %+v", got)
	}
	if err := l.Close(t.Context(), store.Interrupted, ""); err != nil {
		t.Fatal(err)
	}
	mergeOK(t, laptop, lab)
	held, err := lab.Claim(t.Context(), l.Run())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Leave()
	sitting(t, laptop, l.Run(), store.Done, trial("a", 0, 0, wire.Valid))
	out, err := store.Merge(t.Context(), laptop, lab)
	if busy := (*store.BusyError)(nil); err != nil || !errors.As(out[0].Err, &busy) {
		t.Errorf("merged into a run that is held: %+v, %v", out, err)
	}
	if _, err := store.Merge(t.Context(), lab, lab); err == nil {
		t.Error("merged a store into itself")
	}
}
