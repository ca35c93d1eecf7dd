package engine

import "github.com/seed-c6f48606/harness/kernels"

// product is y = W·x, or y += W·x, for every row x of an input; rows of y lie
// one after the other.
type product struct {
	w   weight
	in  *input
	y   []float32
	add bool
}

// multiplier runs products that belong together as one run of the pool: two
// where some are factored.
type multiplier struct {
	products []product
	outs     []kernels.Out
	middle   [3]input  // between factors
	addend   []float32 // of dense weights that add
}

// multiply runs the products, which have inputs of the same number of rows.
func (e *Engine) multiply(ps ...product) {
	m := &e.pass.multiplier
	m.products = append(m.products[:0], ps...)
	m.outs = m.outs[:0]
	second := false
	for i := range m.products {
		p := &m.products[i]
		if w, ok := p.w.(*factored); ok {
			mid := &m.middle[i]
			mid.resize(p.in.n, w.a.Rows(), w.b.reads())
			m.add(e.pool, &product{w.a, p.in, mid.x, false})
			second = true
			continue
		}
		m.add(e.pool, p)
	}
	m.run(e.pool)
	if !second {
		return
	}
	for i := range m.products {
		p := &m.products[i]
		if w, ok := p.w.(*factored); ok {
			mid := &m.middle[i]
			e.quantizeRows(mid)
			m.add(e.pool, &product{w.b, mid, p.y, p.add})
		}
	}
	m.run(e.pool)
}

// add enqueues a product of integers and computes one of floats.
func (m *multiplier) add(pool *kernels.Pool, p *product) {
	rows := p.w.Rows()
	switch w := p.w.(type) {
	case *integer:
		m.outs = append(m.outs, w.out(p.in, p.y, p.add))
	case *dense:
		if !p.add {
			w.Mul(pool, p.y, rows, p.in.x, p.in.cols, p.in.n)
			return
		}
		m.addend = grow(m.addend, p.in.n*rows)
		w.Mul(pool, m.addend, rows, p.in.x, p.in.cols, p.in.n)
		kernels.Axpy(1, m.addend, p.y)
	}
}

// multiplyGLU writes silu(gate·in)*(up·in) to out. Where both are integers, whoever
// has computed some columns of both goes on with them at once.
func (e *Engine) multiplyGLU(gate, up weight, in, out *input) {
	p := &e.pass
	p.up = grow(p.up, out.n*out.cols)
	g, okG := gate.(*integer)
	u, okU := up.(*integer)
	if !okG || !okU || out.planes&planeRest != 0 {
		e.multiply(product{gate, in, out.x, false}, product{up, in, p.up, false})
		e.activateRows(out, p.up)
		return
	}
	p.glu = gluPart{out, p.up}
	kernels.MulPair(e.pool, in.n, g.out(in, out.x, false), u.out(in, p.up, false), &p.glu)
}

// gluPart turns columns of gates into silu(gate)*up and quantizes them.
type gluPart struct {
	out *input
	up  []float32
}

// Done turns columns [from, to) of all rows.
func (g *gluPart) Done(from, to int) {
	for r := range g.out.n {
		x := g.out.row(r)[from:to]
		kernels.SwiGLU(x, x, row(g.up, r, g.out.cols)[from:to])
		if g.out.planes&planeInt8 != 0 {
			g.out.quantizePart(r, from, len(x))
		}
	}
}

// out is the product of w and in as the kernels take it.
func (w *integer) out(in *input, y []float32, add bool) kernels.Out {
	out := kernels.Out{M: w.IntMatrix, A: &in.acts, Y: y, LdY: w.Rows(), Add: add}
	if w.fine {
		out.Rest = &in.rest
	}
	return out
}

func (m *multiplier) run(pool *kernels.Pool) {
	if len(m.outs) > 0 {
		kernels.MulAll(pool, m.products[0].in.n, m.outs...)
		m.outs = m.outs[:0]
	}
}
