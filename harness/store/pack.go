package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// pack is the step of migration 3: rows of samples become one value a trial.
func pack(ctx context.Context, tx *sql.Tx) error {
	trials, err := column[int64](ctx, tx, "SELECT DISTINCT trial FROM sample_rows ORDER BY trial")
	if err != nil {
		return err
	}
	for _, trial := range trials {
		xs, err := collect(ctx, tx, func(rows *sql.Rows) (x wire.Sample, err error) {
			err = rows.Scan(&x.TimeS, &x.LatencyMS, &x.Items, &x.Tokens)
			return x, err
		}, "SELECT t_s, latency_ms, items, tokens FROM sample_rows WHERE trial = $1 ORDER BY number", trial)
		if err != nil {
			return err
		}
		data, err := packSamples(xs)
		if err != nil {
			return fmt.Errorf("trial %d: %w", trial, err)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO samples (trial, run, count, data) SELECT id, run, $2, $3 FROM trials WHERE id = $1", trial, len(xs), data)
		if err != nil {
			return fmt.Errorf("trial %d: %w", trial, err)
		}
	}
	return nil
}

// unpack takes pack back.
func unpack(ctx context.Context, tx *sql.Tx) error {
	trials, err := column[int64](ctx, tx, "SELECT trial FROM packed ORDER BY trial")
	if err != nil {
		return err
	}
	for _, trial := range trials {
		var data []byte
		if err := tx.QueryRowContext(ctx, "SELECT data FROM packed WHERE trial = $1", trial).Scan(&data); err != nil {
			return err
		}
		xs, err := unpackSamples(data)
		if err != nil {
			return fmt.Errorf("trial %d: %w", trial, err)
		}
		for i, x := range xs {
			_, err := tx.ExecContext(ctx, "INSERT INTO samples (trial, number, t_s, latency_ms, items, tokens) VALUES ($1, $2, $3, $4, $5, $6)",
				trial, i, x.TimeS, x.LatencyMS, x.Items, x.Tokens)
			if err != nil {
				return fmt.Errorf("trial %d, sample %d: %w", trial, i, err)
			}
		}
	}
	return nil
}
