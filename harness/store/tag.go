package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Tag is a name of a run, such as the baseline of a gate.
type Tag struct {
	Name, Run string
	At        time.Time // when it was set
}

// tagName keeps names apart from ids, from "last" and from what a gate's baseline
// may say besides (run:ID, main~7d).
var tagName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/-]{0,99}$`)

// SetTag names a run. A name that another run has is refused, unless move is set.
// It returns the run's whole id.
func (s *Store) SetTag(ctx context.Context, run, name string, move bool) (string, error) {
	if !tagName.MatchString(name) || name == Last {
		return "", fmt.Errorf("tag %q: must begin with a letter and have letters, digits, dots, dashes, underscores and slashes only, at most 100, and not be %q", name, Last)
	}
	r, err := s.Run(ctx, run)
	if err != nil {
		return "", err
	}
	return r.ID, s.within(ctx, "setting tag "+name, func(tx *sql.Tx) error {
		if !move {
			var other string
			err := tx.QueryRowContext(ctx, "SELECT run FROM tags WHERE name = $1", name).Scan(&other)
			switch {
			case err != nil && !errors.Is(err, sql.ErrNoRows):
				return err
			case err == nil && other != r.ID:
				return fmt.Errorf("it names run %s; move it with --move, or choose another name", other)
			}
		}
		return insertTag(ctx, tx, Tag{name, r.ID, time.Now()})
	})
}

func insertTag(ctx context.Context, tx *sql.Tx, t Tag) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO tags (name, run, at) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET run = $2, at = $3", t.Name, t.Run, stamp(t.At))
	return err
}

// RemoveTag removes a tag; one that is not there is an error.
func (s *Store) RemoveTag(ctx context.Context, name string) error {
	return s.within(ctx, "removing tag "+name, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM tags WHERE name = $1", name)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err == nil && n == 0 {
			return fmt.Errorf("%s has no such tag", s.name)
		}
		return nil
	})
}

// Tags returns all tags by their names.
func (s *Store) Tags(ctx context.Context) ([]Tag, error) {
	return query(ctx, s, "reading tags", scanTag, "SELECT name, run, at FROM tags ORDER BY name")
}

// Tagged returns the run that a tag names; ok is false where there is no such tag.
func (s *Store) Tagged(ctx context.Context, name string) (r Run, ok bool, err error) {
	tags, err := query(ctx, s, "reading tag "+name, scanTag, "SELECT name, run, at FROM tags WHERE name = $1", name)
	if err != nil || len(tags) == 0 {
		return Run{}, false, err
	}
	r, err = s.Run(ctx, tags[0].Run)
	return r, err == nil, err
}

func scanTag(rows *sql.Rows) (t Tag, err error) {
	var at string
	if err = rows.Scan(&t.Name, &t.Run, &at); err == nil {
		t.At, err = unstamp(at)
	}
	return t, err
}
