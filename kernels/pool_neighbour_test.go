//go:build e2e

package kernels

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

const neighbourEnv = "KERNELS_NEIGHBOUR"

// TestNoisyNeighbour loads one processor with another process and multiplies
// with one thread and with two by turns. With units claimed one by one the
// second thread helps while it runs and holds nothing up while it does not; with
// fixed halves two threads would take twice as long as their fair share.
func TestNoisyNeighbour(t *testing.T) {
	if os.Getenv(neighbourEnv) != "" {
		spin(time.Minute) // its parent ends it
		return
	}
	if runtime.NumCPU() != 2 {
		t.Skip("needs a machine of two processors: one for the neighbour, one to spare")
	}
	r := rand.New(rand.NewPCG(31, 32))
	c := newIntCase(r, 8, 4096, 1024, 32)
	m := c.pack()
	var a Acts
	a.Quantize(nil, random(r, c.cols), c.cols, 1, c.cols)
	y := make([]float32, c.rows)
	pools := [2]*Pool{NewPool(1), NewPool(2)}
	for _, p := range pools {
		defer p.Close()
	}
	neighbour := exec.Command(os.Args[0], "-test.run=^TestNoisyNeighbour$")
	neighbour.Env = append(os.Environ(), neighbourEnv+"=1", "GOMAXPROCS=1")
	if err := neighbour.Start(); err != nil {
		t.Skipf("starting a neighbour: %v", err)
	}
	defer func() {
		_ = neighbour.Process.Kill()
		_ = neighbour.Wait()
	}()
	time.Sleep(100 * time.Millisecond)

	ratio := math.Inf(1)
	for attempt := 0; attempt < 10 && ratio > 1.1; attempt++ { // others may be busy, too
		best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
		for range 12 {
			for i, p := range pools {
				start := time.Now()
				for range 150 { // some 20 ms: many turns of the scheduler
					m.Mul(p, y, c.rows, &a, 1)
				}
				best[i] = min(best[i], time.Since(start))
			}
		}
		ratio = min(ratio, float64(best[1])/float64(best[0]))
		t.Logf("one thread %v, two %v", best[0], best[1])
	}
	if ratio > 1.1 {
		t.Errorf("beside a busy process two threads take %.2f times as long as one: a shared machine would be faster with -t 1", ratio)
	}
}

func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}
