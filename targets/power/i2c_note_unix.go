//go:build linux || darwin

package power

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errNoteHeld says that a living process holds a note.
var errNoteHeld = errors.New("another process holds the note")

// tryLock locks a file until it is closed or the process ends, however that ends.
func tryLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errNoteHeld
	}
	return err
}
