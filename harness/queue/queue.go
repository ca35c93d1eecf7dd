// Package queue shares boards between users, laptops and controllers. Jobs are
// [River]'s, in Postgres or in one SQLite file; leases of boards, reservations
// and results lie in tables beside River's, in the same database.
//
// A job is one trial: one repeat of one cell of a submitted sweep on one board.
// Nothing smaller can be measured, and anything larger would lose finished
// trials with a killed controller, or count them twice. A trial's result, the
// check that its controller still holds the board's lease, and the completion of
// its job are one transaction. Whatever River does with a job afterwards (it may
// hand one out twice), the second result of a trial is refused.
//
// Every user has a River queue on every board. Its controller takes the next
// trial from the user who has used the board least, within one priority. So a
// user with thousands of jobs holds no other back for longer than a trial.
//
// [River]: https://riverqueue.com
package queue

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite" // the driver sqlite
)

// Default is the queue's file when no database is named.
const Default = "lab.db"

// statementLimit bounds a transaction of ours: a database that hangs must not
// hold a board longer than its lease.
const statementLimit = 8 * time.Second

// Queue is an open lab database. It may be used by several goroutines.
type Queue struct {
	db       *sql.DB
	listener *pgxpool.Pool // nil with SQLite
	driver   riverdriver.Driver[*sql.Tx]
	insert   *river.Client[*sql.Tx] // works no jobs
	dialect  dialect
	log      *slog.Logger
}

type (
	postgresDriver = riverdatabasesql.Driver
	sqliteDriver   = riversqlite.Driver
)

// dialect is where the two databases differ.
type dialect struct {
	postgres bool
	now      string // microseconds since 1970 by the database's clock
	lock     string // of the rows of a SELECT
	serial   string // type of a growing key
}

var (
	postgres = dialect{postgres: true, now: "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", lock: " FOR UPDATE", serial: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"}
	lite     = dialect{now: "CAST(unixepoch('subsec') * 1000000 AS INTEGER)", serial: "INTEGER PRIMARY KEY"}
)

// sql puts a statement into the dialect: {now} and {lock} are its own words, and
// parameters are written $1.
func (d dialect) sql(text string) string {
	text = strings.NewReplacer("{now}", d.now, "{lock}", d.lock, "{serial}", d.serial).Replace(text)
	if !d.postgres {
		text = strings.ReplaceAll(text, "$", "?")
	}
	return text
}

// IsPostgres says whether a location is a server's address and not a file.
func IsPostgres(location string) bool {
	return strings.HasPrefix(location, "postgres://") || strings.HasPrefix(location, "postgresql://")
}

// Open opens the lab's database, a postgres:// address or a SQLite file, and
// makes its tables where there are none.
func Open(ctx context.Context, location string, log *slog.Logger) (*Queue, error) {
	q := &Queue{log: log}
	var err error
	if IsPostgres(location) {
		err = q.openPostgres(location)
	} else {
		err = q.openSQLite(location)
	}
	if err != nil {
		return nil, fmt.Errorf("opening lab database: %w", err)
	}
	if q.insert, err = river.NewClient(q.driver, &river.Config{Logger: log}); err == nil {
		err = q.migrate(ctx)
	}
	if err != nil {
		q.Close() //nolint:errcheck // the first error is the one to tell
		return nil, fmt.Errorf("opening lab database: %w", err)
	}
	return q, nil
}

func (q *Queue) openPostgres(location string) error {
	config, err := pgxpool.ParseConfig(location)
	if err != nil {
		return withoutPassword(err)
	}
	config.MinConns, config.MaxConns = 0, 1 // River takes one to listen
	if q.listener, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return withoutPassword(err)
	}
	if q.db, err = sql.Open("pgx", location); err != nil {
		q.listener.Close()
		return withoutPassword(err)
	}
	q.db.SetMaxOpenConns(12)
	q.db.SetMaxIdleConns(12)
	q.db.SetConnMaxIdleTime(time.Minute)
	q.dialect, q.driver = postgres, riverdatabasesql.NewWithPgxListener(q.db, q.listener)
	return nil
}

// withoutPassword keeps the address, which may hold a password, out of logs.
func withoutPassword(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return fmt.Errorf("the postgres address cannot be read: %w", e.Err)
	}
	return err
}

func (q *Queue) openSQLite(location string) error {
	path, err := filepath.Abs(strings.TrimPrefix(location, "sqlite:"))
	if err != nil {
		return err
	}
	// A power cut may undo the last transactions: their trials are jobs again, and
	// still count once. For that, nobody waits for the disk five times a trial.
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(8000)", "foreign_keys(1)", "journal_mode(WAL)", "synchronous(NORMAL)"}}
	if q.db, err = sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode()); err != nil {
		return err
	}
	q.db.SetMaxOpenConns(1)
	q.dialect, q.driver = lite, riversqlite.New(q.db)
	return nil
}

// Close closes the database.
func (q *Queue) Close() error {
	if q.listener != nil {
		q.listener.Close()
	}
	return q.db.Close()
}

// Ping says whether the database answers.
func (q *Queue) Ping(ctx context.Context) error { return q.db.PingContext(ctx) }

// within runs f in a transaction of bounded length.
func (q *Queue) within(ctx context.Context, doing string, f func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := f(ctx, tx); err != nil {
		tx.Rollback() //nolint:errcheck // the first error is the one to tell
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// rows calls f with every row of a query.
func (q *Queue) rows(ctx context.Context, doing, query string, f func(scan func(...any) error) error, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	rows, err := q.db.QueryContext(ctx, q.dialect.sql(query), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer rows.Close() //nolint:errcheck // reading is over
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// Token returns n random bytes in hex.
func Token(n int) string {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // never fails
	return hex.EncodeToString(b)
}

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
