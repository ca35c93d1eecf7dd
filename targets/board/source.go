package board

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	maxFile    = 1 << 20         // bytes read of a file or of a tool's answer
	toolLimit  = 5 * time.Second // a tool's time to answer
	maxEntries = 1024            // of one kind, such as thermal zones
)

// Source is where facts are read.
type Source struct {
	// Root holds proc, sys, dev and etc; "/" on a real machine.
	Root string
	// Tool runs one of the board's own tools, such as getprop, and returns its
	// standard output; nil where there is none to be run.
	Tool func(ctx context.Context, argv ...string) ([]byte, error)
}

// At is the machine below root. Tools are run on this machine only, which is "/".
func At(root string) Source {
	s := Source{Root: root}
	if root == "/" {
		s.Tool = runTool
	}
	return s
}

// runTool runs a command of this machine.
func runTool(ctx context.Context, argv ...string) ([]byte, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, toolLimit)
	defer cancel()
	var out limited
	c := exec.CommandContext(ctx, path, argv[1:]...)
	c.Stdout, c.WaitDelay = &out, time.Second
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("running %s: %w", argv[0], err)
	}
	return out.b, nil
}

// limited keeps the first maxFile bytes that are written to it.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.b = append(l.b, p[:min(len(p), maxFile-len(l.b))]...)
	return len(p), nil
}

// errNoTool says that a source has no tools.
var errNoTool = errors.New("the board's tools cannot be run from here")

// tool returns the answer of one of the board's tools.
func (s Source) tool(ctx context.Context, argv ...string) (string, error) {
	if s.Tool == nil {
		return "", errNoTool
	}
	b, err := s.Tool(ctx, argv...)
	return string(b), err
}

func (s Source) path(elem ...string) string {
	return filepath.Join(append([]string{s.Root}, elem...)...)
}

// text reads a one-line file, "" where it cannot be read. Device tree strings
// end in NUL.
func (s Source) text(elem ...string) string { return trim(string(s.bytes(elem...))) }

func trim(s string) string { return strings.Trim(s, "\x00\n\t ") }

// bytes reads at most maxFile bytes of a file, nil where it cannot be read.
func (s Source) bytes(elem ...string) []byte {
	f, err := os.Open(s.path(elem...))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil // a gated unit answers a read with an error
	}
	return b
}

// number reads a decimal number, nil where there is none.
func (s Source) number(elem ...string) *int64 {
	n, err := strconv.ParseInt(s.text(elem...), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// glob lists the paths below the root that match, in the order of the numbers
// in their names.
func (s Source) glob(pattern string) []string {
	paths, err := filepath.Glob(s.path(pattern))
	if err != nil {
		return nil // the patterns are constant
	}
	out := paths[:min(len(paths), maxEntries)]
	for i, p := range out {
		if rel, err := filepath.Rel(s.Root, p); err == nil {
			out[i] = rel
		}
	}
	byNumber(out)
	return out
}
