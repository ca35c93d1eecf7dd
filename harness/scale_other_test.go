//go:build !unix

package main

import (
	"os"
	"testing"
)

func postgres(t *testing.T) string {
	t.Skip("PostgreSQL is started for tests on Unix only")
	return ""
}

func peakRSS(*os.ProcessState) int64 { return 0 }
