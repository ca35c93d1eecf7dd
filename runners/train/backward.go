package train

// backward turns n.dn, the gradient of the final-normed rows, into n.grad.
func (n *network[T]) backward(b *sequences) {
	rows, d := len(b.tokens), n.hidden
	n.dh = grow(n.dh, rows*d)
	clear(n.dh)
	n.normaliseBackward(n.dh, n.dn, n.out, n.inv, n.w.norm, n.grad.norm)
	for l := len(n.layers) - 1; l >= 0; l-- {
		c, w, g := &n.layers[l], &n.w.layers[l], &n.grad.layers[l]
		n.mlpBackward(c, w, g, rows)
		n.attentionBackward(b, c, w, g, rows)
	}
	if len(n.embedMask) > 0 {
		multiply(n.dh, n.embedMask)
	}
	for t, id := range b.tokens {
		n.ar.axpy(1, n.dh[t*d:(t+1)*d], n.grad.embed[int(id)*d:][:d])
	}
}

// normaliseBackward adds the gradient of y = x·inv·gain to dx and dgain.
func (n *network[T]) normaliseBackward(dx, dy, x, inv, gain, dgain []T) {
	d := n.hidden
	for t, r := range inv {
		in, gy, gx := x[t*d:(t+1)*d], dy[t*d:(t+1)*d], dx[t*d:(t+1)*d]
		var along T
		for i, g := range gain {
			p := gy[i] * in[i]
			dgain[i] += p * r
			along += p * g
		}
		along *= r * r * r / T(d)
		for i, g := range gain {
			gx[i] += gy[i]*g*r - along*in[i]
		}
	}
}

// mlpBackward: n.dh is the gradient of the layer's output on entry and of
// c.mid on return.
func (n *network[T]) mlpBackward(c *layerCache[T], w, grad *layerWeights[T], rows int) {
	d, f := n.hidden, n.ffn
	dy := n.masked(c.mask2)
	n.dac, n.dgateUp = grow(n.dac, rows*f), grow(n.dgateUp, rows*2*f)
	n.ar.gemm(true, false, d, f, rows, 1, dy, d, c.act, f, 1, grad.down, f)
	n.ar.gemm(false, false, rows, f, d, 1, dy, d, w.down, f, 0, n.dac, f)
	for t := range rows {
		da, sig := n.dac[t*f:(t+1)*f], c.sig[t*f:(t+1)*f]
		gate, up := c.gateUp[t*2*f:][:f], c.gateUp[t*2*f+f:][:f]
		dg, du := n.dgateUp[t*2*f:][:f], n.dgateUp[t*2*f+f:][:f]
		for i, s := range sig {
			g := gate[i]
			du[i] = da[i] * g * s
			dg[i] = da[i] * up[i] * s * (1 + g*(1-s))
		}
	}
	n.ar.gemm(true, false, 2*f, d, rows, 1, n.dgateUp, 2*f, c.normed2, d, 1, grad.gateUp, d)
	n.ar.gemm(false, false, rows, d, 2*f, 1, n.dgateUp, 2*f, w.gateUp, d, 0, n.dn, d)
	n.normaliseBackward(n.dh, n.dn, c.mid, c.inv2, w.mlpNorm, grad.mlpNorm)
}

// attentionBackward: n.dh is the gradient of c.mid on entry and of c.in on
// return.
func (n *network[T]) attentionBackward(b *sequences, c *layerCache[T], w, grad *layerWeights[T], rows int) {
	d, width, q := n.hidden, n.qkvWidth(), n.qWidth()
	dy := n.masked(c.mask)
	n.dctx, n.dqkv = grow(n.dctx, rows*q), grow(n.dqkv, rows*width)
	clear(n.dqkv)
	n.ar.gemm(true, false, d, q, rows, 1, dy, d, c.ctx, q, 1, grad.o, q)
	n.ar.gemm(false, false, rows, q, d, 1, dy, d, w.o, q, 0, n.dctx, q)
	prob := c.prob
	for i := range b.labels {
		lo, hi := b.start[i], b.start[i+1]
		prob = n.attendBackward(c, lo, hi, prob)
		for t := lo; t < hi; t++ {
			n.rotate(n.dqkv[t*width:t*width+q+n.kvWidth()], t-lo, -1)
		}
	}
	n.ar.gemm(true, false, width, d, rows, 1, n.dqkv, width, c.normed, d, 1, grad.qkv, d)
	n.ar.gemm(false, false, rows, d, width, 1, n.dqkv, width, w.qkv, d, 0, n.dn, d)
	n.normaliseBackward(n.dh, n.dn, c.in, c.inv, w.attnNorm, grad.attnNorm)
}

// masked returns n.dh through a branch's dropout mask.
func (n *network[T]) masked(mask []T) []T {
	if len(mask) == 0 {
		return n.dh
	}
	n.branch = grow(n.branch, len(n.dh))
	for i, m := range mask {
		n.branch[i] = n.dh[i] * m
	}
	return n.branch
}
