package measure

import (
	"runtime"
	"sync"
	"time"
)

const (
	spinSteps  = 100_000 // additions in a burst: some 30 µs
	spinBursts = 64
)

// spinSink keeps the compiler from dropping the additions.
var spinSink struct {
	sync.Mutex
	sum uint64
}

// clock returns the time in ns of one addition in a chain where each needs the
// last one's result: a cycle, on any processor of interest. It is the fastest of
// many bursts on every core, so that neither an interrupt nor a slow core of a
// mixed processor counts.
func clock() float64 {
	var wait sync.WaitGroup
	best := time.Duration(1 << 62)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			fastest, sum := time.Duration(1<<62), uint64(0)
			for range spinBursts {
				began := time.Now()
				sum += chain(spinSteps)
				fastest = min(fastest, time.Since(began))
			}
			spinSink.Lock()
			defer spinSink.Unlock()
			spinSink.sum += sum
			best = min(best, fastest)
		})
	}
	wait.Wait()
	return float64(best.Nanoseconds()) / spinSteps
}

// chain does n dependent additions: Fibonacci numbers modulo 2⁶⁴.
//
//go:noinline
func chain(n int) uint64 {
	a, b := uint64(1), uint64(1)
	for ; n >= 8; n -= 8 {
		a += b
		b += a
		a += b
		b += a
		a += b
		b += a
		a += b
		b += a
	}
	return a ^ b
}
