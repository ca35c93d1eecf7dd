package kernels

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// arenaBytes is the size from which packed weights get pages of their own.
const arenaBytes = 64 << 10

// arena returns n zeros in memory outside the Go heap. Its pages become huge when
// JoinPages is called or, where they cannot be joined, as they are filled. They
// live as long as owner.
func arena[T int8 | uint8 | uint16, O any](owner *O, n int) []T {
	var zero T
	size := n * int(unsafe.Sizeof(zero))
	if size < arenaBytes {
		return aligned[T](n)
	}
	b, err := arenas.take(size)
	if err != nil {
		return aligned[T](n)
	}
	runtime.AddCleanup(owner, arenas.give, b)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// JoinPages makes huge pages of those of all packed weights, where the system
// grants them: with small ones reading weights takes up to 15 % longer. To fill
// huge ones from the start can take a second in a virtual machine whose host has
// to find them, which a first token would wait for; joining takes as long, at a
// time of the caller's choice. The weights can be read meanwhile; packing more
// waits. Pages that are huge already cost some µs.
func JoinPages() { arenas.join() }

// arenas are the pages of all packed weights of this process.
var arenas pages

// pages are pieces of memory outside the Go heap.
type pages struct {
	mu     sync.Mutex
	pieces [][]byte
}

// take maps a piece of zeros, whole pages of at least size bytes.
func (p *pages) take(size int) ([]byte, error) {
	page := os.Getpagesize()
	size = (size + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	if !joinsPages() {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a wish; refused where huge pages are off
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pieces = append(p.pieces, b)
	return b, nil
}

// give unmaps a piece.
func (p *pages) give(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pieces = slices.DeleteFunc(p.pieces, func(have []byte) bool { return address(have) == address(b) })
	_ = unix.Munmap(b)
}

// joinBytes is what one call of the kernel joins at most: a process that is to
// end waits for the call.
const joinBytes = 32 << 20

// join joins the pages of all pieces. What is unmapped meanwhile could be another's
// memory: hence the lock.
func (p *pages) join() {
	if !joinsPages() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.runs() {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // the kernel joins later what it cannot now
		for len(b) > 0 {
			n := min(len(b), joinBytes-int(address(b)%joinBytes))
			if errors.Is(unix.Madvise(b[:n], unix.MADV_COLLAPSE), unix.ENOMEM) {
				return
			}
			b = b[n:]
		}
	}
}

// runs returns the pieces with neighbours put together, since a huge page can
// hold parts of several.
func (p *pages) runs() [][]byte {
	slices.SortFunc(p.pieces, func(a, b []byte) int { return cmp.Compare(address(a), address(b)) })
	var runs [][]byte
	for _, b := range p.pieces {
		if n := len(runs); n > 0 && address(runs[n-1])+uintptr(len(runs[n-1])) == address(b) {
			runs[n-1] = unsafe.Slice(unsafe.SliceData(runs[n-1]), len(runs[n-1])+len(b))
			continue
		}
		runs = append(runs, b)
	}
	return runs
}

// address is where b begins.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// joinsPages says whether the kernel joins pages when it is asked to (Linux 6.1
// on), its administrator lets programs have huge ones, and a call can join one:
// with pages of 64 KiB huge ones have 512 MiB.
var joinsPages = sync.OnceValue(func() bool {
	const settings = "/sys/kernel/mm/transparent_hugepage/"
	enabled, err := os.ReadFile(settings + "enabled")
	if err != nil || bytes.Contains(enabled, []byte("[never]")) {
		return false
	}
	text, err := os.ReadFile(settings + "hpage_pmd_size")
	if err != nil {
		return false
	}
	if huge, err := strconv.Atoi(string(bytes.TrimSpace(text))); err != nil || huge > joinBytes {
		return false
	}
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return false
	}
	defer unix.Munmap(page) //nolint:errcheck // it is ours
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, address(page), 0, unix.MADV_COLLAPSE)
	return errno == 0 // of no byte: an unknown wish is refused, a known one granted
})
