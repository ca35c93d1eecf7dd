package model

import (
	"errors"
	"fmt"
)

// ErrUnsupported is matched (errors.Is) by every error that says a file is
// sound, as far as it was read, but asks for something this engine lacks.
var ErrUnsupported = errors.New("unsupported")

// unsupportedError carries its own wording and matches ErrUnsupported.
type unsupportedError struct{ text string }

func (e *unsupportedError) Error() string { return e.text }

func (e *unsupportedError) Is(target error) bool { return target == ErrUnsupported }

func unsupportedf(format string, args ...any) error {
	return &unsupportedError{text: fmt.Sprintf(format, args...)}
}
