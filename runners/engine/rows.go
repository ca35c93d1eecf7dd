package engine

import "github.com/seed-c6f48606/harness/kernels"

// rowOp is a function applied to rows independently of each other. Those with
// an input write its row r and quantize it.
type rowOp uint8

const (
	opNorm     rowOp = iota // in[r] = RMSNorm(src[index[r]])
	opGather                // in[r] = src[index[r]]
	opQuantize              // in[r] is there
	opSwiGLU                // in[r] = silu(in[r])*src[r]
	opAdd                   // dst[index[r]] += src[r]
	opEmbed                 // dst[r] = embedding of token index[r]
)

// Rows are handed to a worker so many values at a time: about 10 µs of work.
const rowUnit = 8 << 10

// rowJob spreads a rowOp over the workers.
type rowJob struct {
	op       rowOp
	in       *input
	dst, src []float32
	index    []int32
	n, cols  int
	unit     int // rows a unit has
	gain     []float32
	eps      float32
	table    weight
}

// run applies the job to its n rows.
func (j *rowJob) run(p *kernels.Pool) {
	j.unit = max(1, rowUnit/j.cols)
	if j.in != nil {
		whole := (j.unit + kernels.ActTile - 1) / kernels.ActTile * kernels.ActTile
		if j.n >= min(4*kernels.ActTile, whole*p.Threads()) {
			j.unit = whole
		}
	}
	p.Run((j.n+j.unit-1)/j.unit, j)
	*j = rowJob{}
}

// Do handles unit i.
func (j *rowJob) Do(_, i int) {
	first, to := i*j.unit, min((i+1)*j.unit, j.n)
	for first < to {
		next := min(to, (first/kernels.ActTile+1)*kernels.ActTile)
		for r := first; r < next; r++ {
			j.apply(r)
		}
		if j.in != nil {
			j.in.quantize(first, next-first)
		}
		first = next
	}
}

// apply handles row r.
func (j *rowJob) apply(r int) {
	switch j.op {
	case opNorm:
		kernels.RMSNorm(j.in.row(r), row(j.src, int(j.index[r]), j.cols), j.gain, j.eps)
	case opGather:
		copy(j.in.row(r), row(j.src, int(j.index[r]), j.cols))
	case opSwiGLU:
		x := j.in.row(r)
		kernels.SwiGLU(x, x, j.src[r*j.in.ld:][:j.cols])
	case opAdd:
		kernels.Axpy(1, row(j.src, r, j.cols), row(j.dst, int(j.index[r]), j.cols))
	case opEmbed:
		j.table.row(row(j.dst, r, j.cols), int(j.index[r]))
	}
}

// row returns row i of a matrix of cols columns.
func row(x []float32, i, cols int) []float32 { return x[i*cols:][:cols:cols] }

// normRows writes RMSNorm of the hidden states of the given rows to in.
func (e *Engine) normRows(in *input, index []int32, gain []float32, reads planes) {
	p := &e.pass
	in.resize(len(index), e.config.HiddenSize, reads)
	p.job = rowJob{op: opNorm, in: in, src: p.h, index: index, n: in.n, cols: in.cols, gain: gain, eps: float32(e.config.RMSNormEps)}
	p.job.run(e.pool)
}

// gatherRows copies rows of src to in.
func (e *Engine) gatherRows(in *input, src []float32, index []int32, cols int, reads planes) {
	p := &e.pass
	in.resize(len(index), cols, reads)
	p.job = rowJob{op: opGather, in: in, src: src, index: index, n: in.n, cols: cols}
	p.job.run(e.pool)
}

// quantizeRows computes the planes of in.
func (e *Engine) quantizeRows(in *input) {
	if in.planes != 0 {
		e.pass.job = rowJob{op: opQuantize, in: in, n: in.n, cols: in.cols}
		e.pass.job.run(e.pool)
	}
}

// activateRows writes silu(in)*up to in.
func (e *Engine) activateRows(in *input, up []float32) {
	e.pass.job = rowJob{op: opSwiGLU, in: in, src: up, n: in.n, cols: in.cols}
	e.pass.job.run(e.pool)
}

// addProduct adds W·in to the hidden states of the given rows, which ascend.
func (e *Engine) addProduct(w weight, in *input, index []int32) {
	p, hidden := &e.pass, e.config.HiddenSize
	if n := len(index); int(index[n-1]-index[0]) == n-1 {
		e.multiply(product{w, in, p.h[int(index[0])*hidden:][:n*hidden], hidden, true})
		return
	}
	p.y = grow(p.y, len(index)*hidden)
	e.multiply(product{w, in, p.y, hidden, false})
	p.job = rowJob{op: opAdd, dst: p.h, src: p.y, index: index, n: len(index), cols: hidden}
	p.job.run(e.pool)
}

// embedRows writes the embeddings of tokens to the hidden states. A factored
// table has working memory for one worker only.
func (e *Engine) embedRows(ids []int32) {
	p := &e.pass
	p.job = rowJob{op: opEmbed, dst: p.h, index: ids, n: len(ids), cols: e.config.HiddenSize, table: e.embed}
	if _, ok := e.embed.(*factored); ok {
		p.job.unit = p.job.n
		p.job.Do(0, 0)
		p.job = rowJob{}
		return
	}
	p.job.run(e.pool)
}
