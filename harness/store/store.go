// Package store keeps runs in one SQLite file: plans, artefacts, cells, trials
// with their samples, qualities and events.
//
// Everything is append-only (triggers refuse changes); only the lease that says
// which process may write to a run is renewed. A finished trial and its samples
// are one transaction that also checks the lease, so that after SIGKILL of
// anything a trial is either there wholly or not at all, and two controllers
// never write to the same run.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Default is the store's file when none is named.
const Default = "harness.db"

// busyWait is how long a statement waits for another process's transaction.
const busyWait = 10 * time.Second

// Store is an open database. It may be used by several goroutines.
type Store struct {
	db   *sql.DB
	path string
}

// Path returns the database's file.
func (s *Store) Path() string { return s.path }

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Open opens the database at location, a path or sqlite:PATH, and creates it
// where there is none. Its errors name the file, what is wrong and the mend.
func Open(ctx context.Context, location string) (*Store, error) {
	path, err := file(location)
	if err != nil {
		return nil, err
	}
	if err := probe(path); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	s, err := connect(ctx, path, url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyWait.Milliseconds()), "foreign_keys(1)", "synchronous(FULL)",
	}})
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("opening store: %w", explain(err, path))
	}
	return s, nil
}

// OpenExisting opens a database for reading; one that does not exist is an
// error. It works on a read-only folder too.
func OpenExisting(ctx context.Context, location string) (*Store, error) {
	path, err := file(location)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening store: %s does not exist; name the store of an earlier sweep with --store", path)
	}
	if probe(path) == nil {
		return Open(ctx, location)
	}
	// Without a writable folder SQLite cannot make its shared-memory file: the
	// database is read as it lies there.
	s, err := connect(ctx, path, url.Values{"mode": {"ro"}, "immutable": {"1"}})
	if err != nil {
		return nil, err
	}
	have, err := s.version(ctx)
	if err == nil {
		err = checkVersion(path, have)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("opening store: %w", explain(err, path))
	}
	return s, nil
}

// file resolves a location to an absolute path.
func file(location string) (string, error) {
	if location == "" {
		location = Default
	}
	if scheme, rest, ok := strings.Cut(location, ":"); ok {
		switch scheme {
		case "sqlite", "file":
			location = strings.TrimPrefix(rest, "//")
		case "postgres", "postgresql":
			return "", fmt.Errorf("opening store: %s: this build keeps runs in SQLite files; name a path, such as --store %s", scheme, Default)
		}
	}
	path, err := filepath.Abs(location)
	if err != nil {
		return "", fmt.Errorf("opening store %s: %w", location, err)
	}
	return path, nil
}

// probe tells early and in plain words why a file cannot be written.
func probe(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder; name a file in it, such as --store %s", path, filepath.Join(path, Default))
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		f.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be written: %w; name a writable place with --store", path, bare(err))
	}
	// The journal lies beside the database.
	beside, err := os.CreateTemp(filepath.Dir(path), ".harness-probe-*")
	if err != nil {
		return fmt.Errorf("folder of %s cannot be written: %w; name a writable place with --store", path, bare(err))
	}
	beside.Close()
	return os.Remove(beside.Name())
}

// bare strips the operation and the path that os errors repeat.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func connect(ctx context.Context, path string, query url.Values) (*Store, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // one writer; heartbeats and trials take turns
	s := &Store{db: db, path: path}
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("opening store: %w", explain(err, path))
	}
	return s, nil
}

// busy says whether another process was at it.
func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// explain puts SQLite's result codes into words with a mend.
func explain(err error, path string) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s is not a database: another kind of file or a damaged one; name another with --store: %w", path, err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%s is damaged; restore a copy or name another with --store: %w", path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s is locked by another program (waited %v); close that program or name another with --store: %w", path, busyWait, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%s cannot be written; name a writable place with --store: %w", path, err)
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%s cannot be written (disk full or failing?): %w", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// within runs f in one transaction.
func (s *Store) within(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err, s.path))
	}
	if err := f(tx); err != nil {
		tx.Rollback() //nolint:errcheck // the first error is the one to tell
		return fmt.Errorf("%s: %w", doing, explain(err, s.path))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err, s.path))
	}
	return nil
}
