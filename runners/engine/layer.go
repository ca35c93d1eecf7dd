package engine

import "github.com/seed-c6f48606/harness/kernels"

// runAttention adds the attention block of layer l to the hidden states of the
// sequences that do not skip it.
func (e *Engine) runAttention(l int) {
	p, ly := &e.pass, &e.layers[l]
	a := &p.attention
	a.members, p.index = a.members[:0], p.index[:0]
	for i := range p.segments {
		s := &p.segments[i]
		if s.done || s.seq.route.skip[l] {
			continue
		}
		a.members = append(a.members, member{segment: i, row: len(p.index)})
		for t := range s.tokens {
			p.index = append(p.index, int32(s.row+t))
		}
	}
	hidden := e.config.HiddenSize
	p.x = grow(p.x, len(p.index)*hidden)
	e.normRows(p.x, p.index, ly.attnNorm)
	if ly.need != nil {
		e.askAttention(l)
	}
	if len(a.members) == 0 {
		return
	}
	n := len(p.index)
	p.in.set(p.x, n, hidden)
	e.tap(l, SiteQKV, &p.in)

	width := ly.kvHeads * e.config.HeadDim
	p.k, p.v = grow(p.k, n*width), grow(p.v, n*width)
	ly.k.mul(e.pool, p.k, &p.in)
	ly.v.mul(e.pool, p.v, &p.in)
	queries := e.gatherQueries(l)
	e.rotate(p.k, p.pos, width)
	e.storeKeys(l, width)
	if len(p.write) == 0 {
		return
	}
	qdim := ly.heads * e.config.HeadDim
	p.q, p.att = grow(p.q, len(p.write)*qdim), grow(p.att, len(p.write)*qdim)
	ly.q.mul(e.pool, p.q, queries)
	e.rotate(p.q, p.qpos, qdim)
	e.attend(ly)

	p.inner.set(p.att, len(p.write), qdim)
	e.tap(l, SiteO, &p.inner)
	p.y = grow(p.y, len(p.write)*hidden)
	ly.o.mul(e.pool, p.y, &p.inner)
	e.addRows(p.y, p.write)
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
		x := p.x[m.row*hidden:][:n*hidden]
		if s.open {
			e.pool.Count(kernels.Ops{F32MAC: uint64(len(g.weight))})
			if g.need(mean(p.feature, x, n)) < p.threshold {
				s.seq.route.skip[l] = true
				continue
			}
		}
		if rows != m.row {
			copy(p.x[rows*hidden:], x)
			copy(p.index[rows:], p.index[m.row:][:n])
			m.row = rows
		}
		members = append(members, m)
		rows += n
	}
	a.members, p.index = members, p.index[:rows]
}

// gatherQueries lists the rows that layer l's attention writes, the positions
// of all rows, and returns the queries' input.
func (e *Engine) gatherQueries(l int) *input {
	p, hidden := &e.pass, e.config.HiddenSize
	p.write, p.pos, p.qpos = p.write[:0], p.pos[:0], p.qpos[:0]
	members := p.attention.members
	for i := range members {
		m := &members[i]
		s := &p.segments[m.segment]
		n, outputs := len(s.tokens), s.outputs(l)
		m.query, m.queries = len(p.write), outputs
		m.first = s.pos + n - outputs
		for t := range n {
			p.pos = append(p.pos, int32(s.pos+t))
		}
		for t := n - outputs; t < n; t++ {
			p.write = append(p.write, int32(s.row+t))
			p.qpos = append(p.qpos, int32(s.pos+t))
		}
	}
	if len(p.write) == len(p.index) {
		return &p.in
	}
	from := p.attention.from[:0]
	for i := range members {
		m := &members[i]
		end := m.row + len(p.segments[m.segment].tokens)
		for r := end - m.queries; r < end; r++ {
			from = append(from, int32(r))
		}
	}
	p.attention.from = from
	p.xq = grow(p.xq, len(from)*hidden)
	p.job = rowJob{op: opGather, dst: p.xq, src: p.x, index: from, n: len(from), cols: hidden}
	p.job.run(e.pool)
	p.inq.set(p.xq, len(from), hidden)
	return &p.inq
}

// storeKeys appends the new keys and values to the sequences that keep them and
// tells the members where theirs are.
func (e *Engine) storeKeys(l, width int) {
	p := &e.pass
	for i := range p.attention.members {
		m := &p.attention.members[i]
		s := &p.segments[m.segment]
		n := len(s.tokens)
		m.k, m.v = p.k[m.row*width:][:n*width], p.v[m.row*width:][:n*width]
		if s.keep {
			m.k, m.v = s.seq.store(l, s.pos, n, width, m.k, m.v)
		}
	}
}

// runMLP adds the MLP block of layer l to the hidden states of the sequences
// that do not skip it.
func (e *Engine) runMLP(l int) {
	p, ly, hidden := &e.pass, &e.layers[l], e.config.HiddenSize
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
	p.x = grow(p.x, n*hidden)
	e.normRows(p.x, p.write, ly.mlpNorm)
	p.in.set(p.x, n, hidden)
	e.tap(l, SiteGateUp, &p.in)

	p.act, p.up = grow(p.act, n*ly.ffn), grow(p.up, n*ly.ffn)
	ly.gate.mul(e.pool, p.act, &p.in)
	ly.up.mul(e.pool, p.up, &p.in)
	p.job = rowJob{op: opSwiGLU, dst: p.act, src: p.up, n: n, cols: ly.ffn}
	p.job.run(e.pool)

	p.inner.set(p.act, n, ly.ffn)
	e.tap(l, SiteDown, &p.inner)
	p.y = grow(p.y, n*hidden)
	ly.down.mul(e.pool, p.y, &p.inner)
	e.addRows(p.y, p.write)
}

// tap shows rows to Options.Tap.
func (e *Engine) tap(l int, site Site, in *input) {
	if e.options.Tap != nil {
		e.options.Tap(l, site, in.x, in.n, in.cols)
	}
}
