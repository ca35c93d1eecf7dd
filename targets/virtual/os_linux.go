package virtual

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// bound are the attributes of a process that ends with the thread that started
// it, in a session of its own.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
}

// inMemory tells whether a directory is in memory, may hold programs and has
// room for boards.
func inMemory(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Type == unix.TMPFS_MAGIC && st.Flags&unix.ST_NOEXEC == 0 && int64(st.Bavail)*st.Bsize > 256<<20
}

// usedBytes is how much of a file system is taken.
func usedBytes(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("asking for a board's disk: %w", err)
	}
	return max(int64(st.Blocks-st.Bfree), 1) * st.Bsize, nil
}
