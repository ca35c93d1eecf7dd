//go:build !linux && !darwin

package power

import (
	"errors"
	"os"
)

var errNoteHeld = errors.New("another process holds the note")

// tryLock refuses: without a lock a note may be a living reader's.
func tryLock(*os.File) error { return errors.ErrUnsupported }
