package measure

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// Ceilings are the roofs of a machine on a number of threads: how fast it
// reads memory and how fast it multiplies. They are measured, never looked up.
type Ceilings struct {
	Threads int `json:"threads"`
	// Read is a linear read of memory that no cache holds, in GB/s (10⁹ bytes).
	Read Rate `json:"read_gb_s"`
	// ReadBytes is the memory that was read, ReadWay how.
	ReadBytes int64  `json:"read_bytes"`
	ReadWay   string `json:"read_way"`
	// Peaks are the rates of arithmetic on registers alone.
	Peaks []Peak `json:"peaks"`
	// Products are the rates of a matrix product whose operands the caches hold, of
	// plain Go only where no other tier is asked for. They are no limit but what the
	// engine's own kernels make of the peaks, and fall where somebody else uses the
	// same core, which peaks hardly do. Compare them at the same number of threads:
	// 16 and more are not kept busy.
	Products []Peak `json:"products,omitempty"`
}

// Rate is the best of N measurements, with their median.
type Rate struct {
	Best   float64 `json:"best"`
	Median float64 `json:"median"`
	N      int     `json:"n"`
}

// Peak is a tier's rate in GOPS (10⁹ operations/s, two a multiply-accumulate) in a
// mix of instructions.
type Peak struct {
	Tier string `json:"tier"`
	Mix  string `json:"mix"`
	GOPS Rate   `json:"gops"`
}

// Peak returns the best rate of a tier and mix, 0 where it was not measured.
func (c *Ceilings) Peak(tier kernels.Tier, mix kernels.Mix) float64 {
	for _, p := range c.Peaks {
		if p.Tier == tier.String() && p.Mix == mix.String() {
			return p.GOPS.Best
		}
	}
	return 0
}

// Raise takes over what was better in another measurement on as many threads: a
// neighbour may have slowed either. Of products, which tell of neighbours, it
// takes over what was slower.
func (c *Ceilings) Raise(other Ceilings) {
	if other.Read.Best > c.Read.Best {
		c.Read, c.ReadBytes, c.ReadWay = other.Read, other.ReadBytes, other.ReadWay
	}
	c.Peaks = joined(c.Peaks, other.Peaks, func(p, q Peak) bool { return p.GOPS.Best > q.GOPS.Best })
	c.Products = joined(c.Products, other.Products, func(p, q Peak) bool { return p.GOPS.Median < q.GOPS.Median })
}

// joined returns, of every tier and mix in a and b, the one that wins.
func joined(a, b []Peak, wins func(p, q Peak) bool) []Peak {
	a = slices.Clone(a)
	for _, p := range b {
		at := slices.IndexFunc(a, func(q Peak) bool { return q.Tier == p.Tier && q.Mix == p.Mix })
		switch {
		case at < 0:
			a = append(a, p)
		case wins(p, a[at]):
			a[at] = p
		}
	}
	return a
}

// Effort says how long the limits are measured. The zero value is ready for use.
type Effort struct {
	ReadBytes int64         // memory to read, 0 = much more than the caches hold
	Passes    int           // measurements of a rate, 0 = 7
	Pass      time.Duration // time of a measurement of arithmetic, 0 = 20 ms
	Products  bool          // measure Ceilings.Products, too; nothing else may use the kernels meanwhile
}

const (
	// Memory that a probe reads unless the machine has too little: an engine's
	// weights are of this order.
	probeBytes = 512 << 20
	// probeCall is what a call of a probe reads: some µs, since the runtime
	// cannot interrupt it.
	probeCall = 16 << 10
	// probeUnit is what a thread claims at a time.
	probeUnit = 1 << 20
)

// Ceilings measures the limits of that many threads (0 = one per processor) on
// the given tiers.
func (m Machine) Ceilings(ctx context.Context, threads int, tiers []kernels.Tier, effort Effort) (Ceilings, error) {
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if effort.Passes == 0 {
		effort.Passes = 7
	}
	if effort.Pass == 0 {
		effort.Pass = 20 * time.Millisecond
	}
	if effort.ReadBytes == 0 {
		effort.ReadBytes = m.probeBytes()
	}
	pool := kernels.NewPool(threads)
	defer pool.Close()
	c := Ceilings{Threads: threads}
	if err := c.measureRead(ctx, pool, effort); err != nil {
		return c, fmt.Errorf("measuring the memory: %w", err)
	}
	for _, p := range kernels.Probes() {
		if !slices.Contains(tiers, p.Tier) {
			continue
		}
		rate, err := measurePeak(ctx, pool, p, effort)
		if err != nil {
			return c, fmt.Errorf("measuring %v %v: %w", p.Tier, p.Mix, err)
		}
		c.Peaks = append(c.Peaks, Peak{Tier: p.Tier.String(), Mix: p.Mix.String(), GOPS: rate})
	}
	if !effort.Products {
		return c, nil
	}
	for _, tier := range tiers {
		if tier == kernels.Generic && len(tiers) > 1 {
			continue // slow, and used where there is nothing else
		}
		rate, err := measureProduct(ctx, pool, tier, effort)
		if err != nil {
			return c, fmt.Errorf("measuring a product in %v: %w", tier, err)
		}
		c.Products = append(c.Products, Peak{Tier: tier.String(), Mix: kernels.MixInt8.String(), GOPS: rate})
	}
	return c, nil
}

// probeBytes is how much memory to read: four times the last cache but a
// quarter of what is free at most.
func (m Machine) probeBytes() int64 {
	n := max(probeBytes, min(4*m.lastCache(), 4*probeBytes))
	if free := m.availableMemory(); free > 0 {
		n = min(n, free/4)
	}
	return max(n, probeUnit)
}

// readWay is one way to read memory once.
type readWay struct {
	name  string
	pair  bool // two places by turns
	ahead int  // bytes to ask for lines in advance
	data  []byte
}

// readWays are the ways that are tried; which is fastest differs by processor.
func readWays(data []byte) []readWay {
	return []readWay{
		{"one stream", false, 0, data},
		{"one stream, 2 KiB ahead", false, 2 << 10, data},
		{"one stream, 8 KiB ahead", false, 8 << 10, data},
		{"two streams", true, 0, data},
		{"two streams, 2 KiB ahead", true, 2 << 10, data},
	}
}

// Do reads unit i.
func (r *readWay) Do(_, i int) {
	unit := r.data[i*probeUnit:][:probeUnit]
	if !r.pair {
		for at := 0; at < probeUnit; at += probeCall {
			kernels.ProbeRead(unit[at:][:probeCall], r.ahead)
		}
		return
	}
	const half = probeUnit / 2
	for at := 0; at < half; at += probeCall / 2 {
		kernels.ProbeReadPair(unit[at:][:probeCall/2], unit[half+at:][:probeCall/2], r.ahead)
	}
}

// measureRead tries every way once, after a first pass that warms up, and
// repeats the fastest.
func (c *Ceilings) measureRead(ctx context.Context, pool *kernels.Pool, effort Effort) error {
	units := max(1, int(effort.ReadBytes/probeUnit))
	data, free, err := probeMemory(units * probeUnit)
	if err != nil {
		return err
	}
	defer free()
	touch := touching{data}
	pool.Run(units, &touch)
	pass := func(r *readWay) float64 {
		began := time.Now()
		pool.Run(units, r)
		return float64(len(data)) / float64(time.Since(began).Nanoseconds())
	}
	var best readWay
	fastest := -1.0
	for i, r := range append(readWays(data)[:1:1], readWays(data)...) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rate := pass(&r); i > 0 && rate > fastest {
			best, fastest = r, rate
		}
	}
	rates := []float64{fastest}
	for len(rates) < effort.Passes {
		if err := ctx.Err(); err != nil {
			return err
		}
		rates = append(rates, pass(&best))
	}
	c.Read, c.ReadBytes, c.ReadWay = rateOf(rates), int64(len(data)), best.name
	return nil
}

// touching writes to every page so that it exists.
type touching struct{ data []byte }

func (t *touching) Do(_, i int) {
	for at := i * probeUnit; at < (i+1)*probeUnit; at += 4096 {
		t.data[at] = 1
	}
}

// arithmetic is calls of a probe.
type arithmetic struct {
	probe         kernels.Probe
	calls, rounds int
}

func (a *arithmetic) Do(int, int) {
	for range a.calls {
		a.probe.Run(a.rounds)
	}
}

// measurePeak finds rounds that take some 20 µs a call and repeats calls on
// all threads.
func measurePeak(ctx context.Context, pool *kernels.Pool, p kernels.Probe, effort Effort) (Rate, error) {
	const call = 20 * time.Microsecond
	a := arithmetic{probe: p, calls: 1, rounds: 64}
	for a.rounds < 1<<20 {
		began := time.Now()
		a.Do(0, 0)
		if time.Since(began) >= call {
			break
		}
		a.rounds *= 2
	}
	const units = 8 // of a thread: one whose core was taken away leaves some to others
	a.calls = max(1, int(effort.Pass/call/units))
	return repeated(ctx, effort.Passes, func() float64 {
		n := units * pool.Threads()
		began := time.Now()
		pool.Run(n, &a)
		return float64(n*a.calls*a.rounds*p.OpsPerRound) / float64(time.Since(began).Nanoseconds())
	})
}

// repeated is the rate of so many passes, each of which returns its own.
func repeated(ctx context.Context, passes int, pass func() float64) (Rate, error) {
	rates := make([]float64, passes)
	for i := range rates {
		if err := ctx.Err(); err != nil {
			return Rate{}, err
		}
		rates[i] = pass()
	}
	return rateOf(rates), nil
}

func rateOf(rates []float64) Rate {
	return Rate{Best: slices.Max(rates), Median: stat.Median(rates), N: len(rates)}
}
