package train

import (
	"math"
	"math/rand/v2"
	"testing"
)

func toyBatch(s shape, seed uint64) *sequences {
	rng := rand.New(rand.NewPCG(seed, 3))
	b := &sequences{}
	b.reset()
	for i, length := range []int{5, 1, 9, 2} {
		for range length {
			b.tokens = append(b.tokens, int32(rng.IntN(s.vocab)))
			b.target = append(b.target, int32(rng.IntN(s.vocab)))
		}
		b.target[len(b.target)-1] = -1
		b.start = append(b.start, len(b.tokens))
		b.labels = append(b.labels, i%s.classes)
	}
	b.labels[1] = -1
	return b
}

// A wrong gradient trains to a worse model without any other sign.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	s := shape{layers: 2, hidden: 12, ffn: 10, heads: 4, kvHeads: 2, headDim: 6, vocab: 17, classes: 3, theta: 1e4, eps: 1e-5}
	for _, tc := range []struct {
		name  string
		lw    lossWeights
		rates dropRates
	}{
		{"class", lossWeights{class: 1, smoothing: .1, count: 3}, dropRates{}},
		{"language model", lossWeights{lm: 1, tokens: 13}, dropRates{}},
		{"prefixes", lossWeights{class: 1, smoothing: .1, count: 3, prefix: .5}, dropRates{}},
		{"joint with dropout", lossWeights{class: 1, lm: .4, smoothing: .2, count: 3, tokens: 13, prefix: .3}, dropRates{.3, .2, .3}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWeights[float64](s)
			w.initialise(s, 7)
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range w.flat { // larger than at the start, so that every path matters
				w.flat[i] += .3 * rng.NormFloat64()
			}
			n := newNetwork(s, w, true)
			b := toyBatch(s, 5)
			loss := func() float64 {
				st := newStream(9, 1, 1)
				l := n.step(b, tc.lw, tc.rates, &st)
				out := 0.0
				if tc.lw.class > 0 {
					out += tc.lw.class * l.class / float64(tc.lw.count)
				}
				if tc.lw.lm > 0 {
					out += tc.lw.lm * l.lm / float64(tc.lw.tokens)
				}
				return out
			}
			loss()
			got := append([]float64(nil), n.grad.flat...)
			for _, g := range s.segments() {
				var diff, size float64
				for range 24 {
					i := g.lo + rng.IntN(g.hi-g.lo)
					const eps = 1e-5
					old := w.flat[i]
					w.flat[i] = old + eps
					up := loss()
					w.flat[i] = old - eps
					down := loss()
					w.flat[i] = old
					want := (up - down) / (2 * eps)
					diff = max(diff, math.Abs(want-got[i]))
					size = max(size, math.Abs(want))
				}
				if diff > 1e-4*size+1e-9 {
					t.Errorf("%s: gradient off by %.3g of %.3g", g.name, diff, size)
				}
			}
		})
	}
}
