package compress

import (
	"math"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// network runs a model layer by layer over many sequences at once, so that
// calibration can look at, repair or leave out a block before going on. The
// engine runs the same graph token by token with a cache; a test holds the two
// together.
type network struct {
	cfg     model.Config
	model   *model.Model
	pool    *kernels.Pool
	eps     float32
	layers  []*netLayer
	classer *linear
	rope    ropeTable
}

type netLayer struct {
	heads, kvHeads, ffn  int
	attnNorm, mlpNorm    []float32
	q, k, v, o           *linear
	gate, up, down       *linear
	attnParams, mlpParam int64
}

// site is where calibration sees activations: the inputs of a layer's matrices.
type site int

const (
	siteQKV site = iota
	siteO
	siteGateUp
	siteDown
	sites
)

func newNetwork(m *model.Model, pool *kernels.Pool) *network {
	n := &network{
		cfg: m.Config, model: m, pool: pool, eps: float32(m.Config.RMSNormEps),
		layers: make([]*netLayer, len(m.Layers)), classer: pack(m.Classifier),
		rope: ropeTable{theta: m.Config.RopeTheta, dim: m.Config.HeadDim},
	}
	for i := range m.Layers {
		n.layers[i] = packLayer(&m.Layers[i])
	}
	return n
}

func packLayer(l *model.Layer) *netLayer {
	n := &netLayer{
		heads: l.Heads, kvHeads: l.KVHeads, ffn: l.FFN, attnNorm: l.AttnNorm, mlpNorm: l.MLPNorm,
		q: pack(l.Q), k: pack(l.K), v: pack(l.V), o: pack(l.O),
		gate: pack(l.Gate), up: pack(l.Up), down: pack(l.Down),
	}
	n.attnParams = params(l.Q, l.K, l.V, l.O)
	n.mlpParam = params(l.Gate, l.Up, l.Down)
	return n
}

func params(ms ...*model.Matrix) int64 {
	var n int64
	for _, m := range ms {
		if m != nil {
			n += m.Params()
		}
	}
	return n
}

// batch is the residual stream of several sequences, one row a token, without
// padding. Sequence i has the rows off[i] to off[i+1].
type batch struct {
	off []int
	h   []float32 // off[len]×hidden
	d   int
}

func (b *batch) size() int { return len(b.off) - 1 }
func (b *batch) rows() int { return b.off[len(b.off)-1] }

func (b *batch) clone() *batch {
	return &batch{off: b.off, h: append([]float32(nil), b.h...), d: b.d}
}

// subset copies the sequences ids.
func (b *batch) subset(ids []int) *batch {
	s := &batch{off: make([]int, 1, len(ids)+1), d: b.d}
	for _, i := range ids {
		s.h = append(s.h, b.h[b.off[i]*b.d:b.off[i+1]*b.d]...)
		s.off = append(s.off, len(s.h)/b.d)
	}
	return s
}

// put writes a subset back.
func (b *batch) put(ids []int, s *batch) {
	for k, i := range ids {
		copy(b.h[b.off[i]*b.d:b.off[i+1]*b.d], s.h[s.off[k]*b.d:])
	}
}

// start embeds sequences of valid tokens.
func (n *network) start(seqs [][]int32) *batch {
	b := &batch{off: make([]int, 1, len(seqs)+1), d: n.cfg.HiddenSize}
	total := 0
	for _, s := range seqs {
		total += len(s)
		b.off = append(b.off, total)
	}
	b.h = make([]float32, total*b.d)
	row := 0
	for _, s := range seqs {
		for _, t := range s {
			n.model.Embed.Row(b.h[row*b.d:(row+1)*b.d], int(t))
			row++
		}
	}
	return b
}

// norm returns RMSNorm of every row.
func (n *network) norm(h, gain []float32) []float32 {
	x := make([]float32, len(h))
	d := len(gain)
	for i := 0; i < len(h); i += d {
		kernels.RMSNorm(x[i:i+d], h[i:i+d], gain, n.eps)
	}
	return x
}

// mixed returns the input of the output projection (rows×heads·dim) for normed
// x: causal attention within each sequence.
func (n *network) mixed(l *netLayer, x []float32, off []int) []float32 {
	rows, dim := off[len(off)-1], n.cfg.HeadDim
	q, k, v := l.q.apply(n.pool, x, rows), l.k.apply(n.pool, x, rows), l.v.apply(n.pool, x, rows)
	longest := 0
	for i := range len(off) - 1 {
		longest = max(longest, off[i+1]-off[i])
	}
	n.rope.grow(longest)
	qw, kw, share := l.heads*dim, l.kvHeads*dim, l.heads/l.kvHeads
	ctx := make([]float32, rows*qw)
	scale := float32(1 / math.Sqrt(float64(dim)))
	parallel(n.pool.Threads(), len(off)-1, func(s int) {
		first, last := off[s], off[s+1]
		score := make([]float32, last-first)
		for t := first; t < last; t++ {
			cos, sin := n.rope.at(t - first)
			kernels.RoPE(q[t*qw:(t+1)*qw], dim, cos, sin)
			kernels.RoPE(k[t*kw:(t+1)*kw], dim, cos, sin)
			for h := range l.heads {
				g := h / share * dim
				query := q[t*qw+h*dim : t*qw+(h+1)*dim]
				sc := score[:t-first+1]
				for j := range sc {
					at := (first+j)*kw + g
					sc[j] = scale * kernels.Dot(query, k[at:at+dim])
				}
				kernels.Softmax(sc)
				out := ctx[t*qw+h*dim : t*qw+(h+1)*dim]
				for j, p := range sc {
					at := (first+j)*kw + g
					kernels.Axpy(p, v[at:at+dim], out)
				}
			}
		}
	})
	return ctx
}

// hidden returns the input of the down projection (rows×ffn) for normed x.
func (n *network) hidden(l *netLayer, x []float32, rows int) []float32 {
	gate, up := l.gate.apply(n.pool, x, rows), l.up.apply(n.pool, x, rows)
	for i := range rows {
		kernels.SwiGLU(gate[i*l.ffn:(i+1)*l.ffn], gate[i*l.ffn:(i+1)*l.ffn], up[i*l.ffn:(i+1)*l.ffn])
	}
	return gate
}

// attend adds the attention block of layer l to the stream; see, if not nil,
// gets the inputs of its matrices.
func (n *network) attend(l *netLayer, b *batch, see func(site, []float32)) {
	if l.q == nil || b.size() == 0 {
		return
	}
	x := n.norm(b.h, l.attnNorm)
	ctx := n.mixed(l, x, b.off)
	if see != nil {
		see(siteQKV, x)
		see(siteO, ctx)
	}
	add(b.h, l.o.apply(n.pool, ctx, b.rows()))
}

// feed adds the MLP block of layer l to the stream.
func (n *network) feed(l *netLayer, b *batch, see func(site, []float32)) {
	if l.gate == nil || b.size() == 0 {
		return
	}
	x := n.norm(b.h, l.mlpNorm)
	act := n.hidden(l, x, b.rows())
	if see != nil {
		see(siteGateUp, x)
		see(siteDown, act)
	}
	add(b.h, l.down.apply(n.pool, act, b.rows()))
}

// finish runs the layers from first to the end.
func (n *network) finish(first int, b *batch) {
	for _, l := range n.layers[first:] {
		n.attend(l, b, nil)
		n.feed(l, b, nil)
	}
}

// lastNormed returns the final norm of each sequence's last token (size×d).
func (n *network) lastNormed(b *batch) []float32 {
	x := make([]float32, b.size()*b.d)
	for i := range b.size() {
		last := b.off[i+1] - 1
		kernels.RMSNorm(x[i*b.d:(i+1)*b.d], b.h[last*b.d:(last+1)*b.d], n.model.Norm, n.eps)
	}
	return x
}

// pooled returns the gates' features: the mean over a sequence's tokens of
// RMSNorm with the given gain (size×d).
func (n *network) pooled(b *batch, gain []float32) []float32 {
	f := make([]float32, b.size()*b.d)
	row := make([]float32, b.d)
	for i := range b.size() {
		inv := 1 / float32(b.off[i+1]-b.off[i])
		for t := b.off[i]; t < b.off[i+1]; t++ {
			kernels.RMSNorm(row, b.h[t*b.d:(t+1)*b.d], gain, n.eps)
			kernels.Axpy(inv, row, f[i*b.d:(i+1)*b.d])
		}
	}
	return f
}

// classify returns the class of each row of x (rows×d) under a classifier.
func classify(p *kernels.Pool, head *linear, bias, x []float32) []int {
	rows := len(x) / head.cols
	y := head.apply(p, x, rows)
	out := make([]int, rows)
	for i := range out {
		z := y[i*head.rows : (i+1)*head.rows]
		for c, v := range z {
			if bias != nil {
				z[c] = v + bias[c]
			}
			if z[c] > z[out[i]] {
				out[i] = c
			}
		}
	}
	return out
}

// answers classifies the finished stream.
func (n *network) answers(b *batch) []int {
	if b.size() == 0 {
		return nil
	}
	return classify(n.pool, n.classer, n.model.ClassifierBias, n.lastNormed(b))
}

func add(dst, v []float32) {
	for i, x := range v {
		dst[i] += x
	}
}

// ropeTable holds cosines and sines for the positions seen so far.
type ropeTable struct {
	theta    float64
	dim      int
	cos, sin [][]float32
}

func (r *ropeTable) grow(n int) {
	for p := len(r.cos); p < n; p++ {
		cos, sin := make([]float32, r.dim/2), make([]float32, r.dim/2)
		kernels.RopeTable(p, r.dim, r.theta, cos, sin)
		r.cos, r.sin = append(r.cos, cos), append(r.sin, sin)
	}
}

func (r *ropeTable) at(p int) (cos, sin []float32) { return r.cos[p], r.sin[p] }
