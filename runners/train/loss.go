package train

import "math"

// lossWeights says how a step's objective is put together. Counts are those of
// the whole batch, so that shards add up to the batch's mean.
type lossWeights struct {
	class, lm float64 // weight of each loss, 0 = not computed
	smoothing float64 // label smoothing of the class loss
	count     int     // labelled sequences in the batch
	prefix    float64 // weight of the class loss of prefixes beside that of the whole
	tokens    int     // language-model targets in the batch
}

// losses are a shard's sums, not yet divided by a count.
type losses struct {
	class, lm float64
	right     int
}

// step runs forward and backward over b and leaves the gradient in n.grad.
func (n *network[T]) step(b *sequences, lw lossWeights, rates dropRates, s *stream) losses {
	clear(n.grad.flat)
	b.readPrefixes(lw.prefix)
	n.forward(b, rates, s)
	rows, d := len(b.tokens), n.hidden
	n.dn = grow(n.dn, rows*d)
	clear(n.dn)
	var out losses
	if lw.lm > 0 {
		out.lm = n.lmLoss(b, lw)
	}
	if lw.class > 0 {
		out.class, out.right = n.classLoss(b, lw)
	}
	n.backward(b)
	return out
}

// classLoss is the smoothed cross entropy of the class logits; it adds to n.dn
// and to the head's gradient.
func (n *network[T]) classLoss(b *sequences, lw lossWeights) (loss float64, right int) {
	count, c, d := len(b.reads), n.classes, n.hidden
	logits := n.classify(count)
	even := lw.smoothing / float64(c)
	for i, read := range b.reads {
		z, label := logits[i*c:(i+1)*c], read.label
		scale := read.weight * lw.class / float64(lw.count)
		if label < 0 {
			clear(z)
			continue
		}
		top, best := math.Inf(-1), 0
		for j, v := range z {
			if float64(v) > top {
				top, best = float64(v), j
			}
		}
		if read.last && best == label {
			right++
		}
		var sum, linear float64
		for _, v := range z {
			sum += math.Exp(float64(v) - top)
			linear += float64(v)
		}
		log := top + math.Log(sum)
		loss += read.weight * (log - (1-lw.smoothing)*float64(z[label]) - even*linear)
		for j, v := range z {
			g := math.Exp(float64(v)-log) - even
			if j == label {
				g -= 1 - lw.smoothing
			}
			z[j] = T(g * scale)
			n.grad.bias[j] += z[j]
		}
	}
	n.ar.gemm(true, false, c, d, count, 1, logits, c, n.last, d, 1, n.grad.classifier, d)
	n.dlast = grow(n.dlast, count*d)
	n.ar.gemm(false, false, count, d, c, 1, logits, c, n.w.classifier, d, 0, n.dlast, d)
	if len(n.lastMask) > 0 {
		multiply(n.dlast, n.lastMask)
	}
	for i, read := range b.reads {
		n.ar.axpy(1, n.dlast[i*d:(i+1)*d], n.dn[read.row*d:(read.row+1)*d])
	}
	return loss, right
}

// lmLoss is the cross entropy of the next token through the tied head; it adds
// to n.dn and to the embedding's gradient.
func (n *network[T]) lmLoss(b *sequences, lw lossWeights) float64 {
	d, v := n.hidden, n.vocab
	logits := n.lmForward(len(b.tokens))
	scale := T(lw.lm / float64(max(1, lw.tokens)))
	var loss float64
	for t, want := range b.target {
		z := logits[t*v : (t+1)*v]
		if want < 0 {
			clear(z)
			continue
		}
		n.ar.softmax(z)
		loss -= math.Log(max(float64(z[want]), 1e-30))
		z[want]--
		for i := range z {
			z[i] *= scale
		}
	}
	rows := len(b.tokens)
	n.ar.gemm(true, false, v, d, rows, 1, logits, v, n.normed, d, 1, n.grad.embed, d)
	n.ar.gemm(false, false, rows, d, v, 1, logits, v, n.w.embed, d, 1, n.dn, d)
	return loss
}

// lmForward writes the language-model logits of all rows.
func (n *network[T]) lmForward(rows int) []T {
	n.lmLogits = grow(n.lmLogits, rows*n.vocab)
	n.ar.gemm(false, true, rows, n.vocab, n.hidden, 1, n.normed, n.hidden, n.w.embed, n.hidden, 0, n.lmLogits, n.vocab)
	return n.lmLogits
}

// perplexityLoss sums the negative log-likelihood of the targets of b after a
// forward pass, and counts them.
func (n *network[T]) perplexityLoss(b *sequences) (nll float64, count int) {
	logits := n.lmForward(len(b.tokens))
	for t, want := range b.target {
		if want < 0 {
			continue
		}
		z := logits[t*n.vocab : (t+1)*n.vocab]
		n.ar.softmax(z)
		nll -= math.Log(max(float64(z[want]), 1e-30))
		count++
	}
	return nll, count
}
