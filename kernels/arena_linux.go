package kernels

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// arenaBytes is the size from which packed weights get pages of their own.
const arenaBytes = 64 << 10

// arena returns n zeros in memory outside the Go heap that asks for huge pages:
// with small ones reading weights takes 3 to 15 % longer, measured on two
// machines. The pages live as long as owner.
func arena[T int8 | uint8 | uint16, O any](owner *O, n int) []T {
	var zero T
	size := n * int(unsafe.Sizeof(zero))
	if size < arenaBytes {
		return aligned[T](n)
	}
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return aligned[T](n)
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a wish; refused where huge pages are off
	runtime.AddCleanup(owner, func(b []byte) { _ = unix.Munmap(b) }, b)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
