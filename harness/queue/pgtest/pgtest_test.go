//go:build unix

package pgtest

import (
	"context"
	"os"
	"testing"

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

func TestDatabasesAreApart(t *testing.T) {
	a, b := Database(t), Database(t)
	if a == b {
		t.Fatalf("both are %s", a)
	}
	if shared.done == nil {
		t.Fatal("no shared server")
	}
	if _, err := os.Stat(shared.data()); err != nil {
		t.Error(err)
	}
}
