package virtual

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Turn waits until no other virtual board of this user works, and keeps them
// from it until release. Boards share the host's processors: whoever measures on
// several at once takes turns around warm-up and window, or each would slow the
// others down. A turn whose process ends is over.
func (b *Board) Turn(ctx context.Context) (release func(), err error) {
	parent, err := base()
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(parent, "turn"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("taking a turn: %w", err)
	}
	// A lock belongs to the opened file, so that boards of one process take turns too.
	for {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { lock.Close() }, nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			lock.Close()
			return nil, fmt.Errorf("taking a turn: %w", err)
		}
		select {
		case <-ctx.Done():
			lock.Close()
			return nil, fmt.Errorf("waiting for a turn: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
