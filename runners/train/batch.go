package train

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// example is one tokenized utterance, begin token included.
type example struct {
	tokens []int32
	label  int
}

// epochOrder cuts the examples into batches: shuffled, then within windows of
// bucket batches sorted by length, so that the shards of a batch carry alike
// work, then the batches shuffled again.
func epochOrder(examples []example, batch, bucket int, seed uint64, epoch int) [][]int {
	rng := rand.New(rand.NewPCG(seed, uint64(epoch)+1))
	order := rng.Perm(len(examples))
	var batches [][]int
	for window := range slices.Chunk(order, batch*bucket) {
		if bucket > 1 {
			slices.SortStableFunc(window, func(a, b int) int {
				return cmp.Compare(len(examples[a].tokens), len(examples[b].tokens))
			})
		}
		for b := range slices.Chunk(window, batch) {
			batches = append(batches, b)
		}
	}
	rng.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	return batches
}

// batchCount is the number of batches epochOrder makes.
func batchCount(examples, batch, bucket int) int {
	full, rest := examples/(batch*bucket), examples%(batch*bucket)
	return full*bucket + (rest+batch-1)/batch
}

// shardBatch deals the examples of a batch to shards, longest first to the
// least loaded, and fills each shard's input. Tokens other than the first are
// blanked with probability blank; the language-model targets stay what the
// text says. It returns the number of targets.
func shardBatch(shards []*sequences, examples []example, batch []int, blankID int32, blank float64, streams []stream) int {
	order := slices.Clone(batch)
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(len(examples[b].tokens), len(examples[a].tokens))
	})
	for _, s := range shards {
		s.reset()
	}
	targets := 0
	for _, i := range order {
		least := 0
		for j, s := range shards {
			if len(s.tokens) < len(shards[least].tokens) {
				least = j
			}
		}
		shards[least].add(examples[i], blankID, blank, &streams[least])
		targets += len(examples[i].tokens) - 1
	}
	return targets
}

// add appends an example.
func (b *sequences) add(e example, blankID int32, blank float64, s *stream) {
	for i, id := range e.tokens {
		if i > 0 && blank > 0 && s.float() < blank {
			id = blankID
		}
		b.tokens = append(b.tokens, id)
		next := int32(-1)
		if i+1 < len(e.tokens) {
			next = e.tokens[i+1]
		}
		b.target = append(b.target, next)
	}
	b.start = append(b.start, len(b.tokens))
	b.labels = append(b.labels, e.label)
}
