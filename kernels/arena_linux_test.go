package kernels

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hugeBytes is how much of the mappings that b lies in is in huge pages.
func hugeBytes(t *testing.T, b []byte) int {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was read
	sum, within := 0, false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uintptr
		var kib int
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			within = from < address(b)+uintptr(len(b)) && address(b) < to
		} else if n, _ := fmt.Sscanf(lines.Text(), "AnonHugePages: %d kB", &kib); n == 1 && within {
			sum += kib << 10
		}
	}
	return sum
}

// mapped is how much of the memory where b is or was is mapped.
func mapped(t *testing.T, b []byte) (sum uintptr) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			from, to = max(from, address(b)), min(to, address(b)+uintptr(len(b)))
			sum += max(from, to) - from
		}
	}
	return sum
}

// touched maps n bytes and writes to all of their pages.
func touched(t *testing.T, take func(int) ([]byte, error), n int) []byte {
	t.Helper()
	b, err := take(n)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = byte(i >> 12)
	}
	return b
}

// The first token must not wait for huge pages; what is measured must have them,
// also where a page holds the ends of two matrices.
func TestJoinPages(t *testing.T) {
	// What this machine does, asked without the code under test: an emulator may
	// take the wish and not do it.
	b := touched(t, func(n int) ([]byte, error) {
		return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	}, 8<<20)
	unasked := hugeBytes(t, b) > 0
	_ = unix.Madvise(b, unix.MADV_COLLAPSE)
	can := hugeBytes(t, b) > 0
	_ = unix.Munmap(b)
	if !unasked && can && !joinsPages() {
		t.Error("this machine joins pages, and joinsPages denies it")
	}
	for _, parts := range []int{1, 16} { // the latter less than a huge page each
		var p pages
		whole := touched(t, p.take, 16<<20)
		if huge := hugeBytes(t, whole); can && !unasked && huge > 0 {
			t.Errorf("%d parts: %d bytes are in huge pages before it was asked for", parts, huge)
		}
		before := p.pieces
		p.pieces = slices.Collect(slices.Chunk(whole, len(whole)/parts))
		slices.Reverse(p.pieces)
		p.join()
		p.pieces = before
		if huge := hugeBytes(t, whole); can && huge < 8<<20 {
			t.Errorf("%d parts: %d bytes of 16 MiB are in huge pages", parts, huge)
		}
		for i, got := range whole {
			if got != byte(i>>12) {
				t.Fatalf("%d parts: byte %d is %d after joining, want %d", parts, i, got, byte(i>>12))
			}
		}
		if p.give(whole); mapped(t, whole) == uintptr(len(whole)) || len(p.pieces) > 0 {
			t.Errorf("%d parts: still mapped, or kept with %d pieces", parts, len(p.pieces))
		}
	}
}

// Pages of matrices that are gone must not be joined: what is there by then is
// another's.
func TestPagesGoWithTheirOwner(t *testing.T) {
	type owner struct{ data []uint8 }
	o := &owner{}
	o.data = arena[uint8](o, 3<<20)
	at := address(o.data)
	held := func() bool {
		arenas.mu.Lock()
		defer arenas.mu.Unlock()
		return slices.ContainsFunc(arenas.pieces, func(b []byte) bool { return address(b) == at })
	}
	if !held() {
		t.Fatal("the pages are not known")
	}
	runtime.KeepAlive(o)
	o = nil
	for range 100 {
		runtime.GC()
		if !held() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the pages are still held")
}
