package kernels

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Task is work cut into units. Do runs unit i on the given worker (0 is the
// goroutine that called Run, the others count up to Threads-1). It must not use
// the same pool again, neither for Run nor for a product.
type Task interface {
	Do(worker, i int)
}

// Ops counts multiply-accumulates as the mathematics needs them: padding of a
// kernel's tiles is not counted.
type Ops struct {
	F32MAC  uint64 // on f32 or bf16 weights
	Int8MAC uint64 // on integer weights and int8 activations
}

// spins bounds how long an idle worker looks for the next Run before it parks, and a
// caller for the last worker's end before it yields: some 100 µs, about what it takes a
// virtual processor to wake. Between two products of one forward pass there is less,
// even after the shorter of two shares; machines are shared, so it is not much more.
const spins = 1600

// Pool is an execution context: a fixed number of workers and counters of the
// operations done on it. Each worker has a share of the units of a Run, neighbours,
// and takes the others' when it is done; all are claimed one by one, so a worker
// whose core is slow or taken away delays the others by the unit that it is at. The
// nil *Pool runs serially and counts nothing. Calls of Run from several goroutines
// take turns.
type Pool struct {
	f32, int8 atomic.Uint64

	mu      sync.Mutex
	task    Task
	units   int
	workers []*worker
	shares  []share // by worker
	job     mulJob
	ints    intJob
	quant   quantJob

	_      [64]byte      // keeps the words that all workers hammer off other lines
	epoch  atomic.Uint64 // odd while a Run is open
	closed atomic.Bool
	_      [48]byte
	inside atomic.Int64 // workers that may touch task and units
}

// share counts the units of a worker's share that were claimed, on lines of its
// own: between groups of cores they are slow to change hands.
type share struct {
	claimed atomic.Int64
	_       [120]byte
}

// worker parks on wake; parked is 1 while somebody has to send to it.
type worker struct {
	wake   chan struct{}
	parked atomic.Int32
	_      [48]byte
}

// NewPool starts threads-1 workers; the goroutine that calls Run is the
// remaining one. It panics if threads is below 1.
func NewPool(threads int) *Pool {
	if threads < 1 {
		panic(fmt.Sprintf("kernels: NewPool(%d): needs at least 1 thread", threads))
	}
	p := &Pool{workers: make([]*worker, threads-1), shares: make([]share, threads)}
	for i := range p.workers {
		p.workers[i] = &worker{wake: make(chan struct{}, 1)}
		go p.serve(i + 1)
	}
	return p
}

// Threads returns the number of workers, 1 for a nil pool.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return len(p.workers) + 1
}

// Run calls t.Do for every i in [0, n), spread over the workers, and returns
// when all are done. It allocates nothing.
func (p *Pool) Run(n int, t Task) {
	if p == nil || n <= 1 || len(p.workers) == 0 {
		for i := range n {
			t.Do(0, i)
		}
		return
	}
	p.mu.Lock()
	p.run(n, t)
	p.mu.Unlock()
}

// run is Run for a caller that holds mu.
func (p *Pool) run(n int, t Task) {
	if n <= 1 || len(p.workers) == 0 {
		for i := range n {
			t.Do(0, i)
		}
		return
	}
	p.task, p.units = t, n
	for i := range p.shares {
		p.shares[i].claimed.Store(0)
	}
	p.epoch.Add(1)
	for i := 0; i < len(p.workers) && i < n-1; i++ {
		if w := p.workers[i]; w.parked.CompareAndSwap(1, 0) {
			w.wake <- struct{}{}
		}
	}
	p.drain(0)
	p.epoch.Add(1)
	for n := 0; p.inside.Load() != 0; n++ {
		if n < spins {
			pause()
		} else {
			runtime.Gosched()
		}
	}
	p.task = nil
}

// drain does the units of the worker's share, then those that are left of others'.
func (p *Pool) drain(worker int) {
	threads := len(p.shares)
	for i := range threads {
		of := (worker + i) % threads
		// Rounded up, so that of few units the workers that are surely awake get some.
		lo, hi := (of*p.units+threads-1)/threads, ((of+1)*p.units+threads-1)/threads
		claimed := &p.shares[of].claimed
		for lo+int(claimed.Load()) < hi { // looking is cheaper than claiming
			unit := lo + int(claimed.Add(1)) - 1
			if unit >= hi {
				break
			}
			p.task.Do(worker, unit)
		}
	}
}

// serve is the life of a worker: wait for an open epoch not served yet, enter
// it if it is still open, help, leave.
func (p *Pool) serve(id int) {
	w := p.workers[id-1]
	var last uint64
	for {
		e := p.await(w, last)
		if p.closed.Load() {
			return
		}
		p.inside.Add(1)
		if p.epoch.Load() == e {
			p.drain(id)
		}
		p.inside.Add(-1)
		last = e
	}
}

// await returns the first open epoch that differs from last: it spins for a
// moment, then parks. It returns at once when the pool is closed.
func (p *Pool) await(w *worker, last uint64) uint64 {
	for {
		limit := spins
		if len(p.workers) >= runtime.GOMAXPROCS(0) {
			limit = 1 // a spinning worker would hold the processor others need
		}
		for range limit {
			if e := p.epoch.Load(); e != last && e&1 == 1 || p.closed.Load() {
				return e
			}
			pause()
		}
		w.parked.Store(1)
		e := p.epoch.Load()
		ready := e != last && e&1 == 1 || p.closed.Load()
		if ready && w.parked.CompareAndSwap(1, 0) {
			return e
		}
		<-w.wake
	}
}

// Close ends the workers. The pool must not be used afterwards.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Swap(true) {
		return
	}
	for _, w := range p.workers {
		if w.parked.CompareAndSwap(1, 0) {
			w.wake <- struct{}{}
		}
	}
}

// Ops returns the operations counted since the last ResetOps.
func (p *Pool) Ops() Ops {
	if p == nil {
		return Ops{}
	}
	return Ops{F32MAC: p.f32.Load(), Int8MAC: p.int8.Load()}
}

// ResetOps sets the counters to zero.
func (p *Pool) ResetOps() {
	if p != nil {
		p.f32.Store(0)
		p.int8.Store(0)
	}
}

// Count adds operations done outside the matrix products, such as those of
// attention.
func (p *Pool) Count(o Ops) {
	if p == nil {
		return
	}
	p.f32.Add(o.F32MAC)
	p.int8.Add(o.Int8MAC)
}
