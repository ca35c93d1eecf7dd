package engine

import (
	"sync"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// loader lays stored matrices out for the kernels. pack names what is to be
// done; run does it, spread over the workers, so that a file is read and packed
// some rows at a time and never held twice.
type loader struct {
	exact bool // every value is widened to f32 first
	tasks []packing

	buffers []packBuffer // by worker
	mu      sync.Mutex
	err     error
}

// packing is rows [row, row+n) of an integer matrix, or a whole dense one.
type packing struct {
	from   *model.Matrix
	to     *kernels.IntMatrix
	row, n int
	dense  *dense
}

// packBuffer is the rows that a worker has read.
type packBuffer struct {
	q          []int8
	scale, min []uint16
}

// packValues is how many integers are packed at a time.
const packValues = 128 << 10

// pack returns the weight of m, whose values are not there before run.
func (l *loader) pack(m *model.Matrix) weight {
	if m.B != nil {
		return &factored{b: l.pack(m.B), a: l.pack(m.A)}
	}
	bits, group, mins := integers(m)
	if bits == 0 || l.exact {
		d := new(dense)
		l.tasks = append(l.tasks, packing{from: m, dense: d})
		return d
	}
	to := kernels.NewInt(bits, m.Rows, m.Cols, group, mins)
	step := max(16, packValues/m.Cols&^15)
	for row := 0; row < m.Rows; row += step {
		l.tasks = append(l.tasks, packing{from: m, to: to, row: row, n: min(step, m.Rows-row)})
	}
	return &integer{IntMatrix: to}
}

// layer packs the matrices of one layer.
func (l *loader) layer(m *model.Layer) layer {
	out := layer{heads: m.Heads, ffn: m.FFN, attnNorm: m.AttnNorm, mlpNorm: m.MLPNorm, kv: kernels.KVLayout{Heads: m.KVHeads}}
	if m.HasAttention() {
		out.q, out.k, out.v, out.o = l.pack(m.Q), l.pack(m.K), l.pack(m.V), l.pack(m.O)
		for _, w := range []weight{out.k, out.v} {
			if w, ok := w.(*integer); ok {
				w.fine = true
			}
		}
	}
	if m.HasMLP() {
		out.gate, out.up, out.down = l.pack(m.Gate), l.pack(m.Up), l.pack(m.Down)
	}
	return out
}

// integers returns the format of m's integers; bits is 0 if it holds floats.
func integers(m *model.Matrix) (bits, group int, mins bool) {
	if m.Stored != nil {
		return m.Stored.Format()
	}
	if m.Q != nil {
		return m.Bits, m.Group, false
	}
	return 0, 0, false
}

// run fills all weights that pack returned.
func (l *loader) run(p *kernels.Pool) error {
	l.buffers = make([]packBuffer, p.Threads())
	p.Run(len(l.tasks), l)
	l.tasks, l.buffers = nil, nil
	return l.err
}

// Do packs one task.
func (l *loader) Do(worker, i int) {
	t := &l.tasks[i]
	var err error
	if t.dense != nil {
		t.dense.floatMatrix, err = l.packDense(t.from)
	} else {
		err = t.packInts(&l.buffers[worker])
	}
	if err != nil {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
	}
}

func (t *packing) packInts(b *packBuffer) error {
	m := t.from
	if m.Stored == nil {
		groups := m.Groups()
		t.to.SetRows(t.row, m.Q[t.row*m.Cols:][:t.n*m.Cols], m.Scale[t.row*groups:][:t.n*groups], nil)
		return nil
	}
	_, group, mins := m.Stored.Format()
	groups := t.n * ((m.Cols + group - 1) / group)
	b.q, b.scale = grow(b.q, t.n*m.Cols), grow(b.scale, groups)
	var low []uint16
	if mins {
		b.min = grow(b.min, groups)
		low = b.min
	}
	if err := m.Stored.Ints(t.row, t.n, b.q, b.scale, low); err != nil {
		return err
	}
	t.to.SetRows(t.row, b.q, b.scale, low)
	return nil
}

func (l *loader) packDense(m *model.Matrix) (floatMatrix, error) {
	if l.exact && m.Stored != nil {
		wide := make([]float32, m.Rows*m.Cols)
		if err := m.Stored.Floats(0, m.Rows, wide); err != nil {
			return nil, err
		}
		return kernels.PackF32(wide, m.Rows, m.Cols), nil
	}
	m, err := m.Materialize()
	switch {
	case err != nil:
		return nil, err
	case m.F32 != nil:
		return kernels.PackF32(m.F32, m.Rows, m.Cols), nil
	case m.BF16 != nil && !l.exact:
		return kernels.PackBF16(m.BF16, m.Rows, m.Cols), nil
	}
	return kernels.PackF32(m.Dense(), m.Rows, m.Cols), nil
}
