//go:build !unix

package store_test

import "testing"

func postgres(t *testing.T) string {
	t.Skip("PostgreSQL is started for tests on Unix only")
	return ""
}
