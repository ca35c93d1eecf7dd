package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// readItems reads an items file. A file that cannot be opened is the target's
// fault, one with wrong contents the harness's that wrote it.
func readItems(path string) ([]wire.Item, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, wire.Wrap(wire.Target, fmt.Errorf("reading items: %w", err))
	}
	defer f.Close()
	items, err := wire.ReadItems(f)
	if err != nil {
		return nil, wire.Wrap(wire.Harness, fmt.Errorf("%s: %w", path, err))
	}
	return items, nil
}

// tokenize turns texts into the sequences that the model reads.
func (s *Session) tokenize(ctx context.Context, items []wire.Item) ([][]int32, error) {
	out := make([][]int32, len(items))
	for i := range items {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, wire.Wrap(wire.Canceled, fmt.Errorf("tokenizing: %w", ctx.Err()))
		}
		if out[i] = s.sequence(items[i].Text); len(out[i]) == 0 {
			return nil, &wire.Error{
				Kind: wire.Harness, Text: fmt.Sprintf("item %d gives no token: %.60q", i, items[i].Text), Mend: "leave it out",
			}
		}
	}
	return out, nil
}

// sequence is the text between begin and end tokens, as classifiers of this
// project read it. A foreign vocabulary that lacks them gives the text alone.
func (s *Session) sequence(text string) []int32 {
	limit := s.engine.Config().MaxPositions
	if s.tok.BOS() >= 0 && s.tok.EOS() >= 0 {
		return s.tok.Sequence(text, limit)
	}
	return s.encode(text, limit)
}

// encode is the text after a begin token, if the vocabulary has one.
func (s *Session) encode(text string, limit int) []int32 {
	var ids []int32
	if s.tok.BOS() >= 0 {
		ids = append(ids, s.tok.BOS())
	}
	ids = s.tok.AppendEncode(ids, text)
	return ids[:min(len(ids), limit)]
}

// queue hands out sequences in a seeded random order, every one once before any
// comes again.
type queue struct {
	all   [][]int32
	order []int
	next  int
	rng   *rand.Rand
}

func newQueue(all [][]int32, seed uint64) *queue {
	q := &queue{all: all, order: make([]int, len(all)), rng: rand.New(rand.NewPCG(seed, 0))}
	for i := range q.order {
		q.order[i] = i
	}
	q.shuffle()
	return q
}

func (q *queue) shuffle() {
	q.rng.Shuffle(len(q.order), func(i, j int) { q.order[i], q.order[j] = q.order[j], q.order[i] })
	q.next = 0
}

// take fills batch with the next sequences.
func (q *queue) take(batch [][]int32) {
	for i := range batch {
		if q.next == len(q.order) {
			q.shuffle()
		}
		batch[i] = q.all[q.order[q.next]]
		q.next++
	}
}

// longest fills batch with the longest sequences.
func (q *queue) longest(batch [][]int32) {
	order := slices.Clone(q.all)
	slices.SortStableFunc(order, func(a, b []int32) int { return len(b) - len(a) })
	for i := range batch {
		batch[i] = order[i%len(order)]
	}
}

func checkRequest(batch int, threshold float64) error {
	if batch < 1 || batch > maxBatch {
		return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("batch %d: an inference has 1 to %d items", batch, maxBatch)}
	}
	if !(threshold >= 0 && threshold <= 1) {
		return &wire.Error{
			Kind: wire.Harness, Text: fmt.Sprintf("threshold %g is outside [0, 1]", threshold),
			Mend: "use 0 for dense, up to 1 to skip all that may be skipped",
		}
	}
	return nil
}

const maxBatch = 4096
