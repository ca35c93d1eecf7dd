package train

import (
	"math"
	"math/rand/v2"
)

// shape is the architecture of a network: all layers alike, head tied.
type shape struct {
	layers, hidden, ffn, heads, kvHeads, headDim, vocab, classes int
	theta, eps                                                   float64
}

func (s shape) qWidth() int   { return s.heads * s.headDim }
func (s shape) kvWidth() int  { return s.kvHeads * s.headDim }
func (s shape) qkvWidth() int { return s.qWidth() + 2*s.kvWidth() }

// layerWeights are views into the flat vector; matrices are out × in, row
// major, with q, k, v one below the other and gate above up.
type layerWeights[T Float] struct {
	attnNorm, qkv, o, mlpNorm, gateUp, down []T
}

// weights is one flat vector (parameters, a gradient or a moment) with a view
// for every tensor.
type weights[T Float] struct {
	flat       []T
	embed      []T // vocab × hidden, also the language-model head
	layers     []layerWeights[T]
	norm       []T
	classifier []T // classes × hidden
	bias       []T // classes
}

// segment says where a tensor lies in the flat vector and how it is treated.
type segment struct {
	name   string
	lo, hi int
	matrix bool    // stored in bf16
	decay  bool    // weight decay applies: block matrices and the classifier
	init   float64 // standard deviation, 0 = constant
	fill   float64 // the constant
}

// segments lists the tensors in flat order. Projections back into the residual
// stream start smaller by √(2·layers), as GPT-2 does.
func (s shape) segments() []segment {
	var out []segment
	at := 0
	add := func(name string, n int, decay bool, init, fill float64) {
		out = append(out, segment{name, at, at + n, init > 0, decay, init, fill})
		at += n
	}
	const std = .02
	back := std / math.Sqrt(2*float64(s.layers))
	add("embed", s.vocab*s.hidden, false, std, 0)
	for range s.layers {
		add("attnNorm", s.hidden, false, 0, 1)
		add("qkv", s.qkvWidth()*s.hidden, true, std, 0)
		add("o", s.hidden*s.qWidth(), true, back, 0)
		add("mlpNorm", s.hidden, false, 0, 1)
		add("gateUp", 2*s.ffn*s.hidden, true, std, 0)
		add("down", s.hidden*s.ffn, true, back, 0)
	}
	add("norm", s.hidden, false, 0, 1)
	add("classifier", s.classes*s.hidden, true, std, 0)
	add("bias", s.classes, false, 0, 0)
	return out
}

// parameters counts the values of the flat vector.
func (s shape) parameters() int {
	segs := s.segments()
	return segs[len(segs)-1].hi
}

// viewWeights cuts flat, of s.parameters() values, into tensors.
func viewWeights[T Float](s shape, flat []T) *weights[T] {
	segs := s.segments()
	next := func() []T {
		g := segs[0]
		segs = segs[1:]
		return flat[g.lo:g.hi:g.hi]
	}
	w := &weights[T]{flat: flat, embed: next()}
	for range s.layers {
		w.layers = append(w.layers, layerWeights[T]{next(), next(), next(), next(), next(), next()})
	}
	w.norm, w.classifier, w.bias = next(), next(), next()
	return w
}

func newWeights[T Float](s shape) *weights[T] {
	return viewWeights(s, make([]T, s.parameters()))
}

// initialise fills the weights from the seed.
func (w *weights[T]) initialise(s shape, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0x1717))
	for _, g := range s.segments() {
		for i := g.lo; i < g.hi; i++ {
			w.flat[i] = T(g.fill)
			if g.init > 0 {
				w.flat[i] = T(rng.NormFloat64() * g.init)
			}
		}
	}
}
