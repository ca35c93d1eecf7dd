package virtual

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// tree is a directory of files that stand for a kernel's, kept live. A file is
// replaced whole, so that no reader sees half of one.
type tree struct {
	dir   string
	stage string // on the same file system, seen by no reader
	last  map[string]string
	held  map[string]*os.File // files that do not answer, and the pipe in place of each
}

// newTree makes an empty tree.
func newTree(dir, stage string) (*tree, error) {
	for _, d := range []string{filepath.Join(dir, "proc"), filepath.Join(dir, "run"), filepath.Join(dir, "sys"), stage} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("making a board's tree: %w", err)
		}
	}
	return &tree{dir: dir, stage: filepath.Join(stage, "next"), last: map[string]string{}, held: map[string]*os.File{}}, nil
}

// set gives a file its text. A file that has it already costs nothing; a file
// that is held gets it on release.
func (t *tree) set(name, text string) error {
	before, known := t.last[name]
	if known && before == text {
		return nil
	}
	t.last[name] = text
	if t.held[name] != nil {
		return nil
	}
	if !known {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(t.dir, name)), 0o755); err != nil {
			return fmt.Errorf("making a board's tree: %w", err)
		}
	}
	return t.replace(name, text)
}

func (t *tree) replace(name, text string) error {
	if err := writeFile(t.stage, text, 0o644); err != nil {
		return err
	}
	if err := os.Rename(t.stage, filepath.Join(t.dir, name)); err != nil {
		return fmt.Errorf("writing a board's %s: %w", name, err)
	}
	return nil
}

// setInt is set for a number and a line end.
func (t *tree) setInt(name string, v int64) error {
	return t.set(name, strconv.FormatInt(v, 10)+"\n")
}

// open gives a file that the board's user may write, as root of a real board may,
// its first text. The tree does not write it again.
func (t *tree) open(name, text string) error {
	if err := t.set(name, text); err != nil {
		return err
	}
	delete(t.last, name)
	if err := os.Chmod(filepath.Join(t.dir, name), 0o666); err != nil {
		return fmt.Errorf("opening a board's %s to its user: %w", name, err)
	}
	return nil
}

// link makes name a symbolic link to another name of the tree.
func (t *tree) link(name, to string) error {
	path := filepath.Join(t.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making a board's tree: %w", err)
	}
	target, err := filepath.Rel(filepath.Dir(path), filepath.Join(t.dir, to))
	if err != nil {
		return fmt.Errorf("linking a board's %s: %w", name, err)
	}
	if err := os.Symlink(target, path); err != nil {
		return fmt.Errorf("linking a board's %s: %w", name, err)
	}
	return nil
}

// hold stops a file from answering: who reads it waits until release.
func (t *tree) hold(name string) error {
	if t.held[name] != nil {
		return nil
	}
	if _, ok := t.last[name]; !ok {
		return fmt.Errorf("holding a board's %s: %w", name, fs.ErrNotExist)
	}
	if err := os.Remove(t.stage); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("holding a board's %s: %w", name, err)
	}
	if err := unix.Mkfifo(t.stage, 0o644); err != nil {
		return fmt.Errorf("holding a board's %s: %w", name, err)
	}
	if err := os.Chmod(t.stage, 0o644); err != nil {
		return fmt.Errorf("holding a board's %s: %w", name, err)
	}
	// Open for reading and writing, so that readers neither wait to open it nor
	// see its end.
	pipe, err := os.OpenFile(t.stage, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("holding a board's %s: %w", name, err)
	}
	if err := os.Rename(t.stage, filepath.Join(t.dir, name)); err != nil {
		return fmt.Errorf("holding a board's %s: %w", name, err)
	}
	t.held[name] = pipe
	return nil
}

// release lets a held file answer again, with its latest text also to who waits.
func (t *tree) release(name string) error {
	pipe := t.held[name]
	if pipe == nil {
		return nil
	}
	delete(t.held, name)
	defer pipe.Close()
	text := t.last[name]
	if err := t.replace(name, text); err != nil {
		return err
	}
	if _, err := pipe.WriteString(text); err != nil {
		return fmt.Errorf("releasing a board's %s: %w", name, err)
	}
	return nil
}

// close releases all that is held.
func (t *tree) close() error {
	for name := range t.held {
		if err := t.release(name); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file of exactly that mode, whatever the umask: the board's
// user is not the one who writes.
func writeFile(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("writing a board's file: %w", err)
	}
	_, err1 := f.WriteString(text)
	err2 := f.Chmod(mode)
	if err := errors.Join(err1, err2, f.Close()); err != nil {
		return fmt.Errorf("writing a board's file: %w", err)
	}
	return nil
}
