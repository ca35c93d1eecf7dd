package kernels

import (
	"sync"
	"unsafe"
)

// panelMatrix is a packed matrix that can compute some of its panels.
type panelMatrix interface {
	mulPanels(j *mulJob, lo, hi int)
}

// mulJob is one dense product in flight. Unit i of it covers chunk panels.
type mulJob struct {
	m      panelMatrix
	tier   Tier
	y      []float32
	ldy, n int
	x      []float32 // strips of width rows, laid out [cols][width]
	width  int
	strips []float32 // memory of x when it had to be packed
	panels int
	chunk  int
}

// Do computes one unit.
func (j *mulJob) Do(_, i int) {
	j.m.mulPanels(j, i*j.chunk, min((i+1)*j.chunk, j.panels))
}

var serialJobs = sync.Pool{New: func() any { return new(mulJob) }}

// Costs that decide how a product is cut, in multiply-accumulates: below
// serialWork waking others takes longer than the product itself, and a unit
// should not be shorter than unitWork.
const (
	serialWork = 1 << 15
	unitWork   = 1 << 14
)

// cut sets the panels of a unit: the fewest units that are long enough and
// still leave each thread several to claim.
func (j *mulJob) cut(threads, rows, cols int) (units int) {
	j.panels = (rows + panelRows - 1) / panelRows
	work := panelRows * cols * j.n
	if threads == 1 || work*j.panels < serialWork {
		j.chunk = j.panels
		return 1
	}
	j.chunk = max(1, unitWork/work, j.panels/(threads*8))
	if j.chunk > 4 {
		j.chunk &^= 3 // whole groups of panels for the widest tile
	}
	return (j.panels + j.chunk - 1) / j.chunk
}

// mulDense runs y = x*transpose(m) for a checked, non-empty product.
func mulDense(p *Pool, m panelMatrix, rows, cols int, y []float32, ldy int, x []float32, ldx, n int) {
	if p == nil {
		j := serialJobs.Get().(*mulJob)
		j.dense(m, rows, cols, y, ldy, x, ldx, n)
		j.cut(1, rows, cols)
		j.Do(0, 0)
		j.release()
		serialJobs.Put(j)
		return
	}
	p.mu.Lock()
	j := &p.job
	j.dense(m, rows, cols, y, ldy, x, ldx, n)
	p.run(j.cut(p.Threads(), rows, cols), j)
	j.release()
	p.mu.Unlock()
	p.f32.Add(uint64(rows) * uint64(cols) * uint64(n))
}

func (j *mulJob) dense(m panelMatrix, rows, cols int, y []float32, ldy int, x []float32, ldx, n int) {
	j.m, j.tier, j.y, j.ldy, j.n = m, floatTier(), y, ldy, n
	j.width = stripWidth(j.tier)
	if n == 1 {
		j.x = x
		return
	}
	if cap(j.strips) < n*cols {
		j.strips = alignedFloats(n * cols)
	}
	j.x = j.strips[:n*cols]
	packStrips(j.x, false, x, ldx, 0, n, 0, cols, j.width, 1)
}

// release drops what belongs to the caller, keeping the memory for strips.
func (j *mulJob) release() { *j = mulJob{strips: j.strips} }

func sizeBytes[T any](s []T) int64 {
	var zero T
	return int64(len(s)) * int64(unsafe.Sizeof(zero))
}
