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
	q      []int8
	scale  []uint16
	supers kernels.Supers
}

// packValues is how many integers are packed at a time.
const packValues = 128 << 10

// pack returns the weight of m, whose values are not there before run.
func (l *loader) pack(m *model.Matrix) weight {
	if m.B != nil {
		return &factored{b: l.pack(m.B), a: l.pack(m.A)}
	}
	f := integers(m)
	if f.Bits == 0 || l.exact {
		d := new(dense)
		l.tasks = append(l.tasks, packing{from: m, dense: d})
		return d
	}
	newInt := kernels.NewInt
	if f.Super {
		newInt = kernels.NewSuper
	}
	to := newInt(f.Bits, m.Rows, m.Cols, f.Group, f.Mins)
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

// integers returns the format of m's integers; Bits is 0 if it holds floats.
func integers(m *model.Matrix) model.Format {
	if m.Stored != nil {
		return m.Stored.Format()
	}
	if m.Q != nil {
		return model.Format{Bits: m.Bits, Group: m.Group}
	}
	return model.Format{}
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
	f := m.Stored.Format()
	groups := t.n * ((m.Cols + f.Group - 1) / f.Group)
	b.q = grow(b.q, t.n*m.Cols)
	if !f.Super {
		b.scale = grow(b.scale, groups)
		if err := m.Stored.Ints(t.row, t.n, b.q, b.scale); err != nil {
			return err
		}
		t.to.SetRows(t.row, b.q, b.scale, nil)
		return nil
	}
	s, supers := &b.supers, t.n*m.Cols/kernels.SuperValues
	s.Scale, s.Fine = grow(s.Scale, supers), grow(s.Fine, groups)
	if f.Mins {
		s.Min, s.FineMin = grow(s.Min, supers), grow(s.FineMin, groups)
	}
	if err := m.Stored.Supers(t.row, t.n, b.q, s); err != nil {
		return err
	}
	t.to.SetSuperRows(t.row, b.q, s)
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
