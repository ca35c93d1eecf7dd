package model_test

import (
	"os"
	"path/filepath"
	"testing"
)

// golden returns the path of a file of the shared golden data and skips the
// test where they are absent.
func golden(t testing.TB, name string) string {
	t.Helper()
	shared := os.Getenv("HARNESS_SHARED")
	if shared == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				t.Skip("no go.mod above the test, so no shared golden data")
			}
			dir = filepath.Dir(dir)
		}
		shared = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(shared, "golden", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("golden data absent: %v (set HARNESS_SHARED)", err)
	}
	return path
}
