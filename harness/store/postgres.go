package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// connections is how many a process opens to a Postgres server at most.
const connections = 8

// dialPostgres connects to a database by its address. The schema is the first of
// the search_path, which the address may name (?search_path=bench).
func dialPostgres(ctx context.Context, location string) (*Store, error) {
	name := Mask(location)
	config, err := pgx.ParseConfig(location)
	if err != nil {
		return nil, fmt.Errorf("opening store: %s is no address of a Postgres database (%s); write it as postgres://USER@HOST/DATABASE", name, Mask(cause(err)))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = "harness"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetConnMaxIdleTime(time.Minute)
	s := &Store{db: db, dialect: Postgres, name: name}
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("opening store: %w", s.explain(err))
	}
	return s, nil
}

// cause is the innermost text of an error, without the address that pgx repeats.
func cause(err error) string {
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(e) {
		err = e
	}
	return err.Error()
}

var (
	password      = regexp.MustCompile(`(postgres(?:ql)?://[^/?#@\s:]*):[^/?#\s]*@`)
	passwordParam = regexp.MustCompile(`([?&](?:password|sslpassword)=)[^&\s]*`)
)

// Mask removes passwords from the addresses of databases in a text.
func Mask(text string) string {
	text = password.ReplaceAllString(text, "$1@")
	if strings.Contains(text, "postgres") {
		text = passwordParam.ReplaceAllString(text, "${1}xxx")
	}
	return text
}

// passing says whether an error passes by itself: a server that starts again, a
// connection that was cut, a transaction that gave way to another.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "40001", "40P01", // serialization failure, deadlock
			"53300",                            // too many connections
			"57P01", "57P02", "57P03", "57P05": // shutting down, crashed, starting, idle too long
			return true
		}
		return strings.HasPrefix(e.Code, "08") // connection exceptions
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}

// explainPostgres puts Postgres' errors into words with a mend.
func explainPostgres(err error, name string) error {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "28P01", "28000":
			return fmt.Errorf("%s does not let this user in (%s); give the password in PGPASSWORD or ~/.pgpass, or another user in --store", name, e.Message)
		case "3D000":
			return fmt.Errorf("%s: %s; create it with: createdb, or name another in --store", name, e.Message)
		case "42501":
			return fmt.Errorf("%s: %s; give the user the right to create and change tables in its schema, or name another with --store", name, e.Message)
		case "53100":
			return fmt.Errorf("%s: its disk is full: %w", name, err)
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return fmt.Errorf("%s cannot be reached (%s); start the server or name another with --store", name, cause(err))
	}
	if passing(err) {
		return fmt.Errorf("%s: the connection was lost and did not come back within %v: %w", name, patience, err)
	}
	return err
}
