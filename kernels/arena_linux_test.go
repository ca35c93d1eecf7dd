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

// joins says whether this machine joins pages: an emulator may say so and not
// do it, a machine may have no memory left in one piece.
func joins(t *testing.T) bool {
	t.Helper()
	b, err := unix.Mmap(-1, 0, 8<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b) //nolint:errcheck // it is ours
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	_ = unix.Madvise(b, unix.MADV_COLLAPSE)
	return joinsPages() && hugeBytes(t, b) > 0
}

// The first token must not wait for huge pages; what is measured must have them,
// also where a page holds the ends of two matrices.
func TestJoinPages(t *testing.T) {
	var p pages
	var pieces [][]byte
	for i := range 16 {
		b, err := p.take(1<<20 - 3)
		if err != nil {
			t.Fatal(err)
		}
		for at := range b {
			b[at] = byte(at + i)
		}
		pieces = append(pieces, b)
	}
	can := joins(t)
	enabled, _ := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	unasked := strings.Contains(string(enabled), "[always]") // from the start
	for i, b := range pieces {
		if can && !unasked && hugeBytes(t, b) > 0 {
			t.Errorf("piece %d is in huge pages before it was asked for", i)
		}
	}
	p.join()
	huge := 0
	for i, b := range pieces {
		huge = max(huge, hugeBytes(t, b))
		for at, got := range b {
			if got != byte(at+i) {
				t.Fatalf("piece %d: byte %d is %d after joining, want %d", i, at, got, byte(at+i))
			}
		}
	}
	if can && huge < 4<<20 {
		t.Errorf("%d bytes of 16 pieces of a MiB are in huge pages", huge)
	}
	for _, b := range pieces {
		p.give(b)
	}
	if len(p.pieces) > 0 {
		t.Errorf("%d pieces are left", len(p.pieces))
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
