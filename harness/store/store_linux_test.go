package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed-c6f48606/harness/harness/store"
)

// A report can be made from a store on read-only media, a sweep is told why not.
func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755) //nolint:errcheck
	}
	path := filepath.Join(dir, "x.db")
	s := open(t, path)
	l := start(t, s)
	if err := l.Close(t.Context(), store.Done, ""); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755) //nolint:errcheck
	if os.Geteuid() == 0 {
		// Root may write anywhere: act as nobody on this thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer unix.Setfsuid(0) //nolint:errcheck
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := store.Open(t.Context(), path); err == nil {
		s.Close()
		t.Error("opened for writing")
	} else if !strings.Contains(err.Error(), "cannot be written: permission denied; name") {
		t.Error(err)
	}
	s, err := store.OpenExisting(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r, err := s.Run(t.Context(), store.Last); err != nil || r.ID != l.Run() {
		t.Error(r, err)
	}
}

// What a writer had not yet moved from its log into the file is measured all the same.
func TestReadOnlyFolderWithLog(t *testing.T) {
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755) //nolint:errcheck
	}
	path := filepath.Join(dir, "x.db")
	open(t, path).Close() // the tables lie in the file
	w := open(t, path)
	defer w.Close()
	l := start(t, w) // lies in the log while the writer has the file open
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		t.Fatalf("there is no log to read: %v", err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755) //nolint:errcheck
	if os.Geteuid() == 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer unix.Setfsuid(0) //nolint:errcheck
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.OpenExisting(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r, err := s.Run(t.Context(), store.Last); err != nil || r.ID != l.Run() {
		t.Error(r, err)
	}
}
