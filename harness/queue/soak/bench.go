//go:build unix

// Package soak runs many controllers on one queue while they are killed, their
// database is restarted and their network is cut, and checks what a lab must
// hold: every trial counts once, and no board is ever driven by two.
package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// standIn is a board that measures nothing. Like a board it can do one thing at a
// time, and notes when two want it to: it is a file that is locked.
type standIn struct {
	name, dir string
}

// maxTrial bounds a stand-in's trial, which takes from a tenth of it.
const maxTrial = 40 * time.Millisecond

// Measure takes a moment and gives every verdict that a board may give.
func (s *standIn) Measure(ctx context.Context, t queue.Trial) (queue.Outcome, error) {
	o := queue.Outcome{Started: time.Now(), Verdict: verdict(t), Record: json.RawMessage(`{}`)}
	f, err := os.OpenFile(filepath.Join(s.dir, s.name+".board"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return o, err
	}
	defer f.Close() //nolint:errcheck // it has been written
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return o, s.violation("two trials at once on board %s: %v", s.name, err)
	}
	if err := s.fence(f, t.Fence); err != nil {
		return o, err
	}
	if err := s.note("executions", "%s %s %d %d\n", s.name, t.Cell, t.Repeat, t.Attempt); err != nil {
		return o, err
	}
	select {
	case <-ctx.Done():
		return o, ctx.Err()
	case <-time.After(maxTrial/10 + rand.N(maxTrial*9/10)):
	}
	o.Ended = time.Now()
	if o.Verdict != wire.Valid {
		o.Reason = "as a board may say"
	}
	return o, nil
}

// fence refuses leases that are older than one that the board has seen.
func (s *standIn) fence(f *os.File, fence int64) error {
	raw := make([]byte, 20)
	n, _ := f.ReadAt(raw, 0) // an empty file has seen none
	if seen, err := strconv.ParseInt(strings.TrimSpace(string(raw[:n])), 10, 64); err == nil && seen > fence {
		return s.violation("board %s is driven under lease %d after %d", s.name, fence, seen)
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%-20d", fence), 0)
	return err
}

func (s *standIn) violation(format string, args ...any) error {
	return s.note("violations", format+"\n", args...)
}

// note adds a line to a file of the soak, which all processes share.
func (s *standIn) note(file, format string, args ...any) error {
	f, err := os.OpenFile(filepath.Join(s.dir, file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the write tells
	_, err = fmt.Fprintf(f, format, args...)
	return err
}

// Close has nothing to let go.
func (*standIn) Close(context.Context) {}

// verdict is decided by the attempt alone, so that the right result is known: two
// in a hundred are faults, three are contended.
func verdict(t queue.Trial) wire.Verdict {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %s %d %d", t.Sweep, t.Cell, t.Repeat, t.Attempt)
	switch n := h.Sum32() % 100; {
	case n < 2:
		return wire.Faulted
	case n < 5:
		return wire.Contended
	}
	return wire.Valid
}
