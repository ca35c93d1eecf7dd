package engine

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// Options says how a model is run. The zero value is ready for use.
type Options struct {
	Threads int  // workers, 0 = one per processor
	Exact   bool // widen all weights to f32 and compute in f32
	Chunk   int  // tokens a piece of a long input has, 0 = 512

	// KV is how keys and values are kept: "f32", "f16", "q16" (13 bits in int16)
	// or "q8" (int8), both with a scale per token and head. Unset, it is what
	// kernels.FastKV says where weights are integers and f32 where all are floats
	// or with Exact.
	KV string

	// LabelRows, if set, are the rows of the vocabulary that Forward computes
	// logits of, see Restrict.
	LabelRows []int32

	// SharePrefix lets Classify keep what it has read of the beginning that the
	// prompts of a call, or of this call and the last, have in common. Logits are
	// the same, bit for bit; time is not, so leave it off to measure prompts.
	SharePrefix bool
}

const defaultChunk = 512

// ErrOptions is in the error of New where not the model but the options are at
// fault.
var ErrOptions = errors.New("options of the engine")

// complete checks the options and fills in what is not set.
func (o *Options) complete() error {
	if o.Threads < 0 || o.Threads > 1024 {
		return fmt.Errorf("%w: threads is %d: use 1 to 1024, or 0 for one per processor", ErrOptions, o.Threads)
	}
	if o.Chunk < 0 {
		return fmt.Errorf("%w: chunk is %d: use 1 or more tokens a piece, or 0 for %d", ErrOptions, o.Chunk, defaultChunk)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Chunk == 0 {
		o.Chunk = defaultChunk
	}
	return nil
}

// kvFormat is how keys and values of m are kept.
func (o *Options) kvFormat(m *model.Model) (kernels.KVFormat, error) {
	switch {
	case o.KV != "":
		format, err := kernels.ParseKV(o.KV)
		if err != nil {
			return format, fmt.Errorf("%w: %w", ErrOptions, err)
		}
		return format, nil
	case o.Exact || !hasIntegers(m):
		return kernels.KVF32, nil
	}
	return kernels.FastKV(), nil
}

// hasIntegers reports whether a block of m meets int8 activations.
func hasIntegers(m *model.Model) bool {
	for i := range m.Layers {
		l := &m.Layers[i]
		for _, w := range []*model.Matrix{l.Q, l.K, l.V, l.O, l.Gate, l.Up, l.Down} {
			if w == nil {
				continue
			}
			for _, part := range []*model.Matrix{w, w.A, w.B} {
				if part != nil {
					if integers(part).Bits > 0 {
						return true
					}
				}
			}
		}
	}
	return false
}
