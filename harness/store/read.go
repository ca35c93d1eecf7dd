package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Last names the newest run.
const Last = "last"

const selectRuns = `SELECT r.id, r.plan, r.command, r.model, r.dataset, r.tool_version, r.commit_hash, r.started_at, s.at, s.state, s.detail
	FROM runs r JOIN run_states s ON s.id = (SELECT max(id) FROM run_states WHERE run = r.id)`

// Run returns a run by its id, by an unambiguous beginning of it, or the newest
// one by Last.
func (s *Store) Run(ctx context.Context, id string) (Run, error) {
	where, arg := " WHERE substr(r.id, 1, length(?1)) = ?1 ORDER BY r.started_at DESC, r.id DESC LIMIT 2", id
	if id == Last || id == "" {
		where, arg = " WHERE ?1 = ?1 ORDER BY r.started_at DESC, r.rowid DESC LIMIT 1", Last
	}
	runs, err := query(ctx, s, "reading run "+id, scanRun, selectRuns+where, arg)
	switch {
	case err != nil:
		return Run{}, err
	case len(runs) == 0 && arg == Last:
		return Run{}, fmt.Errorf("%s holds no run yet; start one with: harness sweep", s.path)
	case len(runs) == 0:
		return Run{}, fmt.Errorf("%s holds no run %s; %s", s.path, id, s.have(ctx))
	case len(runs) == 2 && runs[0].ID != id && runs[1].ID != id:
		return Run{}, fmt.Errorf("run %s is ambiguous: %s and %s begin so", id, runs[1].ID, runs[0].ID)
	}
	r := runs[0]
	if len(runs) == 2 && runs[1].ID == id {
		r = runs[1]
	}
	if r.State == Running {
		busy, err := holder(ctx, s.db, r.ID)
		if err != nil {
			return Run{}, fmt.Errorf("reading run %s: %w", r.ID, explain(err, s.path))
		}
		if busy == nil {
			r.State, r.Detail = Interrupted, "its process ended without a word"
		}
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
	return query(ctx, s, "reading runs", scanRun, selectRuns+" ORDER BY r.started_at, r.rowid")
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
	}, "SELECT id, target, position, artefact, axes FROM cells WHERE run = ? ORDER BY position", run)
}

// Artefacts returns a run's artefacts in the order they were built.
func (s *Store) Artefacts(ctx context.Context, run string) ([]Artefact, error) {
	return query(ctx, s, "reading artefacts", func(rows *sql.Rows) (a Artefact, err error) {
		var report string
		err = rows.Scan(&a.Key, &a.Bits, &a.RankRatio, &a.PruneRatio, &a.Path, &a.Hash, &a.Cached, &a.BuildS, &report)
		a.Report = json.RawMessage(report)
		return a, err
	}, "SELECT key, bits, rank_ratio, prune_ratio, path, hash, cached, build_s, report FROM artefacts WHERE run = ? ORDER BY at, key", run)
}

// Trials returns a run's trials in the order they were stored, without samples.
func (s *Store) Trials(ctx context.Context, run string) ([]Trial, error) {
	return query(ctx, s, "reading trials", func(rows *sql.Rows) (t Trial, err error) {
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
	}, "SELECT id, cell, repeat, attempt, started_at, ended_at, result FROM trials WHERE run = ? ORDER BY id", run)
}

// AddSamples reads the samples of all trials given into them.
func (s *Store) AddSamples(ctx context.Context, run string, trials []Trial) error {
	at := make(map[int64]*wire.MeasureResult, len(trials))
	for i := range trials {
		at[trials[i].ID] = &trials[i].Result
	}
	_, err := query(ctx, s, "reading samples", func(rows *sql.Rows) (struct{}, error) {
		var id int64
		var x wire.Sample
		if err := rows.Scan(&id, &x.TimeS, &x.LatencyMS, &x.Items, &x.Tokens); err != nil {
			return struct{}{}, err
		}
		if r := at[id]; r != nil {
			r.Samples = append(r.Samples, x)
		}
		return struct{}{}, nil
	}, `SELECT s.trial, s.t_s, s.latency_ms, s.items, s.tokens FROM samples s JOIN trials t ON t.id = s.trial
		WHERE t.run = ? ORDER BY s.trial, s.number`, run)
	return err
}

// Qualities returns what a run's artefacts predict.
func (s *Store) Qualities(ctx context.Context, run string) ([]Quality, error) {
	return query(ctx, s, "reading qualities", func(rows *sql.Rows) (q Quality, err error) {
		var result string
		if err = rows.Scan(&q.Subject, &q.Threshold, &result); err != nil {
			return q, err
		}
		return q, json.Unmarshal([]byte(result), &q.Result)
	}, "SELECT subject, threshold, result FROM qualities WHERE run = ? ORDER BY at", run)
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
	}, "SELECT at, level, code, text, target FROM events WHERE run = ? ORDER BY id", run)
}

// query reads all rows of a statement.
func query[T any](ctx context.Context, s *Store, doing string, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	var out []T
	err := func() error {
		rows, err := s.db.QueryContext(ctx, text, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return rows.Err()
	}()
	if err != nil && !errors.Is(err, context.Canceled) {
		err = explain(err, s.path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return out, nil
}
