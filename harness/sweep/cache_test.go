package sweep

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// entries lists what a cache holds, without its lock files.
func entries(t *testing.T, c Cache) []string {
	t.Helper()
	list, err := os.ReadDir(c.Root)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range list {
		if filepath.Ext(e.Name()) != ".lock" {
			out = append(out, e.Name())
		}
	}
	return out
}

func write(dir string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// A half-built artefact that is taken for a whole one gives figures of a model
// that nobody asked for.
func TestAFolderAppearsWholeOrNotAtAll(t *testing.T) {
	c := Cache{Root: filepath.Join(t.TempDir(), "new", "cache")}
	sick := errors.New("disk full")
	_, _, _, err := c.Ensure(t.Context(), "k", func(dir string) error {
		return errors.Join(write(dir, map[string]string{"a": "half"}), sick)
	})
	if !errors.Is(err, sick) {
		t.Errorf("got %v, want the builder's error", err)
	}
	if got := entries(t, c); len(got) > 0 {
		t.Errorf("a failed build left %v", got)
	}
	// What a killed builder of this key left is cleared away, another's is not.
	for _, name := range []string{".build-k-1", ".build-other-1"} {
		if err := os.Mkdir(filepath.Join(c.Root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path, cached, damaged, err := c.Ensure(t.Context(), "k", func(dir string) error {
		if _, err := os.Stat(filepath.Join(c.Root, "k")); err == nil {
			t.Error("the folder is there before it is built")
		}
		return write(dir, map[string]string{"a": "1", "b": "2"})
	})
	if err != nil || cached || damaged != nil {
		t.Fatalf("cached %v, damaged %v, %v", cached, damaged, err)
	}
	if diff := cmp.Diff([]string{".build-other-1", "k"}, entries(t, c)); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
	if b, err := os.ReadFile(filepath.Join(path, "b")); string(b) != "2" {
		t.Errorf("b holds %q, %v", b, err)
	}
	again, cached, _, err := c.Ensure(t.Context(), "k", func(string) error { return errors.New("built again") })
	if err != nil || !cached || again != path {
		t.Errorf("second time: %s, cached %v, %v", again, cached, err)
	}
}

// A flipped bit in a cached model must not become a figure.
func TestADamagedFolderIsBuiltAnew(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"changed":     func(dir string) error { return write(dir, map[string]string{"a": "x"}) },
		"cut short":   func(dir string) error { return os.Truncate(filepath.Join(dir, "a"), 0) },
		"missing":     func(dir string) error { return os.Remove(filepath.Join(dir, "b")) },
		"no manifest": func(dir string) error { return os.Remove(filepath.Join(dir, manifestName)) },
		"empty list":  func(dir string) error { return write(dir, map[string]string{manifestName: "{}"}) },
		"garbage":     func(dir string) error { return write(dir, map[string]string{manifestName: "\x00"}) },
		"a file":      func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := Cache{Root: t.TempDir()}
			built := 0
			build := func(dir string) error {
				built++
				return write(dir, map[string]string{"a": "1", "b": "2"})
			}
			path, _, _, err := c.Ensure(t.Context(), "k", build)
			if err == nil {
				err = harm(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			path, cached, damaged, err := c.Ensure(t.Context(), "k", build)
			if err != nil || cached || damaged == nil || damaged.Why == "" || built != 2 {
				t.Fatalf("cached %v, damaged %v, built %d times, %v", cached, damaged, built, err)
			}
			if a, err := os.ReadFile(filepath.Join(path, "a")); string(a) != "1" {
				t.Errorf("a holds %q, %v", a, err)
			}
			if _, cached, damaged, err := c.Ensure(t.Context(), "k", build); !cached || damaged != nil || err != nil {
				t.Errorf("after mending: cached %v, damaged %v, %v", cached, damaged, err)
			}
		})
	}
}

// Two sweeps at once must not build one artefact twice, nor into each other.
func TestTwoBuildersBuildOnce(t *testing.T) {
	c := Cache{Root: t.TempDir()}
	var built, reused atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			_, cached, _, err := c.Ensure(t.Context(), "k", func(dir string) error {
				built.Add(1)
				time.Sleep(20 * time.Millisecond) // the others come meanwhile
				return write(dir, map[string]string{"a": "1"})
			})
			if err != nil {
				t.Error(err)
			}
			if cached {
				reused.Add(1)
			}
		})
	}
	wg.Wait()
	if built.Load() != 1 || reused.Load() != 3 {
		t.Errorf("built %d times and reused %d times, want 1 and 3", built.Load(), reused.Load())
	}
}

// Ctrl-C must end the waiting for another process's build.
func TestWaitingForABuilderCanBeCanceled(t *testing.T) {
	c := Cache{Root: t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	_, _, _, err := c.Ensure(t.Context(), "k", func(dir string) error {
		cancel()
		_, _, _, err := c.Ensure(ctx, "k", func(string) error { return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		return write(dir, map[string]string{"a": "1"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUserCacheFollowsTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	c, err := UserCache()
	if err != nil || c.Root != filepath.Join(dir, "harness") {
		t.Errorf("got %s, %v", c.Root, err)
	}
}
