package tokenizer

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// bpe is a training under way. Pieces are numbered from 0: first the
// characters, then the merged pieces in order.
type bpe struct {
	o      TrainOptions
	pieces []trained
	ids    map[string]int32
	chars  int // number of single characters among pieces

	words []trainWord
	pairs map[pairKey]*pairStat
	queue pairQueue
	stamp []int32 // last merge that visited a word
}

// trained is a piece with what its limits are checked by.
type trained struct {
	text       string
	runes, han int
}

// trainWord is a distinct stretch of text, its number of occurrences and its
// present pieces.
type trainWord struct {
	count  int64
	pieces []int32
}

type pairKey struct{ left, right int32 }

// pairStat is a pair's occurrences and the words it was seen in, some of which
// may have lost it since.
type pairStat struct {
	count int64
	words []int32
}

// newBPE splits the words into characters and counts their pairs. Characters
// outside the alphabet cut words: nothing merges with them.
func newBPE(counts map[string]int64, vocab int, o TrainOptions) *bpe {
	b := &bpe{o: o, ids: map[string]int32{}, pairs: map[pairKey]*pairStat{}}
	for _, r := range alphabet(counts, vocab, o.Coverage) {
		b.piece(string(r))
	}
	b.chars = len(b.pieces)
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		var pieces []int32
		flush := func() {
			if len(pieces) > 1 {
				b.words = append(b.words, trainWord{counts[text], pieces})
			}
			pieces = nil
		}
		for _, r := range text {
			if id, ok := b.ids[string(r)]; ok {
				pieces = append(pieces, id)
			} else {
				flush()
			}
		}
		flush()
	}
	b.stamp = make([]int32, len(b.words))
	for w := range b.words {
		b.count(int32(w), 1, nil)
	}
	for key, stat := range b.pairs {
		b.queue.list = append(b.queue.list, pairEntry{stat.count, key, b.pieces[key.left].text + b.pieces[key.right].text})
	}
	heap.Init(&b.queue)
	return b
}

// piece returns the number of a text, a new one if need be.
func (b *bpe) piece(text string) int32 {
	if id, ok := b.ids[text]; ok {
		return id
	}
	p := trained{text: text, runes: utf8.RuneCountInString(text)}
	for _, r := range text {
		if classOf(r) == han {
			p.han++
		}
	}
	id := int32(len(b.pieces))
	b.pieces = append(b.pieces, p)
	b.ids[text] = id
	return id
}

// allowed reports whether a pair's joined piece keeps the limits. Digits never
// reach a word of two pieces except after a space, which they do not join.
func (b *bpe) allowed(k pairKey) bool {
	l, r := &b.pieces[k.left], &b.pieces[k.right]
	return l.runes+r.runes <= b.o.MaxChars && l.han+r.han <= b.o.MaxHanChars
}

// count adds (sign 1) or takes away (sign -1) a word's pairs. Pairs that gain
// are noted in touched.
func (b *bpe) count(w int32, sign int64, touched map[pairKey]bool) {
	word := &b.words[w]
	for i := 1; i < len(word.pieces); i++ {
		k := pairKey{word.pieces[i-1], word.pieces[i]}
		if !b.allowed(k) {
			continue
		}
		s := b.pairs[k]
		if s == nil {
			s = &pairStat{}
			b.pairs[k] = s
		}
		s.count += sign * word.count
		if sign < 0 {
			continue
		}
		if n := len(s.words); n == 0 || s.words[n-1] != w {
			s.words = append(s.words, w)
		}
		if touched != nil {
			touched[k] = true
		}
	}
}

// run merges the most frequent pair until the vocabulary is full or no pair
// occurs often enough.
func (b *bpe) run(ctx context.Context, vocab int) error {
	touched := map[pairKey]bool{}
	for step := int32(1); trainedFirst+len(b.pieces) < vocab; step++ {
		if step%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		k, ok := b.next()
		if !ok {
			return nil
		}
		clear(touched)
		b.merge(k, step, touched)
		for k := range touched {
			if s := b.pairs[k]; s != nil && s.count >= int64(b.o.MinCount) {
				heap.Push(&b.queue, pairEntry{s.count, k, b.pieces[k.left].text + b.pieces[k.right].text})
			}
		}
	}
	return nil
}

// next takes the best pair off the queue. Entries whose count has changed are
// put back with the present one.
func (b *bpe) next() (pairKey, bool) {
	for b.queue.Len() > 0 {
		e := heap.Pop(&b.queue).(pairEntry)
		s := b.pairs[e.key]
		switch {
		case s == nil || s.count < int64(b.o.MinCount):
		case s.count < e.count:
			e.count = s.count
			heap.Push(&b.queue, e)
		case s.count == e.count:
			return e.key, true
		}
	}
	return pairKey{}, false
}

// merge joins a pair in every word that has it.
func (b *bpe) merge(k pairKey, step int32, touched map[pairKey]bool) {
	joined := b.piece(b.pieces[k.left].text + b.pieces[k.right].text)
	for _, w := range b.pairs[k].words {
		if b.stamp[w] == step {
			continue
		}
		b.stamp[w] = step
		word := &b.words[w]
		if !hasPair(word.pieces, k) {
			continue
		}
		b.count(w, -1, nil)
		out := word.pieces[:0]
		for i := 0; i < len(word.pieces); i++ {
			if i+1 < len(word.pieces) && word.pieces[i] == k.left && word.pieces[i+1] == k.right {
				out = append(out, joined)
				i++
				continue
			}
			out = append(out, word.pieces[i])
		}
		word.pieces = out
		b.count(w, 1, touched)
	}
	delete(b.pairs, k)
}

func hasPair(pieces []int32, k pairKey) bool {
	for i := 1; i < len(pieces); i++ {
		if pieces[i-1] == k.left && pieces[i] == k.right {
			return true
		}
	}
	return false
}

// vocabulary lists the pieces by id. A merged piece scores higher the earlier
// it was merged; characters come last.
func (b *bpe) vocabulary() []Piece {
	list := []Piece{{"<unk>", 0, Unknown}, {"<s>", 0, Control}, {"</s>", 0, Control}}
	for i := range 256 {
		list = append(list, Piece{fmt.Sprintf("<0x%02X>", i), 0, Byte})
	}
	for _, p := range slices.Concat(b.pieces[b.chars:], b.pieces[:b.chars]) {
		list = append(list, Piece{p.text, -float32(len(list) - trainedFirst), Normal})
	}
	return list
}

// pairEntry is a pair in the queue with the count it had when it was put in.
type pairEntry struct {
	count int64
	key   pairKey
	text  string // joined, the first tie-break
}

// pairQueue is a heap: most frequent first, then the shorter joined text, then
// its order, then the shorter left piece.
type pairQueue struct{ list []pairEntry }

func (q *pairQueue) Len() int      { return len(q.list) }
func (q *pairQueue) Swap(i, j int) { q.list[i], q.list[j] = q.list[j], q.list[i] }
func (q *pairQueue) Push(x any)    { q.list = append(q.list, x.(pairEntry)) }

func (q *pairQueue) Pop() any {
	last := len(q.list) - 1
	x := q.list[last]
	q.list = q.list[:last]
	return x
}

func (q *pairQueue) Less(i, j int) bool {
	a, b := &q.list[i], &q.list[j]
	return cmp.Or(
		cmp.Compare(b.count, a.count), cmp.Compare(len(a.text), len(b.text)),
		strings.Compare(a.text, b.text), cmp.Compare(a.key.left, b.key.left), cmp.Compare(a.key.right, b.key.right),
	) < 0
}
