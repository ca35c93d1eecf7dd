package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed-c6f48606/harness/datasets/loader"
)

// Cache keeps folders addressed by a SHA-256 in hex. A folder appears complete
// or not at all, is verified before every reuse, and is built by one process at
// a time.
type Cache struct {
	Root string
}

// UserCache is $XDG_CACHE_HOME/harness, by default under the home folder.
func UserCache() (Cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("finding the cache folder: %w; set XDG_CACHE_HOME", err)
	}
	return Cache{Root: filepath.Join(base, "harness")}, nil
}

// manifestName is the file that lists a cached folder's other files.
const manifestName = "manifest.json"

type manifest struct {
	Files map[string]string `json:"files"` // SHA-256 in hex by name
}

// DamagedError tells of a cached folder whose files are not those that were
// built. The folder is built anew.
type DamagedError struct{ Path, Why string }

func (e *DamagedError) Error() string { return fmt.Sprintf("cached %s: %s", e.Path, e.Why) }

// Ensure returns the folder of key, building it into an empty folder first
// where it is missing. damaged is not nil when a folder was found and had to be
// built anew.
func (c Cache) Ensure(ctx context.Context, key string, build func(dir string) error) (path string, cached bool, damaged *DamagedError, err error) {
	path = filepath.Join(c.Root, key)
	if err := os.MkdirAll(c.Root, 0o755); err != nil {
		return "", false, nil, fmt.Errorf("preparing the cache: %w; set XDG_CACHE_HOME to a writable folder", err)
	}
	unlock, err := c.lock(ctx, key)
	if err != nil {
		return "", false, nil, err
	}
	defer unlock()
	switch err := verify(path); {
	case err == nil:
		return path, true, nil, nil
	case errors.As(err, &damaged):
		if err := os.RemoveAll(path); err != nil {
			return "", false, damaged, fmt.Errorf("removing a damaged folder: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", false, nil, err
	}
	// The lock is ours: what lies there was left by a killed builder.
	prefix := ".build-" + key + "-"
	if err := removeAll(c.Root, prefix); err != nil {
		return "", false, damaged, fmt.Errorf("removing an unfinished folder: %w", err)
	}
	temp, err := os.MkdirTemp(c.Root, prefix+"*")
	if err != nil {
		return "", false, damaged, fmt.Errorf("preparing the cache: %w", err)
	}
	defer os.RemoveAll(temp) // gone after the rename
	if err := errors.Join(os.Chmod(temp, 0o755), build(temp)); err != nil {
		return "", false, damaged, err
	}
	if err := writeManifest(temp); err != nil {
		return "", false, damaged, err
	}
	if err := os.Rename(temp, path); err != nil {
		return "", false, damaged, fmt.Errorf("placing %s: %w", path, err)
	}
	return path, false, damaged, nil
}

// removeAll removes what begins with prefix from a folder.
func removeAll(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// lock waits until no other process builds key.
func (c Cache) lock(ctx context.Context, key string) (func(), error) {
	f, err := os.OpenFile(filepath.Join(c.Root, "."+key+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the cache: %w; set XDG_CACHE_HOME to a writable folder", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, fmt.Errorf("locking the cache: %w", err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// verify compares every file with the manifest. A folder without a readable
// manifest counts as damaged.
func verify(path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(path, manifestName))
	if err != nil {
		return &DamagedError{path, "its manifest is missing"}
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil || len(m.Files) == 0 {
		return &DamagedError{path, "its manifest is not readable"}
	}
	for name, want := range m.Files {
		got, err := loader.HashFile(filepath.Join(path, name))
		if err != nil {
			return &DamagedError{path, name + " is missing"}
		}
		if got != want {
			return &DamagedError{path, fmt.Sprintf("%s has the hash %.12s…, built was %.12s…", name, got, want)}
		}
	}
	return nil
}

func writeManifest(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing %s: %w", dir, err)
	}
	m := manifest{Files: map[string]string{}}
	for _, e := range entries {
		if m.Files[e.Name()], err = loader.HashFile(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("hashing a built file: %w", err)
		}
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("writing manifest: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, manifestName), append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing manifest: %w", err)
	}
	return nil
}
