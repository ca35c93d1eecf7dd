package measure

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/seed-c6f48606/harness/reports/stat"
)

const (
	handovers    = 200 // of a batch: some 10 to 100 µs
	coreBatches  = 21
	coreLeast    = 5
	coreDeadline = 100 * time.Millisecond
)

// CoreToCore is the median time in ns in which one processor sees what another has
// written, there and back halved: tens of ns within a group of cores that share a
// cache, 100 and more between groups. It takes some ms on two processors, those on
// which the system happens to run the two sides. 0: there is one only, or others
// took them nearly all the time.
//
// A virtual machine's processors may be moved from one to the other at any moment,
// and with it what memory they can read at once: groups of an AMD EPYC have a link
// of their own each.
func CoreToCore(ctx context.Context) float64 {
	if runtime.GOMAXPROCS(0) < 2 {
		return 0
	}
	var ball struct {
		_    [64]byte
		word atomic.Uint32 // odd: the other side's turn
		_    [64]byte
		over atomic.Bool
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for next := uint32(1); ; next += 2 {
			for ball.word.Load() != next {
				if ball.over.Load() {
					return
				}
			}
			ball.word.Store(next + 1)
		}
	}()
	began := time.Now()
	var took []float64
	word := uint32(0)
	batch := func() bool {
		for range handovers {
			ball.word.Store(word + 1)
			word += 2
			for spins := 1; ball.word.Load() != word; spins++ {
				if spins%(1<<14) == 0 && time.Since(began) > coreDeadline {
					return false
				}
			}
		}
		return time.Since(began) < coreDeadline && ctx.Err() == nil
	}
	for len(took) < coreBatches {
		start := time.Now()
		if !batch() {
			break
		}
		took = append(took, float64(time.Since(start).Nanoseconds())/(2*handovers))
	}
	ball.over.Store(true)
	<-ended
	if len(took) < coreLeast {
		return 0
	}
	return stat.Median(took)
}
