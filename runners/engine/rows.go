package engine

import "github.com/seed-c6f48606/harness/kernels"

// rowOp is a function applied to rows independently of each other.
type rowOp uint8

const (
	opNorm   rowOp = iota // dst[i] = RMSNorm(src[index[i]])
	opGather              // dst[i] = src[index[i]]
	opAdd                 // dst[index[i]] += src[i]
	opRotate              // dst[i] is turned to position index[i]
	opSwiGLU              // dst[i] = silu(dst[i])*src[i]
)

// Rows are handed to a worker so many values at a time: about 10 µs of work.
const rowUnit = 16 << 10

// rowJob spreads a rowOp over the workers.
type rowJob struct {
	op       rowOp
	dst, src []float32
	index    []int32
	n, cols  int
	unit     int // rows a unit has
	gain     []float32
	eps      float32
	rope     *rope
}

// run applies the job to its n rows.
func (j *rowJob) run(p *kernels.Pool) {
	j.unit = max(1, rowUnit/j.cols)
	p.Run((j.n+j.unit-1)/j.unit, j)
	*j = rowJob{}
}

// Do handles unit i.
func (j *rowJob) Do(_, i int) {
	for r := i * j.unit; r < min((i+1)*j.unit, j.n); r++ {
		switch j.op {
		case opNorm:
			kernels.RMSNorm(row(j.dst, r, j.cols), row(j.src, int(j.index[r]), j.cols), j.gain, j.eps)
		case opGather:
			copy(row(j.dst, r, j.cols), row(j.src, int(j.index[r]), j.cols))
		case opAdd:
			kernels.Axpy(1, row(j.src, r, j.cols), row(j.dst, int(j.index[r]), j.cols))
		case opRotate:
			cos, sin := j.rope.at(int(j.index[r]))
			kernels.RoPE(row(j.dst, r, j.cols), j.rope.headDim, cos, sin)
		case opSwiGLU:
			dst := row(j.dst, r, j.cols)
			kernels.SwiGLU(dst, dst, row(j.src, r, j.cols))
		}
	}
}

// row returns row i of a matrix of cols columns.
func row(x []float32, i, cols int) []float32 { return x[i*cols:][:cols:cols] }

// norm writes RMSNorm of the hidden states of the given rows to dst.
func (e *Engine) normRows(dst []float32, index []int32, gain []float32) {
	p := &e.pass
	p.job = rowJob{
		op: opNorm, dst: dst, src: p.h, index: index, n: len(index), cols: e.config.HiddenSize,
		gain: gain, eps: float32(e.config.RMSNormEps),
	}
	p.job.run(e.pool)
}

// addRows adds src to the hidden states of the given rows.
func (e *Engine) addRows(src []float32, index []int32) {
	p := &e.pass
	p.job = rowJob{op: opAdd, dst: p.h, src: src, index: index, n: len(index), cols: e.config.HiddenSize}
	p.job.run(e.pool)
}

// rotate turns rows of x to their positions.
func (e *Engine) rotate(x []float32, positions []int32, cols int) {
	p := &e.pass
	p.job = rowJob{op: opRotate, dst: x, index: positions, n: len(positions), cols: cols, rope: &e.rope}
	p.job.run(e.pool)
}
