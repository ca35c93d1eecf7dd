package command

import (
	"fmt"
	"slices"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// setup is what a model is loaded for; tests of the same one share it.
type setup struct {
	path    string
	options measure.BenchOptions
}

// benchCell is one test of the grid.
type benchCell struct {
	setup
	test measure.Test
}

// kvFormats are the formats of keys and values, which are the same.
func (j *benchJob) kvFormats() ([]kernels.KVFormat, error) {
	keys, values := j.typeK.values, j.typeV.values
	switch {
	case !j.typeV.given:
		values = keys
	case !j.typeK.given:
		keys = values
	}
	if !slices.Equal(keys, values) {
		return nil, &wire.Error{
			Kind: wire.Harness, Text: fmt.Sprintf("--cache-type-k %s and --cache-type-v %s: keys and values are kept alike", &j.typeK, &j.typeV),
			Mend: "give one of the two",
		}
	}
	var out []kernels.KVFormat
	for _, name := range keys {
		f, ok := map[string]kernels.KVFormat{"f32": kernels.KVF32, "f16": kernels.KVF16, "q16": kernels.KVInt16, "q8_0": kernels.KVInt8, "q8": kernels.KVInt8}[name]
		if !ok {
			return nil, &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("--cache-type-k %q: must be one of f32, f16, q16, q8_0", name)}
		}
		out = append(out, f)
	}
	return out, nil
}

// cells are the tests on the model at path, in llama-bench's order, which loads
// a model as seldom as can be.
func (j *benchJob) cells(path string) []benchCell {
	var out []benchCell
	for _, batch := range j.batches.values {
		for _, ubatch := range j.ubatches.values {
			for _, kv := range j.kv {
				for _, threads := range j.thread.values {
					s := setup{path, measure.BenchOptions{Threads: threads, Chunk: min(ubatch, batch), KV: kv, LabelRows: j.labelRows, Cold: j.cold}}
					for _, depth := range j.depths.values {
						for _, t := range j.tests() {
							t.Depth, t.Batch, t.Repeats, t.Cold = depth, batch, j.repeats, j.cold
							out = append(out, benchCell{s, t})
						}
					}
				}
			}
		}
	}
	return out
}

// tests are those of one setup: prompts, generation, both.
func (j *benchJob) tests() []measure.Test {
	var out []measure.Test
	add := func(prompt, gen, parallel int) {
		if prompt+gen > 0 {
			out = append(out, measure.Test{Prompt: prompt, Gen: gen, Parallel: parallel})
		}
	}
	for _, n := range j.prompts.values {
		add(n, 0, 1)
	}
	for _, n := range j.gens.values {
		for _, parallel := range j.parallel.values {
			add(0, n, parallel)
		}
	}
	for _, p := range j.pairs.values {
		for _, parallel := range j.parallel.values {
			add(p[0], p[1], parallel)
		}
	}
	return out
}
