package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// files is how files are changed on a target: by SFTP, or by commands where
// there is none (adb, small SSH servers). Paths are absolute.
type files interface {
	// List returns the entries of a folder; fs.ErrNotExist where there is none.
	List(ctx context.Context, dir string) ([]entry, error)
	// Write puts the bytes of r at an offset and makes the folder first. What
	// lies behind the offset is overwritten.
	Write(ctx context.Context, path string, offset int64, r io.Reader) error
	// Move renames and replaces in one step, after setting the mode of a file.
	Move(ctx context.Context, from, to string, mode fs.FileMode) error
	// Remove removes a file or a whole folder; what is not there is removed.
	Remove(ctx context.Context, path string) error
	// Free is how many bytes a user may still write below dir.
	Free(ctx context.Context, dir string) (int64, error)
}

type entry struct {
	Name      string
	SizeBytes int64
	Dir       bool
	Modified  time.Time // on the target's clock
}

// Limits of what a target may list.
const (
	maxEntries  = 20000
	maxListing  = 8 << 20 // bytes of one answer
	maxFileName = 255
)

// checkName refuses names that a folder cannot have: they would lead elsewhere.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > maxFileName || strings.ContainsFunc(name, func(r rune) bool { return r == '/' || control(r) }) {
		return targetFault("its file server cannot be trusted", "the target lists a file called %s", short(name))
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// absent makes a missing file, where one must be, a fault of the target.
func absent(err error, file string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return targetFault("", "%s is gone from the target", file)
	}
	return err
}

// describe is a size for people.
func describe(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}
