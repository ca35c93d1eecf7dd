package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var scripts embed.FS

// applicationID marks our files, so that another program's database is refused
// instead of being given our tables ("HRNS").
const applicationID = 0x48524e53

type migration struct {
	version int
	name    string
	sql     string
}

// migrations returns the embedded scripts in the order of their numbers.
func migrations() ([]migration, error) {
	entries, err := scripts.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var out []migration
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		v, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number: %w", e.Name(), err)
		}
		text, err := scripts.ReadFile(path.Join("migrations", e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, migration{v, e.Name(), string(text)})
	}
	slices.SortFunc(out, func(a, b migration) int { return a.version - b.version })
	return out, nil
}

// migrate brings the database to this build's version, each script in its own
// transaction. Several processes may do so at once.
func (s *Store) migrate(ctx context.Context) error {
	have, err := s.version(ctx)
	if err != nil {
		return err
	}
	all, err := migrations()
	if err != nil {
		return err
	}
	newest := all[len(all)-1].version
	if have > newest {
		return newer(s.path, have)
	}
	if have == newest {
		return nil
	}
	if have == 0 {
		// The journal mode stays with the file and cannot change in a transaction.
		if err := s.useWAL(ctx); err != nil {
			return err
		}
	}
	for _, m := range all {
		if err := s.within(ctx, "applying "+m.name, func(tx *sql.Tx) error { return apply(ctx, tx, m) }); err != nil {
			return err
		}
	}
	return nil
}

// useWAL sets the journal mode. SQLite does not wait for other processes in
// this statement, so the waiting is done here.
func (s *Store) useWAL(ctx context.Context) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, err := s.db.ExecContext(ctx, "PRAGMA journal_mode = WAL")
		if err == nil || !busy(err) || time.Since(began) > busyWait {
			return err
		}
	}
}

// apply runs one script unless another process has done so meanwhile.
func apply(ctx context.Context, tx *sql.Tx, m migration) error {
	const table = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL, at TEXT NOT NULL) STRICT"
	if _, err := tx.ExecContext(ctx, table); err != nil {
		return err
	}
	var done bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM schema_version WHERE version = ?)", m.version).Scan(&done); err != nil || done {
		return err
	}
	if _, err := tx.ExecContext(ctx, m.sql); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO schema_version VALUES (?, ?, ?)", m.version, m.name, stamp(time.Now()))
	return err
}

// version returns the schema's version, 0 for an empty file, and an error for
// the database of another program.
func (s *Store) version(ctx context.Context) (int, error) {
	var id, tables int
	if err := s.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return 0, err
	}
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return 0, err
	}
	switch {
	case tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, fmt.Errorf("%s is another program's database; name another with --store", s.path)
	}
	var v int
	err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema_version").Scan(&v)
	return v, err
}

// checkVersion refuses what a read-only connection could not migrate.
func checkVersion(path string, have int) error {
	all, err := migrations()
	if err != nil {
		return err
	}
	switch newest := all[len(all)-1].version; {
	case have > newest:
		return newer(path, have)
	case have < newest:
		return fmt.Errorf("%s has schema version %d and cannot be brought to %d here: its folder is read-only; copy it to a writable one", path, have, newest)
	}
	return nil
}

func newer(path string, have int) error {
	return fmt.Errorf("%s was written by a newer harness (schema version %d); update this one or name another store with --store", path, have)
}

// stamp is a time as the store writes it: fixed width, so that text order is time order.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func unstamp(s string) (time.Time, error) { return time.Parse("2006-01-02T15:04:05.000000Z", s) }
