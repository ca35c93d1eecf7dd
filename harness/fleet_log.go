package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/seed-c6f48606/harness/harness/store"
)

// teller is a slog.Handler that tells a person of warnings, a line each: what
// happened, then what is known of it.
type teller struct {
	note  func(level, text string)
	known []slog.Attr
}

// tellBy gives warnings to a progress's Note.
func tellBy(note func(level, text string)) *slog.Logger { return slog.New(teller{note: note}) }

// tellOn writes warnings on w.
func tellOn(w io.Writer) *slog.Logger {
	return tellBy(func(level, text string) { fmt.Fprintln(w, note(level, text)) })
}

// Enabled implements slog.Handler.
func (t teller) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle implements slog.Handler.
func (t teller) Handle(_ context.Context, r slog.Record) error {
	text := []string{r.Message}
	say := func(a slog.Attr) bool {
		text = append(text, a.Key+" "+a.Value.String())
		return true
	}
	for _, a := range t.known {
		say(a)
	}
	r.Attrs(say)
	t.note(store.Warning, strings.Join(text, "; "))
	return nil
}

// WithAttrs implements slog.Handler.
func (t teller) WithAttrs(attrs []slog.Attr) slog.Handler {
	t.known = append(t.known[:len(t.known):len(t.known)], attrs...)
	return t
}

// WithGroup implements slog.Handler: a person needs no groups.
func (t teller) WithGroup(string) slog.Handler { return t }
