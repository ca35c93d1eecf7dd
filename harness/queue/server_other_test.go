//go:build !unix

package queue

import "testing"

// server is an empty database on a Postgres server, which tests start on Unix only.
func server(t *testing.T) string {
	t.Helper()
	t.Skip("tests start PostgreSQL on Unix only")
	return ""
}
