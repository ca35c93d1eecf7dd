package score

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Baseline is the floor that a model is printed beside: TF-IDF with sublinear
// term frequency and L2 norm, and softmax logistic regression on it. It sees
// which words occur, and pairs of neighbours, but no order beyond them.
type Baseline struct {
	index   map[string]int32
	idf     []float32
	classes int
	weight  []float32 // features × classes
	bias    []float32 // classes
}

// BaselineOptions are the training constants; the zero value is the floor of
// the reference figures: 15 epochs of AdaGrad, seed 1.
type BaselineOptions struct {
	Epochs int     // default 15
	Rate   float64 // default 0.25
	Seed   uint64  // default 1
}

// initialSquare starts AdaGrad's sums of squared gradients, so that the first
// step on a rare feature is not a full one. With the rate it is the setting that
// reproduces reference floors on four data sets.
const initialSquare = 0.1

// term is one feature of a text: its number and its TF-IDF weight.
type term struct {
	feature int32
	value   float32
}

// TrainBaseline fits the baseline to a train split of texts and class indices in
// [0, classes). It is deterministic: the same input gives the same weights.
func TrainBaseline(texts []string, labels []int, classes int, o BaselineOptions) (*Baseline, error) {
	if len(texts) == 0 || len(texts) != len(labels) {
		return nil, fmt.Errorf("training baseline: %d texts and %d labels", len(texts), len(labels))
	}
	if classes < 2 {
		return nil, errors.New("training baseline: fewer than two classes")
	}
	for i, l := range labels {
		if l < 0 || l >= classes {
			return nil, fmt.Errorf("training baseline: label %d of item %d is outside [0, %d)", l, i, classes)
		}
	}
	if o.Epochs <= 0 {
		o.Epochs = 15
	}
	if o.Rate <= 0 {
		o.Rate = 0.25
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	b := &Baseline{classes: classes}
	b.countTerms(texts)
	docs := make([][]term, len(texts))
	for i, t := range texts {
		docs[i] = b.vector(t)
	}
	b.fit(docs, labels, o)
	return b, nil
}

// countTerms numbers the features in order of appearance and sets the smoothed
// inverse document frequency ln((1+n)/(1+df)) + 1.
func (b *Baseline) countTerms(texts []string) {
	b.index = map[string]int32{}
	var df, last []int32
	for d, t := range texts {
		for _, f := range Features(t) {
			i, ok := b.index[f]
			if !ok {
				i = int32(len(df))
				b.index[f] = i
				df, last = append(df, 0), append(last, -1)
			}
			if last[i] != int32(d) {
				df[i]++
				last[i] = int32(d)
			}
		}
	}
	b.idf = make([]float32, len(df))
	for i, n := range df {
		b.idf[i] = float32(math.Log(float64(1+len(texts))/float64(1+n)) + 1)
	}
}

// vector returns a text's known features, sublinear tf × idf, of L2 norm 1.
func (b *Baseline) vector(text string) []term {
	var ids []int32
	for _, f := range Features(text) {
		if i, ok := b.index[f]; ok {
			ids = append(ids, i)
		}
	}
	slices.Sort(ids)
	var out []term
	var norm float64
	for i := 0; i < len(ids); {
		j := i
		for j < len(ids) && ids[j] == ids[i] {
			j++
		}
		v := (1 + math.Log(float64(j-i))) * float64(b.idf[ids[i]])
		norm += v * v
		out = append(out, term{ids[i], float32(v)})
		i = j
	}
	scale := float32(1 / math.Sqrt(norm))
	for i := range out {
		out[i].value *= scale
	}
	return out
}

// fit runs AdaGrad (Duchi et al. 2011), one document a step.
func (b *Baseline) fit(docs [][]term, labels []int, o BaselineOptions) {
	k := b.classes
	b.weight = make([]float32, len(b.idf)*k)
	b.bias = make([]float32, k)
	square := make([]float32, len(b.weight))
	biasSquare := make([]float32, k)
	p := make([]float32, k)
	for _, acc := range [][]float32{square, biasSquare} {
		for i := range acc {
			acc[i] = initialSquare
		}
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	order := make([]int, len(docs))
	for i := range order {
		order[i] = i
	}
	rate := float32(o.Rate)
	const epsilon = 1e-8
	for range o.Epochs {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, d := range order {
			b.probabilities(docs[d], p)
			p[labels[d]]--
			for _, t := range docs[d] {
				at := int(t.feature) * k
				w, s := b.weight[at:at+k], square[at:at+k]
				for c, g := range p {
					// Gradients this small move nothing that a prediction sees.
					if g *= t.value; g > 1e-7 || g < -1e-7 {
						s[c] += g * g
						w[c] -= rate * g / (float32(math.Sqrt(float64(s[c]))) + epsilon)
					}
				}
			}
			for c, g := range p {
				biasSquare[c] += g * g
				b.bias[c] -= rate * g / (float32(math.Sqrt(float64(biasSquare[c]))) + epsilon)
			}
		}
	}
}

func (b *Baseline) probabilities(doc []term, p []float32) {
	copy(p, b.bias)
	for _, t := range doc {
		at := int(t.feature) * b.classes
		for c, w := range b.weight[at : at+b.classes] {
			p[c] += w * t.value
		}
	}
	top := slices.Max(p)
	var sum float64
	for c, v := range p {
		e := math.Exp(float64(v - top))
		p[c] = float32(e)
		sum += e
	}
	for c := range p {
		p[c] /= float32(sum)
	}
}

// Predict returns the most probable class of each text.
func (b *Baseline) Predict(texts []string) []int {
	out := make([]int, len(texts))
	p := make([]float32, b.classes)
	for i, t := range texts {
		b.probabilities(b.vector(t), p)
		best := 0
		for c, v := range p {
			if v > p[best] {
				best = c
			}
		}
		out[i] = best
	}
	return out
}
