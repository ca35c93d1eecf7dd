package wire

import (
	"context"
	"errors"
	"strings"
)

// ErrorKind tells whose fault an error is.
type ErrorKind string

const (
	// Target is a fault of the board or its files.
	Target ErrorKind = "target"
	// Harness is a fault of the harness or of how it was used.
	Harness ErrorKind = "harness"
	// Unsupported is a request that no mend on the target makes possible.
	Unsupported ErrorKind = "unsupported"
	// Canceled answers a request that a Cancel or the end of input gave up.
	Canceled ErrorKind = "canceled"
)

// Error is an answer, and the Go error that it becomes on both sides.
type Error struct {
	Kind ErrorKind `json:"kind"`
	Text string    `json:"text"`
	// Mend says what to do about it; may be empty.
	Mend string `json:"mend,omitempty"`

	cause error
}

// Error returns the text and the mend.
func (e *Error) Error() string {
	if e.Mend == "" {
		return e.Text
	}
	return e.Text + "; " + e.Mend
}

// Unwrap returns the error behind it, which is known in its own process only.
func (e *Error) Unwrap() error { return e.cause }

// Is makes a canceled answer equal context.Canceled.
func (e *Error) Is(target error) bool {
	return e.Kind == Canceled && target == context.Canceled
}

// Wrap gives err a kind unless one is inside already. The text of an outer
// wrapping is kept. A canceled context becomes Canceled.
func Wrap(kind ErrorKind, err error) *Error {
	if err == nil {
		return nil
	}
	var inner *Error
	switch {
	case errors.As(err, &inner):
		if inner == err {
			return inner
		}
		text := err.Error()
		if inner.Mend != "" {
			text = strings.TrimSuffix(text, "; "+inner.Mend)
		}
		return &Error{Kind: inner.Kind, Text: text, Mend: inner.Mend, cause: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		kind = Canceled
	}
	return &Error{Kind: kind, Text: err.Error(), cause: err}
}
