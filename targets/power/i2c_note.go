package power

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"periph.io/x/conn/v3/i2c"
)

// A reader that is killed leaves its own configuration in a chip, and the next one
// would take that for what was found. So each notes what it found, and what it is
// about to write, in a file that it holds a lock of as long as it lives. A chip that
// shows one of the noted configurations gets back what the note says was found.
//
// The lock also keeps two readers apart: each would convert by the other's
// configuration, and take the ready flags from it.

// NotesDir is where OpenI2C keeps notes: below the user's cache folder, "" where
// there is none.
func NotesDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "harness", "sensors")
}

// inaNote is one chip's.
type inaNote struct {
	file *os.File
	kept inaKept // by the reader before, zero if it gave the chip back
}

// inaKept is what a note says.
type inaKept struct {
	PID int `json:"pid"`
	// Config and Cal were found; Cal is 0 of a chip that has none.
	Config uint16 `json:"config"`
	Cal    uint16 `json:"cal,omitempty"`
	// Writes are the configurations, WriteCal the calibration that were written.
	Writes   []uint16 `json:"writes"`
	WriteCal uint16   `json:"write_cal,omitempty"`
}

// correct is what was found before the reader of the note, in a chip that now shows
// one of its configurations, or had only its calibration written.
func (k inaKept) correct(config, cal uint16) (uint16, uint16) {
	half := config == k.Config && k.WriteCal != 0 && cal == k.WriteCal
	if half || slices.Contains(k.Writes, config) {
		return k.Config, k.Cal
	}
	return config, cal
}

// maxNote bounds a note in bytes.
const maxNote = 4096

// placed is a bus whose name is not all of its address.
type placed interface{ place() string }

func placeOf(bus i2c.Bus) string {
	if p, ok := bus.(placed); ok {
		return p.place()
	}
	return bus.String()
}

// errNoteMoved says that another reader removed the file between its opening and its lock.
var errNoteMoved = errors.New("the note was removed meanwhile")

// claim takes a chip's note in a folder. Without a place for notes there is none,
// which is no error: a measurement does not need it.
func claimINA(dir string, bus i2c.Bus, addr uint16) (*inaNote, error) {
	if dir == "" || os.MkdirAll(dir, 0o700) != nil {
		return nil, nil
	}
	// A home may be shared by several machines.
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == filepath.Separator || r < ' ' {
			return '_'
		}
		return r
	}, fmt.Sprintf("%s.%s.0x%02x.json", host, placeOf(bus), addr))
	path := filepath.Join(dir, name)
	for range 100 {
		n, err := lockNote(path)
		switch {
		case errors.Is(err, errNoteMoved):
			continue
		case errors.Is(err, errNoteHeld):
			return nil, fmt.Errorf("the sensor at 0x%02x on %s is being read by %s, which has set it up for itself: wait for its end, or stop it",
				addr, bus, holder(path))
		case err != nil:
			return nil, nil
		}
		return n, nil
	}
	return nil, nil
}

// lockNote opens, locks and reads a note.
func lockNote(path string) (*inaNote, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		f.Close()
		return nil, err
	}
	mine, err1 := f.Stat()
	there, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		f.Close()
		return nil, errNoteMoved
	}
	return &inaNote{file: f, kept: readNote(f)}, nil
}

// readNote is what a note says; nothing where it was cut off or is none.
func readNote(r io.Reader) inaKept {
	var k inaKept
	dec := json.NewDecoder(io.LimitReader(r, maxNote))
	if dec.Decode(&k) != nil {
		return inaKept{}
	}
	return k
}

// holder names the process that holds a note.
func holder(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "another process"
	}
	defer f.Close()
	if k := readNote(f); k.PID > 0 {
		return fmt.Sprintf("process %d", k.PID)
	}
	return "another process"
}

// keep corrects what was found in a chip by the note of a reader that was killed,
// and notes it together with what will be written. The note is on the disk before
// the chip is written to.
func (n *inaNote) keep(config, cal *uint16, writeCal uint16, writes ...uint16) error {
	if n == nil {
		return nil
	}
	*config, *cal = n.kept.correct(*config, *cal)
	n.kept = inaKept{PID: os.Getpid(), Config: *config, Cal: *cal, Writes: writes, WriteCal: writeCal}
	text, err := json.Marshal(n.kept)
	if err == nil {
		err = n.file.Truncate(0)
	}
	if err == nil {
		_, err = n.file.WriteAt(append(bytes.TrimSpace(text), '\n'), 0)
	}
	if err == nil {
		err = n.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("noting a sensor's configuration: %w", err)
	}
	return nil
}

// done gives the note up. It stays where the chip could not be given back, for the
// next reader to do so.
func (n *inaNote) done(restored bool) {
	if n == nil {
		return
	}
	if restored {
		os.Remove(n.file.Name()) //nolint:errcheck // it would only be read again
	}
	n.file.Close() //nolint:errcheck // the lock goes with it in any case
}
