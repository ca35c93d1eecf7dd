package kernels

import (
	"syscall"
	"testing"
	"time"
)

// A report would lack the limit of a tier without probes, so a new tier must
// bring them.
func TestEveryTierHasProbes(t *testing.T) {
	has := map[Tier]map[Mix]bool{}
	for _, p := range Probes() {
		if has[p.Tier] == nil {
			has[p.Tier] = map[Mix]bool{}
		}
		has[p.Tier][p.Mix] = true
		if p.OpsPerRound <= 0 {
			t.Errorf("%v %v: %d operations a round", p.Tier, p.Mix, p.OpsPerRound)
		}
		began := time.Now()
		p.Run(1000)
		if time.Since(began) <= 0 {
			t.Errorf("%v %v took no time", p.Tier, p.Mix)
		}
	}
	for _, tier := range Available() {
		if !has[tier][MixInt8] || !has[tier][MixF32] {
			t.Errorf("tier %v has the probes %v, needs int8 and f32", tier, has[tier])
		}
	}
}

// The probe reads up to the last byte of its memory and must not go beyond,
// where nothing may be mapped.
func TestProbeReadStaysInside(t *testing.T) {
	page := syscall.Getpagesize()
	b, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skipf("no memory with a guard: %v", err)
	}
	defer syscall.Munmap(b) //nolint:errcheck // the test ends
	for _, guard := range [][]byte{b[:page], b[2*page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	inside := b[page : 2*page]
	for _, n := range []int{0, 1, 127, 128, 255, 256, 257, 1000, page} {
		for _, ahead := range []int{0, 64, 4096, 1 << 20} {
			ProbeRead(inside[page-n:], ahead)
			ProbeReadPair(inside[page-n:], inside[page-n/2:], ahead)
			ProbeReadPair(inside[page-n/2:], inside[page-n:], ahead)
		}
	}
}
