//go:build unix

package queue

import (
	"testing"

	"github.com/seed-c6f48606/harness/harness/queue/pgtest"
)

// server is an empty database on a Postgres server.
func server(t *testing.T) string {
	t.Helper()
	return pgtest.Database(t)
}
