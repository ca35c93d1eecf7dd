package train

import "math"

// sequences is the input of one shard: the tokens of all its sequences one
// after the other, without padding.
type sequences struct {
	tokens []int32 // input, after augmentation
	target []int32 // next token at each position, −1 = no language-model loss
	start  []int   // sequence i is tokens[start[i]:start[i+1]]
	labels []int   // class of each sequence, −1 = none
	reads  []read  // where the class is read, set by readLast or readPrefixes
}

// read is one position whose class logits are computed.
type read struct {
	row    int
	label  int     // −1 = none
	weight float64 // of its loss
	last   bool    // the position that counts at run time
}

// readLast reads the class of every sequence from its last token, in order.
func (b *sequences) readLast() {
	b.reads = b.reads[:0]
	for i, label := range b.labels {
		b.reads = append(b.reads, read{b.start[i+1] - 1, label, 1, true})
	}
}

// readPrefixes reads, beside the last token, every position in the second half
// of a sequence: a text cut off there has the same class. Their losses weigh
// share of the last's in all.
func (b *sequences) readPrefixes(share float64) {
	b.readLast()
	if share == 0 {
		return
	}
	for i, label := range b.labels {
		lo, hi := b.start[i], b.start[i+1]-1
		from := max(lo+1, (lo+hi+1)/2)
		for row := from; row < hi; row++ {
			b.reads = append(b.reads, read{row, label, share / float64(hi-from), false})
		}
	}
}

func (b *sequences) reset() {
	b.tokens, b.target, b.start, b.labels = b.tokens[:0], b.target[:0], append(b.start[:0], 0), b.labels[:0]
	b.reads = b.reads[:0]
}

// layerCache is what the backward pass needs of one layer's forward pass; n
// rows of the given width.
type layerCache[T Float] struct {
	in, normed   []T // hidden
	inv          []T // 1: reciprocal RMS
	qkv          []T // qkvWidth, q and k rotated
	prob         []T // heads × length² of each sequence
	ctx          []T // qWidth
	mask         []T // hidden, of the attention's output
	mid, normed2 []T // hidden
	inv2         []T // 1
	gateUp       []T // 2·ffn
	sig, act     []T // ffn
	mask2        []T // hidden, of the MLP's output
}

// network runs shards of one shape through one set of weights. It owns the
// activations and a gradient; several networks may share the weights.
type network[T Float] struct {
	shape
	ar     arithmetic[T]
	w      *weights[T]
	grad   *weights[T]
	layers []layerCache[T]
	cos    []T // position × headDim/2
	sin    []T

	out, normed  []T // n × hidden: last residual, final-normed
	inv          []T
	embedMask    []T
	last         []T // reads × hidden: final-normed rows the class is read from
	lastMask     []T
	logits       []T // reads × classes
	lmLogits     []T // n × vocab
	branch       []T // n × hidden scratch
	dh, dn       []T // n × hidden
	dqkv, dctx   []T
	dgateUp, dac []T
	dlast        []T
	row          []T // longest sequence
}

// dropRates are the probabilities of one training step; zero in evaluation.
type dropRates struct {
	residual float64 // embedding and both branches of each layer
	head     float64 // the classifier's input
	block    float64 // a whole attention block of one sequence
}

func newNetwork[T Float](s shape, w *weights[T], gradient bool) *network[T] {
	n := &network[T]{shape: s, ar: arithmeticOf[T](), w: w, layers: make([]layerCache[T], s.layers)}
	if gradient {
		n.grad = newWeights[T](s)
	}
	return n
}

// grow returns x with n values; the content is undefined.
func grow[T any](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n, n+n/4)
	}
	return x[:n]
}

// rope extends the tables to n positions.
func (n *network[T]) rope(positions int) {
	half := n.headDim / 2
	for pos := len(n.cos) / half; pos < positions; pos++ {
		for i := range half {
			a := float64(pos) * math.Pow(n.theta, -2*float64(i)/float64(n.headDim))
			n.cos, n.sin = append(n.cos, T(math.Cos(a))), append(n.sin, T(math.Sin(a)))
		}
	}
}

// rotate turns the interleaved pairs of every head in row; dir −1 undoes it.
func (n *network[T]) rotate(row []T, pos int, dir T) {
	half := n.headDim / 2
	cos, sin := n.cos[pos*half:(pos+1)*half], n.sin[pos*half:(pos+1)*half]
	for ; len(row) >= n.headDim; row = row[n.headDim:] {
		for i, c := range cos {
			s := dir * sin[i]
			a, b := row[2*i], row[2*i+1]
			row[2*i], row[2*i+1] = a*c-b*s, a*s+b*c
		}
	}
}

// normalise writes dst = x·inv·gain for every row and keeps inv.
func (n *network[T]) normalise(dst, inv, x, gain []T) {
	d := n.hidden
	for t := range inv {
		in, out := x[t*d:(t+1)*d], dst[t*d:(t+1)*d]
		r := T(1 / math.Sqrt(float64(n.ar.dot(in, in))/float64(d)+n.eps))
		inv[t] = r
		for i, g := range gain {
			out[i] = in[i] * r * g
		}
	}
}

// forward runs b up to the final norm of every position. With rates it draws
// the dropout masks from s.
func (n *network[T]) forward(b *sequences, rates dropRates, s *stream) {
	rows, d := len(b.tokens), n.hidden
	longest, pairs := 0, 0
	for i := range b.labels {
		l := b.start[i+1] - b.start[i]
		longest, pairs = max(longest, l), pairs+l*l
	}
	n.rope(longest)
	n.row = grow(n.row, longest)
	n.branch = grow(n.branch, rows*d)
	drop := rates.residual > 0 || rates.block > 0

	h := grow(n.layers[0].in, rows*d)
	n.layers[0].in = h
	for t, id := range b.tokens {
		copy(h[t*d:(t+1)*d], n.w.embed[int(id)*d:])
	}
	n.embedMask = n.embedMask[:0]
	if rates.residual > 0 {
		n.embedMask = grow(n.embedMask, rows*d)
		dropoutMask(s, n.embedMask, rates.residual)
		multiply(h, n.embedMask)
	}
	for l := range n.layers {
		c, w := &n.layers[l], &n.w.layers[l]
		c.mask, c.mask2 = c.mask[:0], c.mask2[:0]
		if drop {
			c.mask, c.mask2 = grow(c.mask, rows*d), grow(c.mask2, rows*d)
			dropoutMask(s, c.mask, rates.residual)
			n.dropBlocks(b, c.mask, rates.block, s)
			dropoutMask(s, c.mask2, rates.residual)
		}
		n.attention(b, c, w, rows, pairs)
		next := &n.out
		if l+1 < len(n.layers) {
			next = &n.layers[l+1].in
		}
		*next = grow(*next, rows*d)
		n.mlp(c, w, rows, *next)
	}
	n.inv, n.normed = grow(n.inv, rows), grow(n.normed, rows*d)
	n.normalise(n.normed, n.inv, n.out, n.w.norm)
	n.gather(b, rates.head, s)
}

// dropBlocks drops the attention branch of whole sequences (stochastic depth),
// which makes the network bear the skipping of that block.
func (n *network[T]) dropBlocks(b *sequences, mask []T, p float64, s *stream) {
	if p == 0 {
		return
	}
	for i := range b.labels {
		m := mask[b.start[i]*n.hidden : b.start[i+1]*n.hidden]
		scale := T(1 / (1 - p))
		if s.float() < p {
			scale = 0
		}
		for j := range m {
			m[j] *= scale
		}
	}
}

// mlp writes next = mid + mask·down(swiglu(gate, up)).
func (n *network[T]) mlp(c *layerCache[T], w *layerWeights[T], rows int, next []T) {
	d, f := n.hidden, n.ffn
	c.inv2, c.normed2 = grow(c.inv2, rows), grow(c.normed2, rows*d)
	c.gateUp, c.sig, c.act = grow(c.gateUp, rows*2*f), grow(c.sig, rows*f), grow(c.act, rows*f)
	n.normalise(c.normed2, c.inv2, c.mid, w.mlpNorm)
	n.ar.gemm(false, true, rows, 2*f, d, 1, c.normed2, d, w.gateUp, d, 0, c.gateUp, 2*f)
	for t := range rows {
		g, u := c.gateUp[t*2*f:t*2*f+f], c.gateUp[t*2*f+f:(t+1)*2*f]
		n.ar.swiglu(c.act[t*f:(t+1)*f], c.sig[t*f:(t+1)*f], g, u)
	}
	n.ar.gemm(false, true, rows, d, f, 1, c.act, f, w.down, f, 0, n.branch, d)
	addMasked(next, c.mid, n.branch, c.mask2)
}

// gather copies the final-normed rows that the class is read from.
func (n *network[T]) gather(b *sequences, p float64, s *stream) {
	d := n.hidden
	n.last, n.lastMask = grow(n.last, len(b.reads)*d), n.lastMask[:0]
	for i, r := range b.reads {
		copy(n.last[i*d:(i+1)*d], n.normed[r.row*d:(r.row+1)*d])
	}
	if p > 0 {
		n.lastMask = grow(n.lastMask, len(n.last))
		dropoutMask(s, n.lastMask, p)
		multiply(n.last, n.lastMask)
	}
}

// classify writes the class logits of every read of the last forward.
func (n *network[T]) classify(count int) []T {
	n.logits = grow(n.logits, count*n.classes)
	for i := range count {
		copy(n.logits[i*n.classes:(i+1)*n.classes], n.w.bias)
	}
	n.ar.gemm(false, true, count, n.classes, n.hidden, 1, n.last, n.hidden, n.w.classifier, n.hidden, 1, n.logits, n.classes)
	return n.logits
}

func multiply[T Float](x, m []T) {
	m = m[:len(x)]
	for i := range x {
		x[i] *= m[i]
	}
}

// addMasked writes dst = x + y·mask; an empty mask is all ones.
func addMasked[T Float](dst, x, y, mask []T) {
	x, y = x[:len(dst)], y[:len(dst)]
	if len(mask) == 0 {
		for i := range dst {
			dst[i] = x[i] + y[i]
		}
		return
	}
	mask = mask[:len(dst)]
	for i := range dst {
		dst[i] = x[i] + y[i]*mask[i]
	}
}
