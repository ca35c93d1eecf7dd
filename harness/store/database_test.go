package store_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// each runs a test against a new store of every kind. What holds on a laptop must
// hold in the lab.
func each(t *testing.T, test func(t *testing.T, location string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "with space ?#%.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, postgres(t)) })
}

// past opens a database past the store, as another program would.
func past(t *testing.T, location string) *sql.DB {
	t.Helper()
	driver, name := "pgx", location
	if !strings.HasPrefix(location, "postgres:") {
		driver, name = "sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(location)
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
