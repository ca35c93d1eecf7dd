package kernels

import (
	"fmt"
	"sync"
)

// Out is one product y = a * transpose(W) of a joint run (see MulAll).
type Out struct {
	M    *IntMatrix
	A    *Acts
	Rest *Acts     // if set, its product is added: see Acts.QuantizeRest
	Y    []float32 // [tokens][LdY], M.Rows() values of each
	LdY  int
	Add  bool // add to what Y holds
}

// maxOuts is how many products one joint run can have.
const maxOuts = 4

// Part is told about rows of two products, see MulPair.
type Part interface {
	// Done gets rows [from, to), whole blocks of Acts or the last ones.
	Done(from, to int)
}

// intJob is a joint run in flight: the stripes of all its products in a row, or of
// both of a pair together, cut to units. A stripe is a panel, or for one token as
// many as the kernel takes at a time: they lie far apart, so that a worker whose
// stripes follow each other reads long streams of memory.
type intJob struct {
	then    Part // of a pair
	tier    Tier
	n       int
	outs    [maxOuts]Out
	count   int
	width   int              // panels of a stripe
	stripes [maxOuts]int     // panels that are left over go with the last one; 0: they are all
	first   [maxOuts + 1]int // each product's place in the row; one without stripes takes that of one
	planes  [maxOuts]int     // of activations, which is how often a stripe counts in the row
	align   int              // of units in the row
	threads int
	parts   int       // units of a thread's share
	scratch []scratch // by worker
}

// bound is where unit i begins in the row. A thread's share begins with its half, then
// half of what is left and so on: streams begin slowly, and small units at the end
// let all threads finish together.
func (j *intJob) bound(i int) int {
	row := j.first[j.count]
	share, part := i/j.parts, i%j.parts
	lo, hi := share*row/j.threads, (share+1)*row/j.threads
	if part > 0 {
		lo = hi - (hi-lo)>>part
	}
	if lo == row {
		return row
	}
	return lo / j.align * j.align
}

// Do computes one unit.
func (j *intJob) Do(worker, i int) {
	s := &j.scratch[worker]
	for k := range j.count {
		from, to := j.part(i, k)
		switch {
		case from >= to:
		case j.then == nil:
			j.mul(k, from, to, s)
		case k == 0:
			j.mul(0, from, to, s)
			j.mul(1, from, to, s)
			j.tell(from, to)
		}
	}
}

// part returns the stripes [from, to) of product k that begin in unit i.
func (j *intJob) part(i, k int) (from, to int) {
	at := func(bound int) int {
		bound = min(max(bound, j.first[k]), j.first[k+1]) - j.first[k]
		return (bound + j.planes[k] - 1) / j.planes[k]
	}
	return at(j.bound(i)), at(j.bound(i + 1))
}

// mul computes stripes [lo, hi) of product k.
func (j *intJob) mul(k, lo, hi int, s *scratch) {
	o := &j.outs[k]
	if j.width == 1 {
		o.M.mulPanels(j.tier, o, j.n, lo, hi, s)
		return
	}
	stripes := j.stripes[k]
	if lo < stripes {
		o.M.mulStripes(j.tier, o, lo, hi, stripes, j.width, s)
	}
	if hi >= stripes {
		o.M.mulPanels(j.tier, o, 1, j.width*stripes, o.M.panelCount(), s)
	}
}

// tell says which rows stripes [lo, hi) of a pair are.
func (j *intJob) tell(lo, hi int) {
	rows, stripes := j.outs[0].M.rows, j.stripes[0]
	for s := 0; s < j.width && lo < stripes; s++ {
		j.then.Done((s*stripes+lo)*panelRows, min((s*stripes+hi)*panelRows, rows))
	}
	if rest := j.width * stripes * panelRows; hi >= stripes && rest < rows {
		j.then.Done(rest, rows)
	}
}

// set prepares the job and returns its units: as many for each thread, and the
// fewest that are long enough.
func (j *intJob) set(threads, n int, outs []Out, then Part) (units int) {
	j.tier, j.n, j.count, j.then = Active(), n, copy(j.outs[:], outs), then
	if len(j.scratch) < threads {
		j.scratch = make([]scratch, threads)
	}
	j.width, j.align = 1, 1
	if n == 1 {
		j.width = streams(j.tier)
	}
	if then != nil || j.tier == AMX { // whole blocks for the one, pairs of panels for the other
		j.align = blockSize / panelRows
	}
	work := 0 // in multiply-accumulates
	for i := range outs {
		m := outs[i].M
		j.planes[i] = 1
		if outs[i].Rest != nil && then == nil {
			j.planes[i] = 2
		}
		work += j.planes[i] * m.panelCount() * panelRows * m.cols * n
		stripes := m.panelCount()
		if j.width > 1 {
			stripes = m.rows / panelRows / j.width / j.align * j.align
		}
		j.stripes[i], j.first[i+1] = stripes, j.first[i]+j.planes[i]*max(1, stripes)
		if then != nil {
			j.first[i+1] = j.first[1] // both are in the same row
		}
	}
	j.threads, j.parts = 1, 1
	if threads == 1 || work < serialWork {
		return 1
	}
	j.threads = threads
	for j.parts < maxParts && work/threads>>j.parts >= unitWork {
		j.parts++
	}
	return j.threads * j.parts
}

// maxParts leaves the last unit of a share a sixteenth of it.
const maxParts = 5

var intJobs = sync.Pool{New: func() any { return new(intJob) }}

// MulPair is MulAll of two products with as many rows. Whoever has computed some
// rows of both tells then, on its own goroutine, while they are in its cache.
func MulPair(p *Pool, n int, a, b Out, then Part) {
	if a.M.rows != b.M.rows || a.M.cols != b.M.cols {
		panic(fmt.Sprintf("kernels: MulPair of %d x %d and %d x %d", a.M.rows, a.M.cols, b.M.rows, b.M.cols))
	}
	mulAll(p, n, then, a, b)
}

// MulAll computes up to four products of integer matrices for the first n
// tokens of their activations, as one run of the pool: token t of each gives
// Y[t*LdY:][:M.Rows()]. Outputs must not overlap.
func MulAll(p *Pool, n int, outs ...Out) { mulAll(p, n, nil, outs...) }

func mulAll(p *Pool, n int, then Part, outs ...Out) {
	if len(outs) > maxOuts {
		panic(fmt.Sprintf("kernels: MulAll of %d products: at most %d run together", len(outs), maxOuts))
	}
	var macs uint64
	for i := range outs {
		o := &outs[i]
		m := o.M
		if o.A.cols != m.cols || n > o.A.n || o.Rest != nil && (o.Rest.cols != m.cols || o.Rest.n != o.A.n) {
			panic(fmt.Sprintf("kernels: product of %d tokens on activations of %d tokens x %d values with %d inputs", n, o.A.n, o.A.cols, m.cols))
		}
		checkMatrix("y", n, m.rows, o.LdY, len(o.Y))
		planes := 1
		if o.Rest != nil {
			planes = 2
		}
		macs += uint64(planes) * uint64(m.rows) * uint64(m.cols) * uint64(n)
	}
	if n <= 0 || len(outs) == 0 {
		return
	}
	for i := range outs {
		outs[i].prepare(n)
	}
	if p == nil {
		j := intJobs.Get().(*intJob)
		for i := range j.set(1, n, outs, then) {
			j.Do(0, i)
		}
		j.release()
		intJobs.Put(j)
		return
	}
	p.mu.Lock()
	p.run(p.ints.set(p.Threads(), n, outs, then), &p.ints)
	p.ints.release()
	p.mu.Unlock()
	p.int8.Add(macs)
}

// prepare brings activations to the form that the kernel reads.
func (o *Out) prepare(n int) {
	tier, m := Active(), o.M
	if paired(tier, m.format) && n >= wideTokens(tier, m.format, m.group) {
		o.A.pair()
		if o.Rest != nil {
			o.Rest.pair()
		}
	}
	if n >= actTile && m.format < 8 && (tier == AVX512 || tier == AMX) && n < wideTokens(AVX512, m.format, m.kernelGroup(tier)) {
		o.A.correct(int(m.format))
		if o.Rest != nil {
			o.Rest.correct(int(m.format))
		}
	}
	if (m.mins != nil || m.super != nil && m.super.mins) && (tier == AVX512 || tier == AMX) {
		o.A.sum()
		if o.Rest != nil {
			o.Rest.sum()
		}
	}
}

// release drops what belongs to the caller.
func (j *intJob) release() {
	clear(j.outs[:j.count])
	j.then = nil
	for i := range j.scratch {
		s := &j.scratch[i]
		s.tile, s.direct, s.w = wideTile{}, intTile{}, nil
	}
}

// Mul computes y = a * transpose(W) for the first n tokens of a, which must
// have Cols() values each: token t gives y[t*ldy:][:Rows()].
func (m *IntMatrix) Mul(p *Pool, y []float32, ldy int, a *Acts, n int) {
	MulAll(p, n, Out{M: m, A: a, Y: y, LdY: ldy})
}
