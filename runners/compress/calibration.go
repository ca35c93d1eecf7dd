package compress

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed-c6f48606/harness/runners/model"
)

// Calibration is data that a variant may learn from: token sequences as the
// engine will get them, from the train (or validation) split and never from
// the test split.
type Calibration struct {
	Tokens [][]int32
	// Labels are the classes of the sequences; nil takes the dense model's
	// answers for them.
	Labels []int
}

// check refuses sequences that the model cannot read.
func (c Calibration) check(m *model.Model) error {
	if c.Labels != nil && len(c.Labels) != len(c.Tokens) {
		return fmt.Errorf("calibration data: %d labels for %d sequences", len(c.Labels), len(c.Tokens))
	}
	for i, s := range c.Tokens {
		for _, t := range s {
			if t < 0 || int(t) >= m.Embed.Rows {
				return fmt.Errorf("calibration data: sequence %d: token %d is outside the model's vocabulary of %d", i, t, m.Embed.Rows)
			}
		}
	}
	for i, l := range c.Labels {
		if m.Classifier != nil && (l < 0 || l >= m.Classifier.Rows) {
			return fmt.Errorf("calibration data: sequence %d: class %d is outside the model's %d classes", i, l, m.Classifier.Rows)
		}
	}
	return nil
}

// longest bounds the tokens used of one calibration sequence.
const longest = 512

// clip is the part of a sequence that calibration looks at.
func clip(s []int32, cfg *model.Config) []int32 {
	limit := longest
	if cfg.MaxPositions > 0 {
		limit = min(limit, cfg.MaxPositions)
	}
	return s[:min(len(s), limit)]
}

// shuffled returns the indices of the non-empty sequences in an order that the
// seed decides; stream separates uses.
func (c Calibration) shuffled(seed, stream uint64) []int {
	var ids []int
	for i, s := range c.Tokens {
		if len(s) > 0 {
			ids = append(ids, i)
		}
	}
	rand.New(rand.NewPCG(seed, stream)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids
}

// sample is what activation statistics are taken from (the first fit tokens)
// and tried on (the rest).
type sample struct {
	seqs    [][]int32
	fitRows int
	rows    int
}

// probes is the number of sequences held out of the statistics.
const probes = 32

// pick chooses up to n sequences, with at most limit tokens together, and some
// more to hold out.
func (c Calibration) pick(cfg *model.Config, n int, seed uint64, limit int) sample {
	ids := c.shuffled(seed, 1)
	held := min(probes, len(ids)/8)
	var s sample
	for _, i := range ids[held:] {
		if len(s.seqs) == n || s.fitRows >= limit {
			break
		}
		s.seqs = append(s.seqs, clip(c.Tokens[i], cfg))
		s.fitRows += len(s.seqs[len(s.seqs)-1])
	}
	s.rows = s.fitRows
	for _, i := range ids[:held] {
		if s.rows-s.fitRows >= probeRows {
			break
		}
		s.seqs = append(s.seqs, clip(c.Tokens[i], cfg))
		s.rows += len(s.seqs[len(s.seqs)-1])
	}
	return s
}

// probeRows bounds the held-out tokens.
const probeRows = 512

// tokenLimit is how many tokens statistics for a model of these widths use at
// most: six for each input of the widest matrix.
func tokenLimit(m *model.Model) int {
	wide := m.Config.HiddenSize
	for i := range m.Layers {
		wide = max(wide, m.Layers[i].FFN, m.Layers[i].Heads*m.Config.HeadDim)
	}
	return max(8192, 6*wide)
}
