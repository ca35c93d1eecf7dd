package engine

import "github.com/seed-c6f48606/harness/kernels"

// layer is a transformer block ready to run; weights of removed blocks are nil.
type layer struct {
	heads, ffn        int
	kv                kernels.KVLayout
	attnNorm, mlpNorm []float32
	q, k, v, o        weight
	gate, up, down    weight
	need              *gate // may skip the attention block
	exit              *gate // may end the sequence after this layer
}

// runAttention adds the attention block of layer l to the hidden states of the
// sequences that do not skip it.
func (e *Engine) runAttention(l int) {
	p, ly := &e.pass, &e.layers[l]
	a := &p.attention
	a.members, p.index = a.members[:0], p.index[:0]
	asked := false
	for i := range p.segments {
		s := &p.segments[i]
		if s.done || s.seq.route.skip[l] {
			continue
		}
		asked = asked || s.open
		a.members = append(a.members, member{segment: i, row: len(p.index)})
		for t := range s.tokens {
			p.index = append(p.index, int32(s.row+t))
		}
	}
	if len(a.members) == 0 {
		return
	}
	reads := ly.k.reads() | ly.v.reads()
	if trimmed := e.gatherQueries(l); !trimmed {
		reads |= ly.q.reads()
	}
	if asked && ly.need != nil {
		e.normRows(&p.in, p.index, ly.attnNorm, 0)
		e.askAttention(l)
		if len(a.members) == 0 {
			return
		}
		p.in.resize(len(p.index), p.in.cols, reads)
		e.quantizeRows(&p.in)
		e.gatherQueries(l)
	} else {
		e.normRows(&p.in, p.index, ly.attnNorm, reads)
	}
	if len(p.write) > 0 {
		p.inner.resizeOutput(len(p.write), ly.heads*ly.kv.HeadDim, ly.o.reads())
	}
	e.projectQKV(ly)
	e.placeKeys(l, p.k, p.v)
	if len(p.write) == 0 {
		e.storeKeys()
		return
	}
	e.attend(ly, p.q, &p.inner)
	e.addProduct(ly.o, &p.inner, p.write)
}

// projectQKV computes keys and values of all rows and queries, as far apart as what
// attention makes of them, of those that the block writes.
func (e *Engine) projectQKV(ly *layer) {
	p := &e.pass
	n := len(p.index)
	width, ld := ly.kv.Heads*ly.kv.HeadDim, p.inner.ld
	p.k, p.v, p.q = grow(p.k, n*width), grow(p.v, n*width), grow(p.q, len(p.write)*ld)
	k, v := product{ly.k, &p.in, p.k, width, false}, product{ly.v, &p.in, p.v, width, false}
	q := product{ly.q, &p.in, p.q, ld, false}
	if len(p.write) == n {
		e.multiply(q, k, v)
		return
	}
	e.multiply(k, v)
	if len(p.write) > 0 {
		e.gatherRows(&p.trimmed, p.in.x, p.attention.from, p.in.cols, ly.q.reads())
		q.in = &p.trimmed
		e.multiply(q)
	}
}

// askAttention asks layer l's gate about the sequences in their first piece and
// takes those that skip out of the sub-batch.
func (e *Engine) askAttention(l int) {
	p, g, hidden := &e.pass, e.layers[l].need, e.config.HiddenSize
	a := &p.attention
	rows, members := 0, a.members[:0]
	for _, m := range a.members {
		s := &p.segments[m.segment]
		n := len(s.tokens)
		x := p.in.x[m.row*hidden:][:n*hidden]
		if s.open {
			e.pool.Count(kernels.Ops{F32MAC: uint64(len(g.weight))})
			if g.need(mean(p.feature, x, n)) < p.threshold {
				s.seq.route.skip[l] = true
				continue
			}
		}
		if rows != m.row {
			copy(p.in.x[rows*hidden:], x)
			copy(p.index[rows:], p.index[m.row:][:n])
			m.row = rows
		}
		members = append(members, m)
		rows += n
	}
	a.members, p.index = members, p.index[:rows]
}

// gatherQueries lists the rows that layer l's attention writes and where in the
// sub-batch they are. It reports whether these are fewer than all.
func (e *Engine) gatherQueries(l int) (trimmed bool) {
	p, a := &e.pass, &e.pass.attention
	p.write, a.from = p.write[:0], a.from[:0]
	for i := range a.members {
		m := &a.members[i]
		s := &p.segments[m.segment]
		n, outputs := len(s.tokens), s.outputs(l)
		m.query, m.queries = len(p.write), outputs
		m.first = s.pos + n - outputs
		for t := n - outputs; t < n; t++ {
			p.write = append(p.write, int32(s.row+t))
			a.from = append(a.from, int32(m.row+t))
		}
	}
	return len(p.write) < len(p.index)
}

// runMLP adds the MLP block of layer l to the hidden states of the sequences
// that do not skip it.
func (e *Engine) runMLP(l int) {
	p, ly := &e.pass, &e.layers[l]
	p.write = p.write[:0]
	for i := range p.segments {
		s := &p.segments[i]
		if s.done || s.seq.route.skipFFN[l] {
			continue
		}
		n := len(s.tokens)
		for t := n - s.outputs(l); t < n; t++ {
			p.write = append(p.write, int32(s.row+t))
		}
	}
	n := len(p.write)
	if n == 0 {
		return
	}
	e.normRows(&p.in, p.write, ly.mlpNorm, ly.gate.reads()|ly.up.reads())
	p.inner.resizeOutput(n, ly.ffn, ly.down.reads())
	e.multiplyGLU(ly.gate, ly.up, &p.in, &p.inner)
	e.addProduct(ly.down, &p.inner, p.write)
}
