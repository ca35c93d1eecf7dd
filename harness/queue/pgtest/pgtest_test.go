//go:build unix

package pgtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A crash must keep what was committed: else the tests that crash a server say
// nothing of what a user's server would have kept.
func TestRestartKeepsWhatWasCommitted(t *testing.T) {
	address, restart := Start(t)
	ctx := context.Background()
	ask := func(sql string) (n int) {
		t.Helper()
		conn, err := pgx.Connect(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx) //nolint:errcheck // nothing is left to be lost
		if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE kept AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	before := ask("SELECT (extract(epoch FROM pg_postmaster_start_time())*1000)::bigint")
	restart()
	if err := conn.Ping(ctx); err == nil {
		t.Error("the connection outlived the crash")
	}
	if n := ask("SELECT n FROM kept"); n != 42 {
		t.Errorf("read %d, want 42", n)
	}
	if after := ask("SELECT (extract(epoch FROM pg_postmaster_start_time())*1000)::bigint"); after == before {
		t.Error("the server was not restarted")
	}
}

// Tests that share a server must not see each other's tables.
func TestDatabasesAreApart(t *testing.T) {
	ctx := context.Background()
	for range 2 {
		conn, err := pgx.Connect(ctx, Database(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx) //nolint:errcheck // nothing is left to be lost
		if _, err := conn.Exec(ctx, "CREATE TABLE mine (n int)"); err != nil {
			t.Error(err)
		}
	}
}

// A cut that lets something through, or a link that stays cut, says nothing of what
// a program does without its database.
func TestLink(t *testing.T) {
	l := NewLink(t, Database(t))
	ping := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, l.Address)
		if err != nil {
			return err
		}
		defer conn.Close(ctx) //nolint:errcheck // nothing is left to be lost
		return conn.Ping(ctx)
	}
	for _, hang := range []bool{false, true} {
		if err := ping(); err != nil {
			t.Fatalf("before the cut: %v", err)
		}
		l.Cut(hang)
		if err := ping(); err == nil {
			t.Errorf("hang %v: the server answers", hang)
		}
		l.Mend()
	}
	if err := ping(); err != nil {
		t.Errorf("after it: %v", err)
	}
}
