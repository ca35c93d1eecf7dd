package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Last names the newest run.
const Last = "last"

const selectRuns = `SELECT r.id, r.plan, r.command, r.model, r.dataset, r.tool_version, r.commit_hash, r.started_at, s.at, s.state, s.detail
	FROM runs r JOIN run_states s ON s.id = (SELECT max(id) FROM run_states WHERE run = r.id)`

// Run returns a run by its id, by an unambiguous beginning of it, by its tag, or
// the newest one by Last.
func (s *Store) Run(ctx context.Context, id string) (Run, error) {
	if id == Last || id == "" {
		runs, err := query(ctx, s, "reading the newest run", scanRun, selectRuns+" ORDER BY r.started_at DESC, r.id DESC LIMIT 1")
		switch {
		case err != nil:
			return Run{}, err
		case len(runs) == 0:
			return Run{}, fmt.Errorf("%s holds no run yet; start one with: harness sweep", s.name)
		}
		return s.settle(ctx, runs[0])
	}
	const begins = " WHERE substr(r.id, 1, length(CAST($1 AS TEXT))) = CAST($1 AS TEXT) ORDER BY r.started_at DESC, r.id DESC LIMIT 2"
	runs, err := query(ctx, s, "reading run "+id, scanRun, selectRuns+begins, id)
	switch {
	case err != nil:
		return Run{}, err
	case len(runs) == 0:
		if r, ok, err := s.Tagged(ctx, id); ok || err != nil {
			return r, err
		}
		return Run{}, fmt.Errorf("%s holds no run %s; %s", s.name, id, s.have(ctx))
	case len(runs) == 2 && runs[0].ID != id && runs[1].ID != id:
		return Run{}, fmt.Errorf("run %s is ambiguous: %s and %s begin so", id, runs[1].ID, runs[0].ID)
	}
	r := runs[0]
	if len(runs) == 2 && runs[1].ID == id {
		r = runs[1]
	}
	return s.settle(ctx, r)
}

// settle reads a run whose process died without a word as interrupted.
func (s *Store) settle(ctx context.Context, r Run) (Run, error) {
	if r.State != Running {
		return r, nil
	}
	err := s.again(ctx, func() error {
		_, busy, err := holder(ctx, s.db, r.ID)
		if err == nil && busy == nil {
			r.State, r.Detail = Interrupted, "its process ended without a word"
		}
		return err
	})
	if err != nil {
		return Run{}, fmt.Errorf("reading run %s: %w", r.ID, s.explain(err))
	}
	return r, nil
}

// have lists the newest runs for an error.
func (s *Store) have(ctx context.Context) string {
	runs, err := s.Runs(ctx)
	if err != nil || len(runs) == 0 {
		return "it is empty"
	}
	text := "the newest are"
	for _, r := range runs[max(0, len(runs)-3):] {
		text += " " + r.ID
	}
	return text
}

// Runs returns all runs, oldest first.
func (s *Store) Runs(ctx context.Context) ([]Run, error) {
	return query(ctx, s, "reading runs", scanRun, selectRuns+" ORDER BY r.started_at, r.id")
}

func scanRun(rows *sql.Rows) (Run, error) {
	var r Run
	var plan, started, at string
	err := rows.Scan(&r.ID, &plan, &r.Command, &r.Model, &r.Dataset, &r.ToolVersion, &r.Commit, &started, &at, &r.State, &r.Detail)
	if err != nil {
		return r, err
	}
	r.Plan = json.RawMessage(plan)
	if r.Started, err = unstamp(started); err != nil {
		return r, err
	}
	if r.State != Running {
		r.Ended, err = unstamp(at)
	}
	return r, err
}

// Cells returns a run's cells in the plan's order.
func (s *Store) Cells(ctx context.Context, run string) ([]Cell, error) {
	return query(ctx, s, "reading cells", func(rows *sql.Rows) (c Cell, err error) {
		var axes string
		err = rows.Scan(&c.ID, &c.Target, &c.Position, &c.Artefact, &axes)
		c.Axes = json.RawMessage(axes)
		return c, err
	}, "SELECT id, target, position, artefact, axes FROM cells WHERE run = $1 ORDER BY position", run)
}

// Artefacts returns a run's artefacts in the order they were built.
func (s *Store) Artefacts(ctx context.Context, run string) ([]Artefact, error) {
	return query(ctx, s, "reading artefacts", func(rows *sql.Rows) (a Artefact, err error) {
		var report string
		err = rows.Scan(&a.Key, &a.Bits, &a.RankRatio, &a.PruneRatio, &a.Path, &a.Hash, &a.Cached, &a.BuildS, &report)
		a.Report = json.RawMessage(report)
		return a, err
	}, "SELECT key, bits, rank_ratio, prune_ratio, path, hash, cached, build_s, report FROM artefacts WHERE run = $1 ORDER BY at, key", run)
}

// Trials returns a run's trials in the order they were stored, without samples.
func (s *Store) Trials(ctx context.Context, run string) ([]Trial, error) {
	return query(ctx, s, "reading trials", scanTrial,
		"SELECT id, cell, repeat, attempt, started_at, ended_at, result FROM trials WHERE run = $1 ORDER BY id", run)
}

func scanTrial(rows *sql.Rows) (t Trial, err error) {
	var started, ended, result string
	if err = rows.Scan(&t.ID, &t.Cell, &t.Repeat, &t.Attempt, &started, &ended, &result); err != nil {
		return t, err
	}
	if t.Started, err = unstamp(started); err != nil {
		return t, err
	}
	if t.Ended, err = unstamp(ended); err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(result), &t.Result)
}

// EachTrial calls f with one trial of a run after the other, with its samples.
// Memory does not grow with the run.
func (s *Store) EachTrial(ctx context.Context, run string, f func(Trial) error) error {
	for after := int64(-1); ; {
		page, err := query(ctx, s, "reading trials", scanTrial,
			"SELECT id, cell, repeat, attempt, started_at, ended_at, result FROM trials WHERE run = $1 AND id > $2 ORDER BY id LIMIT 64", run, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, t := range page {
			if t.Result.Samples, err = s.Samples(ctx, t.ID); err != nil {
				return err
			}
			if err := f(t); err != nil {
				return err
			}
			after = t.ID
		}
	}
}

// AddSamples reads the samples of all trials given into them.
func (s *Store) AddSamples(ctx context.Context, run string, trials []Trial) error {
	if len(trials) == 0 {
		return nil
	}
	at := make(map[int64]*wire.MeasureResult, len(trials))
	first, last := trials[0].ID, trials[0].ID
	for i := range trials {
		id := trials[i].ID
		at[id] = &trials[i].Result
		first, last = min(first, id), max(last, id)
	}
	return s.eachSamples(ctx, run, first, last, func(id int64, data []byte) error {
		r := at[id]
		if r == nil {
			return nil
		}
		var err error
		r.Samples, err = unpackSamples(data)
		return err
	})
}

// Latencies calls f with the latencies in milliseconds of every trial of a run
// that has samples, in the order the trials were stored. f may change them but
// not keep them.
func (s *Store) Latencies(ctx context.Context, run string, f func(trial int64, ms []float64) error) error {
	var buf []float64
	return s.eachSamples(ctx, run, 0, math.MaxInt64, func(id int64, data []byte) error {
		var err error
		if buf, err = unpackLatencies(data, buf); err != nil {
			return err
		}
		return f(id, buf)
	})
}

// Samples returns the samples of one trial, nil where it has none.
func (s *Store) Samples(ctx context.Context, trial int64) ([]wire.Sample, error) {
	doing := fmt.Sprintf("reading samples of trial %d", trial)
	out, err := query(ctx, s, doing, func(rows *sql.Rows) ([]wire.Sample, error) {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
		return unpackSamples(data)
	}, "SELECT data FROM samples WHERE trial = $1", trial)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out[0], nil
}

// eachSamples calls f with the packed samples of one trial after the other, of
// those whose ids are from first to last. They are read page by page, so that
// memory does not grow with the run and nothing waits for f.
func (s *Store) eachSamples(ctx context.Context, run string, first, last int64, f func(trial int64, data []byte) error) error {
	type entry struct {
		trial int64
		data  []byte
	}
	for after := first - 1; ; {
		page, err := query(ctx, s, "reading samples", func(rows *sql.Rows) (e entry, err error) {
			err = rows.Scan(&e.trial, &e.data)
			return e, err
		}, "SELECT trial, data FROM samples WHERE run = $1 AND trial > $2 AND trial <= $3 ORDER BY trial LIMIT 16", run, after, last)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		for _, e := range page {
			if err := f(e.trial, e.data); err != nil {
				return fmt.Errorf("samples of trial %d: %w", e.trial, err)
			}
			after = e.trial
		}
	}
}

// Qualities returns what a run's artefacts predict.
func (s *Store) Qualities(ctx context.Context, run string) ([]Quality, error) {
	return query(ctx, s, "reading qualities", func(rows *sql.Rows) (q Quality, err error) {
		var result string
		if err = rows.Scan(&q.Subject, &q.Threshold, &result); err != nil {
			return q, err
		}
		return q, json.Unmarshal([]byte(result), &q.Result)
	}, "SELECT subject, threshold, result FROM qualities WHERE run = $1 ORDER BY at, subject, threshold", run)
}

// Events returns a run's events, oldest first.
func (s *Store) Events(ctx context.Context, run string) ([]Event, error) {
	return query(ctx, s, "reading events", func(rows *sql.Rows) (e Event, err error) {
		var at string
		if err = rows.Scan(&at, &e.Level, &e.Code, &e.Text, &e.Target); err != nil {
			return e, err
		}
		e.At, err = unstamp(at)
		return e, err
	}, "SELECT at, level, code, text, target FROM events WHERE run = $1 ORDER BY id", run)
}

// query reads all rows of a statement.
func query[T any](ctx context.Context, s *Store, doing string, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	var out []T
	err := s.again(ctx, func() (err error) {
		out, err = collect(ctx, s.db, scan, text, args...)
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		err = s.explain(err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return out, nil
}

type rowsQuerier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect reads all rows of a statement on a connection or in a transaction.
func collect[T any](ctx context.Context, q rowsQuerier, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// column is collect of a single column.
func column[T any](ctx context.Context, q rowsQuerier, text string, args ...any) ([]T, error) {
	return collect(ctx, q, func(rows *sql.Rows) (v T, err error) {
		err = rows.Scan(&v)
		return v, err
	}, text, args...)
}
