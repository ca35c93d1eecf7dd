package remote

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// targetFault is an error of the board, with what to do about it.
func targetFault(mend, format string, args ...any) error {
	return fault(wire.Target, mend, format, args...)
}

// harnessFault is an error on this side, with what to do about it.
func harnessFault(mend, format string, args ...any) error {
	return fault(wire.Harness, mend, format, args...)
}

func fault(kind wire.ErrorKind, mend, format string, args ...any) error {
	e := wire.Wrap(kind, fmt.Errorf(format, args...))
	if e.Mend == "" {
		e.Mend = mend
	}
	return e
}

// ExitError tells how a command on the target ended that did not end well.
type ExitError struct {
	Argv   []string
	Status int    // -1 where a signal ended it or nobody says
	Signal string // as in KILL, "" where none
	Stderr string // the end of what it said
}

func (e *ExitError) Error() string {
	var b strings.Builder
	name := ""
	if len(e.Argv) > 0 {
		name = e.Argv[0]
	}
	b.WriteString(name + " on the target ended with " + e.How())
	if e.Stderr != "" {
		b.WriteString(": it said: " + e.Stderr)
	}
	return b.String()
}

// How is the end alone: a signal, a status, or neither.
func (e *ExitError) How() string {
	switch {
	case e.Signal != "":
		return "signal " + e.Signal
	case e.Status < 0:
		return "no status"
	}
	return "status " + strconv.Itoa(e.Status)
}

// await runs a call that has no context of its own. When ctx ends first, a later
// result goes to drop.
func await[T any](ctx context.Context, call func() (T, error), drop func(T)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	done := make(chan answer, 1)
	go func() {
		v, err := call()
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
		go func() {
			if a := <-done; a.err == nil && drop != nil {
				drop(a.v)
			}
		}()
		return zero, ctx.Err()
	}
}

// visible replaces control characters and broken UTF-8 in words of a target.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// short is visible text of bounded length for an error.
func short(s string) string {
	const most = 120
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(s, "\uFFFD"))
}

// errLost is inside the errors of a link that went away.
var errLost = errors.New("the link is lost")

// Lost says whether err comes of a link that went away, so that connecting again
// may help.
func Lost(err error) bool { return errors.Is(err, errLost) }
