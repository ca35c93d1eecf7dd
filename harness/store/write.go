package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// AddCells inserts a run's cells; those already there are left alone.
func (l *Lease) AddCells(ctx context.Context, cells []Cell) error {
	return l.write(ctx, "storing cells", func(tx *sql.Tx) error {
		for _, c := range cells {
			_, err := tx.ExecContext(ctx, "INSERT INTO cells (run, id, target, position, artefact, axes) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
				l.run, c.ID, cmp.Or(c.Target, thisMachine), c.Position, c.Artefact, document(c.Axes))
			if err != nil {
				return fmt.Errorf("cell %s: %w", c.ID, err)
			}
		}
		return nil
	})
}

// AddArtefact inserts an artefact; one already there is left alone.
func (l *Lease) AddArtefact(ctx context.Context, a Artefact) error {
	return l.write(ctx, "storing artefact "+a.Key, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO artefacts (run, key, bits, rank_ratio, prune_ratio, path, hash, cached, build_s, report, at)
			VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
			l.run, a.Key, a.Bits, a.RankRatio, a.PruneRatio, a.Path, a.Hash, a.Cached, a.BuildS, document(a.Report), stamp(time.Now()))
		return err
	})
}

// AddTrial inserts a finished trial and its samples in one transaction. A second
// trial of the same cell, repeat and attempt, and a second valid one of the same
// cell and repeat, are errors.
func (l *Lease) AddTrial(ctx context.Context, t Trial) error {
	doing := fmt.Sprintf("storing trial %s repeat %d attempt %d", t.Cell, t.Repeat, t.Attempt)
	samples := t.Result.Samples
	t.Result.Samples = nil
	result, err := json.Marshal(t.Result)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return l.write(ctx, doing, func(tx *sql.Tx) error {
		row, err := tx.ExecContext(ctx, "INSERT INTO trials (run, cell, repeat, attempt, verdict, reason, started_at, ended_at, result) VALUES (?,?,?,?,?,?,?,?,?)",
			l.run, t.Cell, t.Repeat, t.Attempt, string(t.Result.Verdict), t.Result.Reason, stamp(t.Started), stamp(t.Ended), string(result))
		if err != nil {
			return err
		}
		id, err := row.LastInsertId()
		if err != nil {
			return err
		}
		insert, err := tx.PrepareContext(ctx, "INSERT INTO samples (trial, number, t_s, latency_ms, items, tokens) VALUES (?,?,?,?,?,?)")
		if err != nil {
			return err
		}
		defer insert.Close()
		for i, x := range samples {
			if _, err := insert.ExecContext(ctx, id, i, x.TimeS, x.LatencyMS, x.Items, x.Tokens); err != nil {
				return fmt.Errorf("sample %d: %w", i, err)
			}
		}
		return nil
	})
}

// AddQuality inserts the quality of a subject at a threshold; one already there
// is left alone.
func (l *Lease) AddQuality(ctx context.Context, q Quality) error {
	result, err := json.Marshal(q.Result)
	if err != nil {
		return fmt.Errorf("storing quality of %s: %w", q.Subject, err)
	}
	return l.write(ctx, "storing quality of "+q.Subject, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO qualities (run, subject, threshold, result, at) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
			l.run, q.Subject, q.Threshold, string(result), stamp(time.Now()))
		return err
	})
}

// thisMachine is the target of cells that name none.
const thisMachine = "local"

// AddEvent notes something about the run. Its time is that of the storing.
func (l *Lease) AddEvent(ctx context.Context, e Event) error {
	return l.write(ctx, "storing event", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO events (run, at, level, code, text, target) VALUES (?,?,?,?,?,?)",
			l.run, stamp(time.Now()), e.Level, e.Code, e.Text, e.Target)
		return err
	})
}

// document is a JSON text, an empty object where there is none.
func document(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "{}"
	}
	return string(raw)
}
