package train

import "math"

// attention writes c.mid = c.in + mask·o(attend(qkv(norm(c.in)))), causal
// within each sequence.
func (n *network[T]) attention(b *sequences, c *layerCache[T], w *layerWeights[T], rows, pairs int) {
	d, width, q := n.hidden, n.qkvWidth(), n.qWidth()
	c.inv, c.normed, c.qkv = grow(c.inv, rows), grow(c.normed, rows*d), grow(c.qkv, rows*width)
	c.prob, c.ctx, c.mid = grow(c.prob, pairs*n.heads), grow(c.ctx, rows*q), grow(c.mid, rows*d)
	n.normalise(c.normed, c.inv, c.in, w.attnNorm)
	n.ar.gemm(false, true, rows, width, d, 1, c.normed, d, w.qkv, d, 0, c.qkv, width)
	prob := c.prob
	for i := range b.labels {
		lo, hi := b.start[i], b.start[i+1]
		for t := lo; t < hi; t++ {
			n.rotate(c.qkv[t*width:t*width+q+n.kvWidth()], t-lo, 1)
		}
		prob = n.attend(c, lo, hi, prob)
	}
	n.ar.gemm(false, true, rows, d, q, 1, c.ctx, q, w.o, q, 0, n.branch, d)
	addMasked(c.mid, c.in, n.branch, c.mask)
}

// headViews returns where head h finds its query, key and value in a qkv row.
func (n *network[T]) headViews(h int) (q, k, v int) {
	kv := h / (n.heads / n.kvHeads) * n.headDim
	return h * n.headDim, n.qWidth() + kv, n.qWidth() + n.kvWidth() + kv
}

// attend runs all heads over the sequence of rows lo..hi, keeps its
// probabilities at the front of prob (heads × length²) and returns the rest.
func (n *network[T]) attend(c *layerCache[T], lo, hi int, prob []T) []T {
	length, width, hd := hi-lo, n.qkvWidth(), n.headDim
	scale := T(1 / math.Sqrt(float64(hd)))
	for h := range n.heads {
		qo, ko, vo := n.headViews(h)
		for i := range length {
			q := c.qkv[(lo+i)*width+qo:][:hd]
			p := prob[i*length:][:i+1]
			for j := range p {
				p[j] = scale * n.ar.dot(q, c.qkv[(lo+j)*width+ko:][:hd])
			}
			softmaxShort(p)
			out := c.ctx[(lo+i)*n.qWidth()+qo:][:hd]
			clear(out)
			for j, x := range p {
				n.ar.axpy(x, c.qkv[(lo+j)*width+vo:][:hd], out)
			}
		}
		prob = prob[length*length:]
	}
	return prob
}

func softmaxShort[T Float](x []T) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	var sum T
	for i, v := range x {
		x[i] = T(math.Exp(float64(v - top)))
		sum += x[i]
	}
	inv := 1 / sum
	for i := range x {
		x[i] *= inv
	}
}

// attendBackward adds the gradient of attend to n.dqkv, given n.dctx.
func (n *network[T]) attendBackward(c *layerCache[T], lo, hi int, prob []T) []T {
	length, width, hd := hi-lo, n.qkvWidth(), n.headDim
	scale := T(1 / math.Sqrt(float64(hd)))
	for h := range n.heads {
		qo, ko, vo := n.headViews(h)
		for i := range length {
			dctx := n.dctx[(lo+i)*n.qWidth()+qo:][:hd]
			p, ds := prob[i*length:][:i+1], n.row[:i+1]
			var mean T
			for j, x := range p {
				row := (lo + j) * width
				ds[j] = n.ar.dot(dctx, c.qkv[row+vo:][:hd])
				mean += x * ds[j]
				n.ar.axpy(x, dctx, n.dqkv[row+vo:][:hd])
			}
			q, dq := c.qkv[(lo+i)*width+qo:][:hd], n.dqkv[(lo+i)*width+qo:][:hd]
			for j, x := range p {
				row := (lo+j)*width + ko
				g := scale * x * (ds[j] - mean)
				n.ar.axpy(g, c.qkv[row:][:hd], dq)
				n.ar.axpy(g, q, n.dqkv[row:][:hd])
			}
		}
		prob = prob[length*length:]
	}
	return prob
}
