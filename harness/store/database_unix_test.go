//go:build unix

package store_test

import (
	"testing"

	"github.com/seed-c6f48606/harness/harness/queue/pgtest"
)

func postgres(t *testing.T) string { return pgtest.Database(t) }
