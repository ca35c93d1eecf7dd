// Package store keeps runs in a SQLite file or a Postgres database: plans,
// artefacts, cells, trials with their samples, qualities and events. Both have the
// same schema, and all statements are written once.
//
// Everything is append-only (triggers refuse changes); only the lease that says
// which process may write to a run is renewed, and tags move. Whole runs are
// removed by Prune. A finished trial and its samples are one transaction that also
// checks the lease, so that after SIGKILL of anything a trial is either there
// wholly or not at all, and two controllers never write to the same run.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Default is the store's file when none is named.
const Default = "harness.db"

// Store is an open database. It may be used by several goroutines.
type Store struct {
	db      *sql.DB
	dialect Dialect
	name    string // path or address without its password
	temp    string // folder of a copy to be removed
}

// Name returns the database's file, or its address without the password.
func (s *Store) Name() string { return s.name }

// Dialect returns the kind of the database.
func (s *Store) Dialect() Dialect { return s.dialect }

// DB returns the connections, for tables that live beside the store's. On SQLite
// there is one: a query whose rows are open blocks every other.
func (s *Store) DB() *sql.DB { return s.db }

// Close closes the database.
func (s *Store) Close() error {
	err := s.db.Close()
	if s.temp != "" {
		err = errors.Join(err, os.RemoveAll(s.temp))
	}
	return err
}

// Open opens the database at location (a path, sqlite:PATH or
// postgres://USER@HOST/DATABASE), creates its tables where there are none and
// brings them up to date. A SQLite file is created, a Postgres database is not.
// Its errors name the database, what is wrong and the mend.
func Open(ctx context.Context, location string) (*Store, error) {
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	s, err := dial(ctx, location)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, newest(all)); err != nil {
		s.Close() //nolint:errcheck // the first error is the one to tell
		return nil, fmt.Errorf("opening store: %w", s.explain(err))
	}
	return s, nil
}

// OpenExisting opens a database for reading; one that does not exist is an
// error. It works on a read-only folder too.
func OpenExisting(ctx context.Context, location string) (*Store, error) {
	if isPostgres(location) {
		s, err := dialPostgres(ctx, location)
		if err != nil {
			return nil, err
		}
		have, err := s.version(ctx)
		s.Close() //nolint:errcheck // nothing was written
		switch {
		case err != nil:
			return nil, fmt.Errorf("opening store: %w", s.explain(err))
		case have == 0:
			return nil, fmt.Errorf("opening store: %s holds no runs; name the store of an earlier sweep with --store", s.name)
		}
		return Open(ctx, location)
	}
	return openExistingFile(ctx, location)
}

// dial connects to the database as it is.
func dial(ctx context.Context, location string) (*Store, error) {
	if isPostgres(location) {
		return dialPostgres(ctx, location)
	}
	return dialFile(ctx, location)
}

func isPostgres(location string) bool {
	return strings.HasPrefix(location, "postgres:") || strings.HasPrefix(location, "postgresql:")
}

// explain puts the database's own errors into words with a mend.
func (s *Store) explain(err error) error {
	if s.dialect == Postgres {
		return explainPostgres(err, s.name)
	}
	return explainFile(err, s.name)
}

// Transact runs f in one transaction, for tables that live beside the store's. It
// runs again where the connection was lost or another transaction was in its way,
// so that f must not count on running once.
func (s *Store) Transact(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return s.within(ctx, doing, f)
}

// within runs f in one transaction.
func (s *Store) within(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	err := s.again(ctx, func() error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := f(tx); err != nil {
			tx.Rollback() //nolint:errcheck // the first error is the one to tell
			return err
		}
		return tx.Commit()
	})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, s.explain(err))
	}
	return nil
}

// patience is how long a Postgres server that went away is waited for, as while
// it starts again.
const patience = time.Minute

// again tries until an error is not one that passes by itself. SQLite does its
// own waiting.
func (s *Store) again(ctx context.Context, try func() error) error {
	pause := 20 * time.Millisecond
	for began := time.Now(); ; pause = min(2*pause, time.Second) {
		err := try()
		if err == nil || s.dialect != Postgres || !passing(err) || time.Since(began) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}
