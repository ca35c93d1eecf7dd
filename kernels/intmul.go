package kernels

import (
	"fmt"
	"sync"
)

// Out is one product y = a * transpose(W) of a joint run (see MulAll).
type Out struct {
	M     *IntMatrix
	A     *Acts
	Rest  *Acts     // if set, its product is added: see Acts.QuantizeRest
	Y     []float32 // [tokens][LdY], M.Rows() values of each
	LdY   int
	Add   bool // add to what Y holds
	Roomy bool // Y has PaddedRows(M.Rows()) values of each, and any may be overwritten
	Then  Part // if set, told about rows as they are there; of a pair MulPair's is
}

// PaddedRows is n rounded up to whole panels. Where an output's rows are so far
// apart, stores do not cross cache lines.
func PaddedRows(n int) int { return (n + panelRows - 1) / panelRows * panelRows }

// rows is how many values of each token may be written.
func (o *Out) rows() int {
	if o.Roomy {
		return PaddedRows(o.M.rows)
	}
	return o.M.rows
}

// pairValues is how many values of each product of a pair the first cache has room for.
const pairValues = 4 << 10

// maxOuts is how many products one joint run can have.
const maxOuts = 4

// Part is told about rows of a product, or of both of a pair: once a row, by
// whoever has computed it, while it is in that core's cache.
type Part interface {
	// Done gets rows [from, to), whole blocks of Acts or the last ones. Calls for
	// different rows run at the same time.
	Done(from, to int)
}

// intJob is a joint run in flight: the panels of all its products in a row, or of
// both of a pair together, cut to units. For one token panels go together by
// stripes, as many as the kernel takes at a time: they lie far apart, so that a
// worker whose stripes follow each other reads long streams of memory. Panels that
// are left over come last, each by itself; where there are few all do.
type intJob struct {
	then    Part // of a pair
	tier    Tier
	n       int
	outs    [maxOuts]Out
	count   int
	width   int              // panels of a stripe
	align   int              // of stripes and of panels in a unit
	step    int              // panels of a pair until then is told, so that it finds them in the first cache
	stripes [maxOuts]int     // of each product
	weight  [maxOuts]int     // of a panel in the row: the work it is
	first   [maxOuts + 1]int // each product's place in the row
	threads int
	parts   int       // units of a thread's share
	divisor int       // of what is left of a share, for the next
	scratch []scratch // by worker
}

// bound is where unit i begins in the row. The first unit of a thread's share is a
// part of it, the next the same part of the rest and so on: a slow core should not
// hold a large unit when the others are done.
func (j *intJob) bound(i int) int {
	row := j.first[j.count]
	share, part := i/j.parts, i%j.parts
	hi := (share + 1) * row / j.threads
	rest := hi - share*row/j.threads
	for range part {
		rest -= rest / j.divisor
	}
	return hi - rest
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
			if then := j.outs[k].Then; then != nil {
				j.tell(then, k, from, to)
			}
		case k == 0:
			for ; from < to; from += j.step {
				next := min(from+j.step, to)
				j.mul(0, from, next, s)
				j.mul(1, from, next, s)
				j.tell(j.then, 0, from, next)
			}
		}
	}
}

// part returns what begins in unit i of product k: stripes, and panels behind the
// last stripe, [from, to) counted through.
func (j *intJob) part(i, k int) (from, to int) {
	stripe, stripes, weight := j.width*j.weight[k], j.stripes[k], j.weight[k]
	size := j.first[k+1] - j.first[k]
	all := stripes + (size-stripes*stripe)/weight
	at := func(bound int) int {
		bound = min(max(bound-j.first[k], 0), size)
		n := (bound + stripe - 1) / stripe
		if n > stripes {
			n = stripes + (bound-stripes*stripe+weight-1)/weight
		}
		return min((n+j.align-1)/j.align*j.align, all)
	}
	return at(j.bound(i)), at(j.bound(i + 1))
}

// mul computes what part returned of product k.
func (j *intJob) mul(k, from, to int, s *scratch) {
	o, stripes := &j.outs[k], j.stripes[k]
	if from < stripes {
		o.M.mulStripes(j.tier, o, from, min(to, stripes), stripes, j.width, s)
	}
	if to > stripes {
		behind := (j.width - 1) * stripes
		o.M.mulPanels(j.tier, o, j.n, behind+max(from, stripes), behind+to, s)
	}
}

// tell says which rows of product k what part returned is.
func (j *intJob) tell(then Part, k, from, to int) {
	rows, stripes := j.outs[k].M.rows, j.stripes[k]
	for s := 0; s < j.width && from < stripes; s++ {
		then.Done((s*stripes+from)*panelRows, min((s*stripes+min(to, stripes))*panelRows, rows))
	}
	if to > stripes {
		behind := (j.width - 1) * stripes
		then.Done((behind+max(from, stripes))*panelRows, min((behind+to)*panelRows, rows))
	}
}

// set prepares the job and returns its units: as many for each thread, and none
// much shorter than unitWork.
func (j *intJob) set(threads, n int, outs []Out, then Part) (units int) {
	j.tier, j.n, j.count, j.then = Active(), n, copy(j.outs[:], outs), then
	if len(j.scratch) < threads {
		j.scratch = make([]scratch, threads)
	}
	j.width, j.align = 1, 1
	if n == 1 {
		j.width = streams(j.tier)
	}
	most := 8 // units of a share
	j.divisor = 4
	switch j.width { // streams begin slowly, and processors with four have cores of one kind
	case 2:
		most, j.divisor = 6, 3
	case maxStreams:
		most, j.divisor = 5, 2
	}
	for i := range outs { // whole blocks for the one, pairs of panels for the other
		if then != nil || outs[i].Then != nil || outs[i].M.byTwos(j.tier, n) {
			j.align = blockSize / panelRows
		}
	}
	for i := range outs {
		m := outs[i].M
		j.weight[i] = m.cols
		if outs[i].Rest != nil {
			j.weight[i] = 2 * m.cols
		}
		j.stripes[i] = 0
		if few := threads * j.align; j.width > 1 && outs[i].rows()/panelRows/j.width >= few {
			j.stripes[i] = outs[i].rows() / panelRows / j.width / j.align * j.align
		}
		j.first[i+1] = j.first[i] + m.panelCount()*j.weight[i]
	}
	j.step = max(1, pairValues/(panelRows*n)/j.align) * j.align
	work := j.first[j.count] * panelRows * n // in multiply-accumulates
	if then != nil {                         // both are in the same row
		j.first[2] = j.first[1]
	}
	j.threads, j.parts = 1, 1
	if threads == 1 || work < serialWork {
		return 1
	}
	j.threads, j.parts = threads, min(max(1, work/threads/unitWork), most)
	return j.threads * j.parts
}

var intJobs = sync.Pool{New: func() any { return new(intJob) }}

// MulPair is MulAll of two products of equal shape, which tells then about rows of
// both.
func MulPair(p *Pool, n int, a, b Out, then Part) {
	if a.M.rows != b.M.rows || a.M.cols != b.M.cols || a.Then != nil || b.Then != nil {
		panic(fmt.Sprintf("kernels: MulPair of %d x %d and %d x %d", a.M.rows, a.M.cols, b.M.rows, b.M.cols))
	}
	mulAll(p, n, then, a, b)
}

// MulAll computes up to four products of integer matrices for the first n
// tokens of their activations, as one run of the pool: token t of each gives
// Y[t*LdY:][:M.Rows()]. Outputs must not overlap, and other products may not use the
// same activations meanwhile: what kernels derive from them is made then.
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
		checkMatrix("y", n, o.rows(), o.LdY, len(o.Y))
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
	defer p.mu.Unlock() // a Part that panics must not leave Close waiting
	p.run(p.ints.set(p.Threads(), n, outs, then), &p.ints)
	p.ints.release()
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
	started := o.start(tier, n)
	if (m.mins != nil || m.super != nil && m.super.mins) && (started || tier == AVX512 || tier == AMX) {
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
