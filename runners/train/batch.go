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

// noise is what the input of a step has in place of some of its tokens, or
// between them, never before or instead of the first. The language-model targets
// stay what the text says.
type noise struct {
	blankID int32
	blank   float64 // share blanked
	any     float64 // share replaced by any token from first on
	insert  float64 // chance of any token from first on before one
	first   int32
	vocab   int32
}

// token returns what the input has for id.
func (n noise) token(id int32, s *stream) int32 {
	switch r := s.float(); {
	case r < n.blank:
		return n.blankID
	case r < n.blank+n.any:
		return n.random(s)
	}
	return id
}

func (n noise) random(s *stream) int32 { return n.first + int32(s.float()*float64(n.vocab-n.first)) }

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
// least loaded, and fills each shard's input. It returns the number of targets.
func shardBatch(shards []*sequences, examples []example, batch []int, n noise, streams []stream) int {
	order := slices.Clone(batch)
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(len(examples[b].tokens), len(examples[a].tokens))
	})
	for _, s := range shards {
		s.reset()
	}
	for _, i := range order {
		least := 0
		for j, s := range shards {
			if len(s.tokens) < len(shards[least].tokens) {
				least = j
			}
		}
		shards[least].add(examples[i], n, &streams[least])
	}
	targets := 0
	for _, s := range shards {
		for _, t := range s.target {
			if t >= 0 {
				targets++
			}
		}
	}
	return targets
}

// add appends an example, with noise where s is not nil.
func (b *sequences) add(e example, n noise, s *stream) {
	for i, id := range e.tokens {
		if i > 0 && s != nil {
			if n.insert > 0 && s.float() < n.insert {
				b.tokens, b.target = append(b.tokens, n.random(s)), append(b.target, id)
			}
			id = n.token(id, s)
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
