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

// intJob is a joint run in flight. A unit of it is some panels of one product, or
// the same ones of a pair.
type intJob struct {
	then    Part // of a pair
	tier    Tier
	threads int
	n       int
	outs    [maxOuts]Out
	count   int
	first   [maxOuts + 1]int // unit of each product's first panel
	chunk   [maxOuts]int     // panels a unit has
	scratch []scratch        // by worker
}

// Do computes one unit.
func (j *intJob) Do(worker, i int) {
	k := 0
	for i >= j.first[k+1] {
		k++
	}
	o := &j.outs[k]
	chunk := j.chunk[k]
	lo := (i - j.first[k]) * chunk
	hi := min(lo+chunk, o.M.panelCount())
	// The other workers probably claim one unit each before this one's next.
	ahead := lo + j.threads*chunk
	o.M.mulPanels(j.tier, o, j.n, lo, hi, ahead, &j.scratch[worker])
	if j.then != nil {
		o := &j.outs[1]
		o.M.mulPanels(j.tier, o, j.n, lo, hi, ahead, &j.scratch[worker])
		j.then.Done(lo*panelRows, min(hi*panelRows, o.M.rows))
	}
}

// set prepares the job and returns its units: the fewest that are long enough
// and still leave each thread several to claim.
func (j *intJob) set(threads, n int, outs []Out, then Part) (units int) {
	j.tier, j.threads, j.n, j.count, j.then = Active(), threads, n, copy(j.outs[:], outs), then
	if then != nil {
		outs = outs[:1] // the second is cut like it
	}
	if len(j.scratch) < threads {
		j.scratch = make([]scratch, threads)
	}
	total := 0
	for i := range outs {
		total += outs[i].M.panelCount() * outs[i].M.cols
	}
	for i := range outs {
		m := outs[i].M
		panels, work := m.panelCount(), panelRows*m.cols*n
		j.chunk[i] = panels
		if threads > 1 && total*panelRows*n >= serialWork {
			j.chunk[i] = min(panels, max(1, unitWork/work, total/(m.cols*threads*threadUnits(n))))
			together := 1
			if n == 1 {
				together = streams(j.tier)
			} else if j.tier == AMX {
				together = 2
			}
			if then != nil {
				together = max(together, blockSize/panelRows)
			}
			j.chunk[i] = (j.chunk[i] + together - 1) / together * together
		}
		j.first[i] = units
		units += (panels + j.chunk[i] - 1) / j.chunk[i]
	}
	for i := len(outs); i <= maxOuts; i++ {
		j.first[i] = units
	}
	return units
}

var intJobs = sync.Pool{New: func() any { return new(intJob) }}

// threadUnits is how many units of n tokens a thread should have: few where memory
// is read in streams, each of which begins slowly.
func threadUnits(n int) int {
	if n == 1 {
		return 4
	}
	return 8
}

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
