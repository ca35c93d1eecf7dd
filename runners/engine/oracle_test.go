package engine

import (
	"math"
	"math/rand/v2"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// shape describes a random model. Layers without Attention or MLP lack that
// block.
type shape struct {
	hidden, headDim, vocab, classes, positions int

	layers []model.LayerShape
	store  storage
	tied   bool
}

// storage turns random values into a stored matrix.
type storage func(rng *rand.Rand, v []float32, rows, cols int) *model.Matrix

func inF32(_ *rand.Rand, v []float32, rows, cols int) *model.Matrix {
	return &model.Matrix{Rows: rows, Cols: cols, F32: v}
}

func inBF16(_ *rand.Rand, v []float32, rows, cols int) *model.Matrix {
	m := &model.Matrix{Rows: rows, Cols: cols, BF16: make([]uint16, len(v))}
	for i, x := range v {
		m.BF16[i] = kernels.F32ToBF16(x)
	}
	return m
}

// inBits rounds to nearest on a symmetric grid of that many bits.
func inBits(bits, group int) storage {
	return func(_ *rand.Rand, v []float32, rows, cols int) *model.Matrix {
		m := &model.Matrix{Rows: rows, Cols: cols, Q: make([]int8, len(v)), Bits: bits, Group: group}
		limit := float32(int(1)<<(bits-1) - 1)
		for i := range rows {
			for lo := 0; lo < cols; lo += group {
				part := v[i*cols+lo : i*cols+min(lo+group, cols)]
				var top float32
				for _, x := range part {
					top = max(top, max(x, -x))
				}
				s := kernels.F32ToF16(top / limit)
				m.Scale = append(m.Scale, s)
				for j, x := range part {
					q := math.Round(float64(x / kernels.F16ToF32(s)))
					m.Q[i*cols+lo+j] = int8(max(-float64(limit), min(float64(limit), q)))
				}
			}
		}
		return m
	}
}

// inFactors makes the product of two factors in another storage; only the scale
// of v is used.
func inFactors(of storage) storage { return factors(of, of, 1) }

// factors is inFactors with each factor in a storage of its own and so many ranks, one
// matrix after the other.
func factors(a, b storage, ranks int) storage {
	count := 0
	return func(rng *rand.Rand, _ []float32, rows, cols int) *model.Matrix {
		r := max(1, rows*cols/(2*(rows+cols))) + count%ranks
		count++
		std := math.Pow(float64(cols*r), -0.25)
		left, right := normal(rng, rows*r, std), normal(rng, r*cols, std)
		return &model.Matrix{Rows: rows, Cols: cols, B: b(rng, left, rows, r), A: a(rng, right, r, cols)}
	}
}

func normal(rng *rand.Rand, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64() * scale)
	}
	return v
}

// random makes a model of that shape.
func random(s shape, seed uint64) *model.Model {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := func(rows, cols int) *model.Matrix {
		return s.store(rng, normal(rng, rows*cols, 1/math.Sqrt(float64(cols))), rows, cols)
	}
	gain := func() []float32 {
		g := normal(rng, s.hidden, 0.2)
		for i := range g {
			g[i]++
		}
		return g
	}
	m := &model.Model{Config: model.Config{
		ModelType: model.ModelType, HiddenSize: s.hidden, NumLayers: len(s.layers), HeadDim: s.headDim,
		IntermediateSize: 1, NumHeads: 1, NumKVHeads: 1, VocabSize: s.vocab, MaxPositions: s.positions,
		RopeTheta: 10000, RMSNormEps: 1e-5, TieWordEmbeddings: s.tied, BOS: 1, EOS: 2,
	}}
	m.Embed = w(s.vocab, s.hidden)
	if !s.tied {
		m.Head = w(s.vocab, s.hidden)
	}
	for _, ls := range s.layers {
		l := model.Layer{Heads: ls.Heads, KVHeads: ls.KVHeads, FFN: ls.FFN}
		if ls.Attention {
			l.AttnNorm = gain()
			l.Q, l.O = w(ls.Heads*s.headDim, s.hidden), w(s.hidden, ls.Heads*s.headDim)
			l.K, l.V = w(ls.KVHeads*s.headDim, s.hidden), w(ls.KVHeads*s.headDim, s.hidden)
		}
		if ls.MLP {
			l.MLPNorm = gain()
			l.Gate, l.Up, l.Down = w(ls.FFN, s.hidden), w(ls.FFN, s.hidden), w(s.hidden, ls.FFN)
		}
		m.Layers = append(m.Layers, l)
	}
	m.Norm = gain()
	if s.classes > 0 {
		m.Config.Labels = make([]string, s.classes)
		for i := range m.Config.Labels {
			m.Config.Labels[i] = string(rune('a' + i))
		}
		m.Classifier, m.ClassifierBias = w(s.classes, s.hidden), normal(rng, s.classes, 1)
	}
	return m
}

// uniform is n equal layers of 4 heads on 2 key/value heads.
func uniform(n, ffn int) []model.LayerShape {
	layers := make([]model.LayerShape, n)
	for i := range layers {
		layers[i] = model.LayerShape{Heads: 4, KVHeads: 2, FFN: ffn, Attention: true, MLP: true}
	}
	return layers
}

// regular is a small model with a classifier in that storage.
func regular(of storage) shape {
	return shape{hidden: 64, headDim: 16, vocab: 50, classes: 7, positions: 64, layers: uniform(4, 96), store: of}
}

// withGates adds an attention gate to every layer but the first and exits
// behind layers 1 and 2, centred so that about half of the sequences skip.
func withGates(m *model.Model, seed uint64) *model.Model {
	rng := rand.New(rand.NewPCG(seed, 2))
	out := m.Clone()
	d := m.Config.HiddenSize
	for l := range m.Layers {
		if l > 0 && m.Layers[l].HasAttention() {
			out.Gates = append(out.Gates, model.Gate{Layer: l, Kind: model.GateAttention, Weight: normal(rng, d, 1)})
		}
		if l == 1 || l == 2 {
			g := model.Gate{Layer: l, Kind: model.GateExit, Weight: normal(rng, d, 1), Bias: 1}
			if c := m.Classifier; c != nil {
				g.Exit, g.ExitBias = inF32(nil, normal(rng, c.Rows*d, 0.2), c.Rows, d), normal(rng, c.Rows, 1)
			}
			out.Gates = append(out.Gates, g)
		}
	}
	return out
}

// tokens draws sequences of the given lengths.
func tokens(vocab int, seed uint64, lengths ...int) [][]int32 {
	rng := rand.New(rand.NewPCG(seed, 3))
	out := make([][]int32, len(lengths))
	for i, n := range lengths {
		for range n {
			out[i] = append(out[i], int32(rng.IntN(vocab)))
		}
	}
	return out
}

// oracle computes the hidden states behind the final norm in float64, straight
// from the definition, and keeps nothing from token to token.
type oracle struct {
	m    *model.Model
	skip []bool // attention blocks left out
	ffn  []bool // FFN blocks left out, nil = none
	last int    // the last layer
}

// unrouted runs all of m.
func unrouted(m *model.Model) oracle {
	return oracle{m: m, skip: make([]bool, len(m.Layers)), last: len(m.Layers) - 1}
}

func times(w *model.Matrix, x []float64) []float64 {
	v, y := w.Dense(), make([]float64, w.Rows)
	for i := range y {
		for j, xj := range x {
			y[i] += float64(v[i*w.Cols+j]) * xj
		}
	}
	return y
}

func plus(a, b []float64) {
	for i, v := range b {
		a[i] += v
	}
}

func (o oracle) norm(x []float64, gain []float32) []float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	inv := 1 / math.Sqrt(sum/float64(len(x))+o.m.Config.RMSNormEps)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v * inv * float64(gain[i])
	}
	return y
}

func (o oracle) rotate(x []float64, pos int) {
	d := o.m.Config.HeadDim
	for i := 0; i < len(x); i += 2 {
		angle := float64(pos) * math.Pow(o.m.Config.RopeTheta, -float64(i%d)/float64(d))
		c, s := math.Cos(angle), math.Sin(angle)
		x[i], x[i+1] = x[i]*c-x[i+1]*s, x[i]*s+x[i+1]*c
	}
}

// hidden returns the normed final hidden state of every token.
func (o oracle) hidden(ids []int32) [][]float64 {
	embed, d := o.m.Embed.Dense(), o.m.Config.HiddenSize
	h := make([][]float64, len(ids))
	for t, id := range ids {
		for _, v := range embed[int(id)*d:][:d] {
			h[t] = append(h[t], float64(v))
		}
	}
	for i := 0; i <= o.last; i++ {
		l := &o.m.Layers[i]
		if l.HasAttention() && !o.skip[i] {
			o.attend(l, h)
		}
		if !l.HasMLP() || o.ffn != nil && o.ffn[i] {
			continue
		}
		for t := range h {
			x := o.norm(h[t], l.MLPNorm)
			g, u := times(l.Gate, x), times(l.Up, x)
			for j, v := range g {
				u[j] *= v / (1 + math.Exp(-v))
			}
			plus(h[t], times(l.Down, u))
		}
	}
	for t := range h {
		h[t] = o.norm(h[t], o.m.Norm)
	}
	return h
}

func (o oracle) attend(l *model.Layer, h [][]float64) {
	dim := o.m.Config.HeadDim
	q, k, v := make([][]float64, len(h)), make([][]float64, len(h)), make([][]float64, len(h))
	for t := range h {
		x := o.norm(h[t], l.AttnNorm)
		q[t], k[t], v[t] = times(l.Q, x), times(l.K, x), times(l.V, x)
		o.rotate(q[t], t)
		o.rotate(k[t], t)
	}
	for t := range h {
		ctx := make([]float64, l.Heads*dim)
		for head := range l.Heads {
			at, shared := head*dim, head/(l.Heads/l.KVHeads)*dim
			weight, sum := make([]float64, t+1), 0.0
			for j := range weight {
				var dot float64
				for c := range dim {
					dot += q[t][at+c] * k[j][shared+c]
				}
				weight[j] = math.Exp(dot / math.Sqrt(float64(dim)))
				sum += weight[j]
			}
			for j, p := range weight {
				for c := range dim {
					ctx[at+c] += p / sum * v[j][shared+c]
				}
			}
		}
		plus(h[t], times(l.O, ctx))
	}
}

// vocabulary returns logits after every token, [tokens*vocab].
func (o oracle) vocabulary(ids []int32) []float32 {
	head := o.m.Head
	if head == nil {
		head = o.m.Embed
	}
	var out []float32
	for _, x := range o.hidden(ids) {
		for _, v := range times(head, x) {
			out = append(out, float32(v))
		}
	}
	return out
}

// classes returns the class logits of a head read from the last token.
func (o oracle) classes(ids []int32, head *model.Matrix, bias []float32) []float32 {
	h := o.hidden(ids)
	var out []float32
	for i, v := range times(head, h[len(h)-1]) {
		out = append(out, float32(v)+bias[i])
	}
	return out
}
