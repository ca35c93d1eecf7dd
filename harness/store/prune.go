package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Retention says which runs stay.
type Retention struct {
	Before time.Time // runs that changed at it or later stay
	Last   int       // so many of the newest stay
	Tagged bool      // runs with a tag stay
}

// Pruned is a run that was, or would be, removed.
type Pruned struct {
	Run     Run
	Changed time.Time // when something was last stored of it
	Trials  int
	Samples int64
	Bytes   int64 // of its samples and documents; indexes come to that
	Tags    []string
}

// Prune removes whole runs that a retention does not keep, each in a transaction
// of its own. A run that a process works on stays. With dryRun it only says what
// it would remove. The database gives the room back in Compact.
func (s *Store) Prune(ctx context.Context, keep Retention, dryRun bool) ([]Pruned, error) {
	runs, err := s.Runs(ctx)
	if err != nil {
		return nil, err
	}
	tags, err := s.Tags(ctx)
	if err != nil {
		return nil, err
	}
	var out []Pruned
	for _, r := range runs[:max(0, len(runs)-keep.Last)] {
		p := Pruned{Run: r}
		for _, t := range tags {
			if t.Run == r.ID {
				p.Tags = append(p.Tags, t.Name)
			}
		}
		if keep.Tagged && len(p.Tags) > 0 {
			continue
		}
		if err := s.weigh(ctx, &p); err != nil {
			return out, err
		}
		if !p.Changed.Before(keep.Before) {
			continue
		}
		if dryRun {
			_, busy, err := holder(ctx, s.db, r.ID)
			if err != nil {
				return out, fmt.Errorf("reading run %s: %w", r.ID, s.explain(err))
			}
			if busy == nil {
				out = append(out, p)
			}
			continue
		}
		err := s.remove(ctx, r.ID)
		if busy := (*BusyError)(nil); errors.As(err, &busy) {
			continue
		}
		if err != nil {
			return out, err
		}
		out = append(out, p)
	}
	return out, nil
}

// weigh fills in what a run has.
func (s *Store) weigh(ctx context.Context, p *Pruned) error {
	const text = `SELECT
		(SELECT count(*) FROM trials WHERE run = $1),
		(SELECT coalesce(sum(length(CAST(result AS TEXT))), 0) FROM trials WHERE run = $1)
			+ (SELECT coalesce(sum(length(CAST(result AS TEXT))), 0) FROM qualities WHERE run = $1)
			+ (SELECT coalesce(sum(length(CAST(report AS TEXT))), 0) FROM artefacts WHERE run = $1)
			+ (SELECT coalesce(sum(length(data)), 0) FROM samples WHERE run = $1),
		(SELECT coalesce(sum(count), 0) FROM samples WHERE run = $1),
		coalesce((SELECT max(ended_at) FROM trials WHERE run = $1), ''),
		coalesce((SELECT max(at) FROM run_states WHERE run = $1), ''),
		coalesce((SELECT max(at) FROM events WHERE run = $1), '')`
	var trial, state, event string
	err := s.again(ctx, func() error {
		return s.db.QueryRowContext(ctx, text, p.Run.ID).Scan(&p.Trials, &p.Bytes, &p.Samples, &trial, &state, &event)
	})
	if err == nil {
		p.Changed, err = unstamp(max(trial, state, event))
	}
	if err != nil {
		return fmt.Errorf("weighing run %s: %w", p.Run.ID, s.explain(err))
	}
	return nil
}

// remove deletes a run and all that belongs to it, and remembers that it did.
func (s *Store) remove(ctx context.Context, run string) error {
	return s.within(ctx, "removing run "+run, func(tx *sql.Tx) error {
		var id string
		err := tx.QueryRowContext(ctx, "SELECT id FROM runs WHERE id = $1"+s.dialect.forUpdate(), run).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // another process was faster
		}
		if err != nil {
			return err
		}
		if _, busy, err := holder(ctx, tx, run); err != nil {
			return err
		} else if busy != nil {
			return busy
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO pruned (run, at) VALUES ($1, $2)", run, stamp(time.Now())); err != nil {
			return err
		}
		// Those that refer to others first: the reverse of the order in which they came.
		tables := slices.Clone(guarded)
		slices.Reverse(tables)
		for _, table := range append([]string{"tags", "leases"}, tables...) {
			key := "run"
			if table == "runs" {
				key = "id"
			}
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s = $1", table, key), run); err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
		}
		return nil
	})
}

// Compact gives the room of removed runs back to the file system. A SQLite file
// is rewritten, which takes as much free room as it has content.
func (s *Store) Compact(ctx context.Context) error {
	if s.dialect == SQLite {
		for _, text := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
			if _, err := s.db.ExecContext(ctx, text); err != nil {
				return fmt.Errorf("compacting store: %w", s.explain(err))
			}
		}
		return nil
	}
	for _, table := range append([]string{"tags", "leases"}, guarded...) {
		if _, err := s.db.ExecContext(ctx, "VACUUM (FULL, ANALYZE) "+table); err != nil {
			return fmt.Errorf("compacting table %s: %w", table, s.explain(err))
		}
	}
	return nil
}

// SizeBytes is what the store takes on the disk, with its log and indexes.
func (s *Store) SizeBytes(ctx context.Context) (int64, error) {
	text, args := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()", []any(nil)
	if s.dialect == Postgres {
		text = "SELECT CAST(sum(pg_total_relation_size(to_regclass(name))) AS BIGINT) FROM unnest(string_to_array($1, ' ')) AS name"
		args = []any{strings.Join(guarded, " ")}
	}
	var n int64
	err := s.again(ctx, func() error { return s.db.QueryRowContext(ctx, text, args...).Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("reading the store's size: %w", s.explain(err))
	}
	return n, nil
}
