//go:build !linux

package virtual

import (
	"errors"
	"fmt"
	"syscall"
)

// Boards run on Linux only: findTools refuses before any of these is asked.

func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func inMemory(string) bool { return false }

func usedBytes(string) (int64, error) {
	return 0, fmt.Errorf("asking for a board's disk: %w", errors.ErrUnsupported)
}
