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

// applicationID marks our SQLite files, and is the key of the advisory lock under
// which a Postgres database is migrated ("HRNS").
const applicationID = 0x48524e53

// migration is a step of the schema, there and back.
type migration struct {
	version  int
	name     string // of the script up
	up, down string
}

// migrations returns the embedded scripts in the order of their numbers.
func migrations() ([]migration, error) {
	entries, err := scripts.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var out []migration
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".down.sql") {
			continue
		}
		number, _, _ := strings.Cut(e.Name(), "_")
		v, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number: %w", e.Name(), err)
		}
		up, err := scripts.ReadFile(path.Join("migrations", e.Name()))
		if err != nil {
			return nil, err
		}
		down, err := scripts.ReadFile(path.Join("migrations", strings.TrimSuffix(e.Name(), ".sql")+".down.sql"))
		if err != nil {
			return nil, err
		}
		out = append(out, migration{v, e.Name(), string(up), string(down)})
	}
	slices.SortFunc(out, func(a, b migration) int { return a.version - b.version })
	return out, nil
}

// steps are the parts of migrations that no statement can say. A script names one
// in a line of its own, "-- step: NAME".
var steps = map[string]func(context.Context, *sql.Tx) error{"pack": pack, "unpack": unpack}

const stepMark = "-- step: "

// migrate brings the database to a version, each script in its own transaction.
// Several processes may do so at once.
func (s *Store) migrate(ctx context.Context, to int) error {
	have, err := s.version(ctx)
	if err != nil {
		return err
	}
	all, err := migrations()
	if err != nil {
		return err
	}
	if have > newest(all) {
		return newer(s.name, have)
	}
	if have == to {
		return nil
	}
	if have == 0 && s.dialect == SQLite {
		// The journal mode stays with the file and cannot change in a transaction.
		if err := s.useWAL(ctx); err != nil {
			return err
		}
	}
	back := slices.Clone(all)
	slices.Reverse(back)
	for _, m := range back {
		if m.version > to {
			if err := s.within(ctx, "taking back "+m.name, func(tx *sql.Tx) error { return s.takeBack(ctx, tx, m) }); err != nil {
				return err
			}
		}
	}
	for _, m := range all {
		if m.version <= to {
			if err := s.within(ctx, "applying "+m.name, func(tx *sql.Tx) error { return s.apply(ctx, tx, m) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func newest(all []migration) int { return all[len(all)-1].version }

// apply runs one script unless another process has done so meanwhile.
func (s *Store) apply(ctx context.Context, tx *sql.Tx, m migration) error {
	done, err := s.applied(ctx, tx, m)
	if err != nil || done {
		return err
	}
	if err := s.script(ctx, tx, m.name, m.up); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO schema_version (version, name, at) VALUES ($1, $2, $3)", m.version, m.name, stamp(time.Now()))
	return err
}

func (s *Store) takeBack(ctx context.Context, tx *sql.Tx, m migration) error {
	done, err := s.applied(ctx, tx, m)
	if err != nil || !done {
		return err
	}
	if err := s.script(ctx, tx, m.name, m.down); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM schema_version WHERE version = $1", m.version)
	return err
}

// applied says whether the schema has a migration, and keeps other processes from
// changing that before the transaction ends.
func (s *Store) applied(ctx context.Context, tx *sql.Tx, m migration) (bool, error) {
	mark := fmt.Sprintf("PRAGMA application_id = %d", applicationID)
	if s.dialect == Postgres {
		mark = fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", applicationID)
	}
	if _, err := tx.ExecContext(ctx, mark); err != nil {
		return false, err
	}
	if err := s.script(ctx, tx, "schema_version",
		"CREATE TABLE IF NOT EXISTS schema_version (version {{int}} PRIMARY KEY, name {{text}} NOT NULL, at {{text}} NOT NULL) {{strict}}"); err != nil {
		return false, err
	}
	var done bool
	err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM schema_version WHERE version = $1)", m.version).Scan(&done)
	return done, err
}

// script runs a script with its steps.
func (s *Store) script(ctx context.Context, tx *sql.Tx, name, text string) error {
	text, err := s.dialect.render(name, text)
	if err != nil {
		return err
	}
	for i, part := range strings.Split(text, stepMark) {
		if i > 0 {
			var step string
			step, part, _ = strings.Cut(part, "\n")
			if err := steps[step](ctx, tx); err != nil {
				return fmt.Errorf("step %s: %w", step, err)
			}
		}
		if _, err := tx.ExecContext(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// version returns the schema's version, 0 for an empty database, and an error for
// that of another program.
func (s *Store) version(ctx context.Context) (int, error) {
	empty, ours, err := s.owner(ctx)
	switch {
	case err != nil:
		return 0, err
	case empty:
		return 0, nil
	case !ours:
		return 0, fmt.Errorf("%s is another program's database; name another with --store", s.name)
	}
	var v int
	err = s.db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema_version").Scan(&v)
	return v, err
}

// owner says whether there is no store yet and whether what is there is ours.
func (s *Store) owner(ctx context.Context) (empty, ours bool, err error) {
	if s.dialect == SQLite {
		// The tables first: another process that makes them meanwhile sets the id with them.
		var id, tables int
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
			return false, false, err
		}
		err := s.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id)
		return tables == 0, id == applicationID, err
	}
	// A Postgres database may hold other programs' tables beside ours, a lab's
	// queue among them, but none of our names.
	var versions, runs bool
	err = s.db.QueryRowContext(ctx, `SELECT to_regclass('schema_version') IS NOT NULL, to_regclass('runs') IS NOT NULL`).Scan(&versions, &runs)
	if err != nil || !versions {
		return !runs, false, err
	}
	err = s.db.QueryRowContext(ctx, `SELECT count(*) = 3 FROM information_schema.columns WHERE table_schema = current_schema()
		AND table_name = 'schema_version' AND column_name IN ('version', 'name', 'at')`).Scan(&ours)
	return false, ours, err
}

// Migrate opens a store at a version of the schema, newer or older than it is. An
// older harness can then open it; what only the newer version can say is lost.
// Version 0 removes every table.
func Migrate(ctx context.Context, location string, to int) error {
	all, err := migrations()
	if err != nil {
		return err
	}
	if to < 0 || to > newest(all) {
		return fmt.Errorf("schema version %d: this harness knows 0 to %d", to, newest(all))
	}
	s, err := dial(ctx, location)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what it wrote is committed
	if err := s.migrate(ctx, to); err != nil {
		return fmt.Errorf("migrating store: %w", s.explain(err))
	}
	return nil
}

func newer(path string, have int) error {
	return fmt.Errorf("%s was written by a newer harness (schema version %d); update this one or name another store with --store", path, have)
}

// stamp is a time as the store writes it: fixed width, so that text order is time order.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func unstamp(s string) (time.Time, error) { return time.Parse("2006-01-02T15:04:05.000000Z", s) }
