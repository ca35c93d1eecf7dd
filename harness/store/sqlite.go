package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyWait is how long a statement waits for another process's transaction.
const busyWait = 10 * time.Second

// dialFile opens a file for writing, a new one where there is none.
func dialFile(ctx context.Context, location string) (*Store, error) {
	path, err := file(location)
	if err != nil {
		return nil, err
	}
	if err := probe(path); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	return connect(ctx, path, url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyWait.Milliseconds()), "foreign_keys(1)", "synchronous(FULL)",
	}})
}

func openExistingFile(ctx context.Context, location string) (*Store, error) {
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
	// database is read as it lies there, and a writer's log, which it would pass
	// over, in a copy.
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return openLogged(ctx, path)
	}
	s, err := connect(ctx, path, url.Values{"mode": {"ro"}, "immutable": {"1"}})
	if err != nil {
		return nil, err
	}
	have, err := s.version(ctx)
	var all []migration
	if err == nil {
		all, err = migrations()
	}
	if err == nil && have > newest(all) {
		err = newer(path, have)
	}
	if err == nil && have == newest(all) {
		return s, nil
	}
	s.Close() //nolint:errcheck // nothing was written
	if err == nil {
		s, err = openCopy(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", explainFile(err, path))
	}
	return s, nil
}

// openLogged opens a file beside which lies what a writer had not yet moved into it.
func openLogged(ctx context.Context, path string) (*Store, error) {
	s, err := openCopy(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening store %s with its -wal in a copy: %w", path, err)
	}
	return s, nil
}

// copyTries is how often a file that changes meanwhile is copied again.
const copyTries = 5

// openCopy opens a copy of a file, which can be brought up to date where the file
// cannot.
func openCopy(ctx context.Context, path string) (s *Store, err error) {
	dir, err := os.MkdirTemp("", "harness-store-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir) //nolint:errcheck // the first error is the one to tell
		}
	}()
	// Runs that a writer had not yet moved from its log into the file are there too.
	for try := 0; ; try++ {
		before, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		for _, suffix := range []string{"", "-wal"} {
			err := copyFile(filepath.Join(dir, "copy.db"+suffix), path+suffix)
			if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
				return nil, err
			}
		}
		after, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		// A log that was moved into the file meanwhile does not go with its copy.
		if after.ModTime().Equal(before.ModTime()) && after.Size() == before.Size() {
			break
		}
		if try == copyTries {
			return nil, fmt.Errorf("%s changes while it is read; wait for the program that writes it", path)
		}
	}
	if s, err = Open(ctx, filepath.Join(dir, "copy.db")); err != nil {
		return nil, err
	}
	s.name, s.temp = path, dir
	return s, nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was read
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// file resolves a location to an absolute path.
func file(location string) (string, error) {
	if location == "" {
		location = Default
	}
	if scheme, rest, ok := strings.Cut(location, ":"); ok && (scheme == "sqlite" || scheme == "file") {
		location = strings.TrimPrefix(rest, "//")
	} else if ok && strings.HasPrefix(rest, "//") {
		return "", fmt.Errorf("opening store: %s: no such kind of database; name a path such as %s, or postgres://USER@HOST/DATABASE", scheme, Default)
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
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("opening store: %w", explainFile(err, path))
	}
	return &Store{db: db, dialect: SQLite, name: path}, nil
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

// busy says whether another process was at it.
func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// explainFile puts SQLite's result codes into words with a mend.
func explainFile(err error, path string) error {
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
