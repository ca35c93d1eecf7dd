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
		out := kernels.Out{M: w.IntMatrix, A: &p.in.acts, Y: p.y, LdY: rows, Add: p.add}
		if w.fine {
			out.Rest = &p.in.rest
		}
		m.outs = append(m.outs, out)
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

func (m *multiplier) run(pool *kernels.Pool) {
	if len(m.outs) > 0 {
		kernels.MulAll(pool, m.products[0].in.n, m.outs...)
		m.outs = m.outs[:0]
	}
}
