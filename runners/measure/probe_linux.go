package measure

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// probeMemory returns n bytes in huge pages where the kernel grants them, as
// packed weights have, outside the Go heap.
func probeMemory(n int) (data []byte, free func(), err error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %d MiB: %w", n>>20, err)
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a wish
	return b, func() { _ = unix.Munmap(b) }, nil
}
