package model

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// shapes are the shapes that Random makes.
var shapes = map[string]Config{
	// The public ERNIE-4.5-0.3B.
	"ernie-0.3b": {
		HiddenSize: 1024, IntermediateSize: 3072, NumLayers: 18, NumHeads: 16, NumKVHeads: 2, HeadDim: 128,
		VocabSize: 103424, MaxPositions: 131072, RopeTheta: 500000,
	},
	// A third of it, with a vocabulary of common size.
	"ernie-0.1b": {
		HiddenSize: 768, IntermediateSize: 2048, NumLayers: 12, NumHeads: 12, NumKVHeads: 2, HeadDim: 64,
		VocabSize: 32000, MaxPositions: 32768, RopeTheta: 500000,
	},
	// Enough for a test of every part.
	"nano": {
		HiddenSize: 256, IntermediateSize: 768, NumLayers: 4, NumHeads: 4, NumKVHeads: 2, HeadDim: 64,
		VocabSize: 1024, MaxPositions: 4096, RopeTheta: 500000,
	},
}

// Shapes lists the shapes that Random makes.
func Shapes() []string { return slices.Sorted(maps.Keys(shapes)) }

// Random is a model of the given shape with random weights, for measurements
// of speed. The same shape and seed give the same weights. They are computed
// whenever rows are read (Matrix.Stored), so the model takes next to no memory;
// write it with WriteGGUF to run it often.
//
// Values are normal with the deviation 1/√inputs, which keeps the scale of what
// passes through; the two matrices that add to the residual stream are smaller
// by √(2·layers), as in GPT-2, and logits have a deviation of about 1.
func Random(shape string, seed uint64) (*Model, error) {
	c, ok := shapes[shape]
	if !ok {
		return nil, fmt.Errorf("shape %q is not one of %s", shape, strings.Join(Shapes(), ", "))
	}
	c.ModelType, c.RMSNormEps, c.TieWordEmbeddings, c.BOS, c.EOS, c.PAD = ModelType, 1e-5, true, 1, 2, 0
	m := &Model{Config: c, Meta: map[string]string{"name": fmt.Sprintf("%s random %d", shape, seed)}}
	for range c.NumLayers {
		m.Layers = append(m.Layers, Layer{Heads: c.NumHeads, KVHeads: c.NumKVHeads, FFN: c.IntermediateSize, Q: &Matrix{}, Gate: &Matrix{}})
	}
	back := 1 / math.Sqrt(2*float64(c.NumLayers))
	for _, s := range m.matrixSlots() {
		if s.optional {
			continue
		}
		deviation := 1 / math.Sqrt(float64(s.cols))
		if strings.HasSuffix(s.name, "o_proj.weight") || strings.HasSuffix(s.name, "down_proj.weight") {
			deviation *= back
		}
		h := fnv.New64a()
		h.Write([]byte(s.name))
		*s.at = storedMatrix(s.rows, s.cols, randomRows{seed, h.Sum64(), s.rows, s.cols, deviation})
	}
	for _, s := range m.vectorSlots() {
		if !s.optional {
			*s.at = slices.Repeat([]float32{1}, s.n)
		}
	}
	return m, nil
}

// randomRows computes rows of normal values; each row has a generator of its
// own, so that rows can be asked for in any order.
type randomRows struct {
	seed, matrix uint64
	rows, cols   int
	deviation    float64
}

func (randomRows) format() Format { return Format{} }

// bytes is what the matrix would take in float32.
func (r randomRows) bytes() int64 { return 4 * int64(r.rows) * int64(r.cols) }

func (r randomRows) floats(from, n int, dst []float32) error {
	for i := range n {
		rng := rand.New(rand.NewPCG(r.seed, r.matrix+uint64(from+i)))
		row := dst[i*r.cols:][:r.cols]
		for j := range row {
			row[j] = float32(rng.NormFloat64() * r.deviation)
		}
	}
	return nil
}
