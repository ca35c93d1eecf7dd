package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// AddCells inserts a run's cells; those already there are left alone.
func (l *Lease) AddCells(ctx context.Context, cells []Cell) error {
	return l.write(ctx, "storing cells", func(tx *sql.Tx) error {
		for _, c := range cells {
			if err := insertCell(ctx, tx, l.run, c); err != nil {
				return fmt.Errorf("cell %s: %w", c.ID, err)
			}
		}
		return nil
	})
}

// AddArtefact inserts an artefact; one already there is left alone.
func (l *Lease) AddArtefact(ctx context.Context, a Artefact) error {
	return l.write(ctx, "storing artefact "+a.Key, func(tx *sql.Tx) error { return insertArtefact(ctx, tx, l.run, a, time.Now()) })
}

// AddTrial inserts a finished trial and its samples in one transaction. The very
// same trial again is left alone. A different one of the same cell, repeat and
// attempt, and a second valid one of the same cell and repeat, are errors.
func (l *Lease) AddTrial(ctx context.Context, t Trial) error {
	doing := fmt.Sprintf("storing trial %s repeat %d attempt %d", t.Cell, t.Repeat, t.Attempt)
	row, err := pressTrial(t)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return l.write(ctx, doing, func(tx *sql.Tx) error {
		// Where the answer to a commit was lost, it is there already.
		have, err := findTrial(ctx, tx, l.run, row)
		if err != nil || have != nil && have.same(row) {
			return err
		}
		return insertTrial(ctx, tx, l.run, row)
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
		return insertQuality(ctx, tx, l.run, q.Subject, q.Threshold, string(result), time.Now())
	})
}

// AddEvent notes something about the run. Its time is that of the storing.
func (l *Lease) AddEvent(ctx context.Context, e Event) error {
	e.At = time.Now()
	return l.write(ctx, "storing event", func(tx *sql.Tx) error { return insertEvent(ctx, tx, l.run, e) })
}

func insertRun(ctx context.Context, tx *sql.Tx, r Run) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO runs (id, plan, command, model, dataset, tool_version, commit_hash, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		r.ID, document(r.Plan), plain(r.Command), plain(r.Model), plain(r.Dataset), plain(r.ToolVersion), plain(r.Commit), stamp(r.Started))
	return err
}

func insertState(ctx context.Context, tx *sql.Tx, run string, at time.Time, state State, detail string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO run_states (run, at, state, detail) VALUES ($1, $2, $3, $4)", run, stamp(at), string(state), plain(detail))
	return err
}

func insertCell(ctx context.Context, tx *sql.Tx, run string, c Cell) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO cells (run, id, target, position, artefact, axes) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
		run, c.ID, cmp.Or(c.Target, thisMachine), c.Position, c.Artefact, document(c.Axes))
	return err
}

func insertArtefact(ctx context.Context, tx *sql.Tx, run string, a Artefact, at time.Time) error {
	for name, v := range map[string]float64{"rank ratio": a.RankRatio, "prune ratio": a.PruneRatio, "build time": a.BuildS} {
		if err := isFinite(name, v); err != nil {
			return err
		}
	}
	cached := 0
	if a.Cached {
		cached = 1
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO artefacts (run, key, bits, rank_ratio, prune_ratio, path, hash, cached, build_s, report, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		run, a.Key, a.Bits, a.RankRatio, a.PruneRatio, plain(a.Path), a.Hash, cached, a.BuildS, document(a.Report), stamp(at))
	return err
}

func insertQuality(ctx context.Context, tx *sql.Tx, run, subject string, threshold float64, result string, at time.Time) error {
	if err := isFinite("threshold", threshold); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO qualities (run, subject, threshold, result, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		run, subject, threshold, result, stamp(at))
	return err
}

func insertEvent(ctx context.Context, tx *sql.Tx, run string, e Event) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO events (run, at, level, code, text, target) VALUES ($1, $2, $3, $4, $5, $6)",
		run, stamp(e.At), e.Level, plain(e.Code), plain(e.Text), e.Target)
	return err
}

// trialRow is a trial as it lies in the database.
type trialRow struct {
	cell            string
	repeat, attempt int
	verdict, reason string
	started, ended  string
	result          string
	count           int    // of the samples
	samples         []byte // packed; nil for none
}

func (r *trialRow) same(o *trialRow) bool {
	return r.started == o.started && r.ended == o.ended && r.result == o.result && bytes.Equal(r.samples, o.samples)
}

func pressTrial(t Trial) (*trialRow, error) {
	samples := t.Result.Samples
	t.Result.Samples = nil
	result, err := json.Marshal(t.Result)
	if err != nil {
		return nil, err
	}
	r := &trialRow{
		cell: t.Cell, repeat: t.Repeat, attempt: t.Attempt, verdict: string(t.Result.Verdict), reason: t.Result.Reason,
		started: stamp(t.Started), ended: stamp(t.Ended), result: string(result), count: len(samples),
	}
	if len(samples) > 0 {
		r.samples, err = packSamples(samples)
	}
	return r, err
}

// findTrial returns the stored trial of a cell, repeat and attempt, nil for none.
func findTrial(ctx context.Context, tx *sql.Tx, run string, like *trialRow) (*trialRow, error) {
	r := &trialRow{cell: like.cell, repeat: like.repeat, attempt: like.attempt}
	err := tx.QueryRowContext(ctx, `SELECT t.verdict, t.reason, t.started_at, t.ended_at, t.result, coalesce(s.count, 0), s.data
		FROM trials t LEFT JOIN samples s ON s.trial = t.id WHERE t.run = $1 AND t.cell = $2 AND t.repeat = $3 AND t.attempt = $4`,
		run, r.cell, r.repeat, r.attempt).Scan(&r.verdict, &r.reason, &r.started, &r.ended, &r.result, &r.count, &r.samples)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

func insertTrial(ctx context.Context, tx *sql.Tx, run string, r *trialRow) error {
	var id int64
	err := tx.QueryRowContext(ctx, `INSERT INTO trials (run, cell, repeat, attempt, verdict, reason, started_at, ended_at, result)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
		run, r.cell, r.repeat, r.attempt, r.verdict, plain(r.reason), r.started, r.ended, r.result).Scan(&id)
	if err != nil || r.count == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO samples (trial, run, count, data) VALUES ($1, $2, $3, $4)", id, run, r.count, r.samples)
	return err
}

// thisMachine is the target of cells that name none.
const thisMachine = "local"

// document is a JSON text, an empty object where there is none.
func document(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "{}"
	}
	return string(raw)
}

// plain is a text that both databases take: Postgres has no zero byte in one.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// isFinite refuses numbers that the two databases would treat differently.
func isFinite(name string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%s is %g: it must be a finite number", name, v)
	}
	return nil
}
