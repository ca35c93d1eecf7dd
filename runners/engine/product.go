package engine

import "github.com/seed-c6f48606/harness/kernels"

// product is y = W·x, or y += W·x, for every row x of an input. Rows of y lie ld
// apart, one after the other if they are added to; where whole panels fit in between,
// they may be overwritten.
type product struct {
	w   weight
	in  *input
	y   []float32
	ld  int
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
func (e *Engine) multiply(ps ...product) { e.multiplyPlain(e.reduce(ps...)) }

// reduce multiplies the inputs of factored weights by the first factors and returns
// the products with the second ones in their place.
func (e *Engine) reduce(ps ...product) []product {
	m := &e.pass.multiplier
	m.products = append(m.products[:0], ps...)
	for i := range m.products {
		p := &m.products[i]
		w, ok := p.w.(*factored)
		if !ok {
			continue
		}
		mid := &m.middle[i]
		mid.resizeOutput(p.in.n, w.a.Rows(), w.b.reads())
		m.add(e.pool, &product{w.a, p.in, mid.x, mid.ld, false})
		if w.parts() {
			m.outs[len(m.outs)-1].Then = mid
		}
		p.w, p.in = w.b, mid
	}
	m.run(e.pool, ps[0].in.n)
	for i := range ps {
		if w, ok := ps[i].w.(*factored); ok && !w.parts() {
			e.quantizeRows(&m.middle[i])
		}
	}
	return m.products
}

// multiplyPlain is multiply without factored weights.
func (e *Engine) multiplyPlain(ps []product) {
	m := &e.pass.multiplier
	for i := range ps {
		m.add(e.pool, &ps[i])
	}
	m.run(e.pool, ps[0].in.n)
}

// add enqueues a product of integers and computes one of floats.
func (m *multiplier) add(pool *kernels.Pool, p *product) {
	rows := p.w.Rows()
	switch w := p.w.(type) {
	case *integer:
		m.outs = append(m.outs, w.out(p))
	case *dense:
		if !p.add {
			w.Mul(pool, p.y, p.ld, p.in.x, p.in.ld, p.in.n)
			return
		}
		m.addend = grow(m.addend, p.in.n*rows)
		w.Mul(pool, m.addend, rows, p.in.x, p.in.ld, p.in.n)
		kernels.Axpy(1, m.addend, p.y)
	}
}

// run runs what is enqueued, products of n rows each.
func (m *multiplier) run(pool *kernels.Pool, n int) {
	if len(m.outs) > 0 {
		kernels.MulAll(pool, n, m.outs...)
		m.outs = m.outs[:0]
	}
}

// multiplyGLU writes silu(gate·in)*(up·in) to out. Where both are integers, whoever
// has computed some columns of both goes on with them at once, unless out is read in
// two planes, of which the second needs whole rows.
func (e *Engine) multiplyGLU(gate, up weight, in, out *input) {
	p := &e.pass
	p.up = grow(p.up, out.n*out.ld)
	ps := e.reduce(product{gate, in, out.x, out.ld, false}, product{up, in, p.up, out.ld, false})
	g, okG := ps[0].w.(*integer)
	u, okU := ps[1].w.(*integer)
	if !okG || !okU || g.Cols() != u.Cols() || out.planes&planeRest != 0 {
		e.multiplyPlain(ps)
		e.activateRows(out, p.up)
		return
	}
	p.glu = gluPart{out, p.up}
	kernels.MulPair(e.pool, in.n, g.out(&ps[0]), u.out(&ps[1]), &p.glu)
}

// gluPart turns columns of gates into silu(gate)*up and quantizes them.
type gluPart struct {
	out *input
	up  []float32
}

// Done turns columns [from, to) of all rows.
func (g *gluPart) Done(from, to int) {
	x := g.out.x[from:]
	kernels.SwiGLURows(x, x, g.up[from:], g.out.ld, g.out.n, to-from)
	if g.out.planes&planeInt8 != 0 {
		g.out.Done(from, to)
	}
}

// out is the product as the kernels take it.
func (w *integer) out(p *product) kernels.Out {
	out := kernels.Out{
		M: w.IntMatrix, A: &p.in.acts, Y: p.y, LdY: p.ld, Add: p.add, Roomy: p.ld >= kernels.PaddedRows(w.Rows()),
	}
	if w.fine {
		out.Rest = &p.in.rest
	}
	return out
}
