package queue

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"time"

	"github.com/riverqueue/river/rivermigrate"
)

//go:embed schema/*.sql
var schema embed.FS

// newest is the version of the tables that this program uses.
const newest = 1

// migrationLock keeps two programs from making the tables at once (Postgres; with
// SQLite the second one fails and looks again).
const migrationLock = 0x6861726e657373

// migrate makes or updates River's tables and ours.
func (q *Queue) migrate(ctx context.Context) error {
	var err error
	for try := range 5 {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(try) * 200 * time.Millisecond):
			}
		}
		if err = q.up(ctx); err == nil || q.dialect.postgres {
			return err
		}
	}
	return err
}

func (q *Queue) up(ctx context.Context) error {
	if q.dialect.postgres {
		conn, err := q.db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // back to the pool
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		defer conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock)) //nolint:errcheck // ends with the connection too
	}
	m, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: q.log})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("making river's tables: %w", err)
	}
	return q.to(ctx, newest)
}

// to brings our tables to a version, up or down.
func (q *Queue) to(ctx context.Context, want int) error {
	return q.within(ctx, "making the lab's tables", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS lab_version (version INTEGER NOT NULL)"); err != nil {
			return err
		}
		var have int
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM lab_version").Scan(&have); err != nil {
			return err
		}
		if have > newest {
			return fmt.Errorf("it was made by a later version of harness (tables %d, this one knows %d); update this program", have, newest)
		}
		for have != want {
			file, next := fmt.Sprintf("schema/%d.up.sql", have+1), have+1
			if want < have {
				file, next = fmt.Sprintf("schema/%d.down.sql", have), have-1
			}
			text, err := schema.ReadFile(file)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, q.dialect.sql(string(text))); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			have = next
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM lab_version"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, q.dialect.sql("INSERT INTO lab_version (version) VALUES ($1)"), have)
		return err
	})
}
