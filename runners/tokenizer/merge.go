package tokenizer

import (
	"sync"
)

// scanLimit is the number of symbols up to which the best merge is found by
// looking at all of them; longer words use a heap, so that a text without
// spaces still takes O(n log n).
const scanLimit = 48

var mergers = sync.Pool{New: func() any { return new(merger) }}

// symbol is a stretch of the word that has become one piece. Symbols form a
// doubly linked list; a merged-away symbol has end 0.
type symbol struct {
	start, end int32
	prev, next int32 // -1 = none
	frozen     bool  // user-defined: merges with nothing
	score      float32
	mergeable  bool // with next, at score
}

// candidate is a possible merge in the heap: valid while both symbols still
// end where they did.
type candidate struct {
	score       float32
	left, right int32
	end         int32 // of the right symbol
}

// merger encodes one word at a time. Its slices are reused.
type merger struct {
	t        *Tokenizer
	text     string
	symbols  []symbol
	heap     []candidate
	split    map[string][2]string // how an unused piece came about
	sampling                      // of merges and characters, the zero value in Encode
}

// sampling leaves out what a vocabulary knows; nil = nothing.
type sampling struct {
	merge func() bool // true leaves a merge out
	char  func() bool // true spells a character beyond ASCII in bytes
}

// word appends the ids of text, which holds no complete word boundary.
func (m *merger) word(dst []int32, text string) []int32 {
	t := m.t
	m.text = text
	if !t.anyUser && !t.anyWaste {
		if id, ok := t.lookup[text]; ok && m.trivial(text) {
			return append(dst, id)
		}
	}
	m.symbols = m.symbols[:0]
	for at := 0; at < len(text); {
		n, frozen := 0, false
		if t.anyUser {
			n = len(t.userPiece(text[at:]))
			frozen = n > 0
		}
		if n == 0 {
			n = runeLen(text[at:])
		}
		i := int32(len(m.symbols))
		m.symbols = append(m.symbols, symbol{start: int32(at), end: int32(at + n), prev: i - 1, next: i + 1, frozen: frozen})
		at += n
	}
	m.symbols[len(m.symbols)-1].next = -1
	if t.anyWaste {
		clear(m.split)
	}
	if len(m.symbols) <= scanLimit {
		m.scan()
	} else {
		m.queue()
	}
	for i := int32(0); i >= 0; i = m.symbols[i].next {
		s := &m.symbols[i]
		piece := text[s.start:s.end]
		if m.char != nil && len(piece) > 1 && piece != space && runeLen(piece) == len(piece) && m.char() {
			dst = m.t.appendBytes(dst, piece)
			continue
		}
		dst = m.appendUsed(dst, piece)
	}
	return dst
}

// trivial reports whether text is one character, so that no merge can matter.
func (m *merger) trivial(text string) bool { return runeLen(text) == len(text) }

// pair finds the score of merging symbol i with the next one.
func (m *merger) pair(i int32) {
	a := &m.symbols[i]
	a.mergeable = false
	if a.next < 0 || a.frozen || m.symbols[a.next].frozen {
		return
	}
	if id, ok := m.t.lookup[m.text[a.start:m.symbols[a.next].end]]; ok && (m.merge == nil || !m.merge()) {
		a.mergeable, a.score = true, m.t.pieces[id].Score
	}
}

// join merges symbol i with the next one.
func (m *merger) join(i int32) {
	a := &m.symbols[i]
	b := &m.symbols[a.next]
	if m.t.anyWaste {
		if m.split == nil {
			m.split = map[string][2]string{}
		}
		m.split[m.text[a.start:b.end]] = [2]string{m.text[a.start:a.end], m.text[b.start:b.end]}
	}
	a.end, b.end = b.end, 0
	a.next = b.next
	if b.next >= 0 {
		m.symbols[b.next].prev = i
	}
}

// scan merges the best pair, the leftmost of equals, until none is left.
func (m *merger) scan() {
	for i := range m.symbols {
		m.pair(int32(i))
	}
	for {
		best := int32(-1)
		for i := int32(0); i >= 0; i = m.symbols[i].next {
			if s := &m.symbols[i]; s.mergeable && (best < 0 || s.score > m.symbols[best].score) {
				best = i
			}
		}
		if best < 0 {
			return
		}
		m.join(best)
		m.pair(best)
		if p := m.symbols[best].prev; p >= 0 {
			m.pair(p)
		}
	}
}

// queue does the same with a heap.
func (m *merger) queue() {
	m.heap = m.heap[:0]
	for i := range m.symbols {
		m.offer(int32(i))
	}
	for len(m.heap) > 0 {
		c := m.pop()
		a := &m.symbols[c.left]
		if a.end == 0 || a.next != c.right || m.symbols[c.right].end != c.end || !a.mergeable || a.score != c.score {
			continue // one of the two has been merged since
		}
		m.join(c.left)
		m.offer(c.left)
		if p := m.symbols[c.left].prev; p >= 0 {
			m.offer(p)
		}
	}
}

// offer puts the merge of symbol i with the next one on the heap.
func (m *merger) offer(i int32) {
	m.pair(i)
	s := &m.symbols[i]
	if !s.mergeable {
		return
	}
	m.heap = append(m.heap, candidate{s.score, i, s.next, m.symbols[s.next].end})
	at := len(m.heap) - 1
	for at > 0 {
		up := (at - 1) / 2
		if !m.heap[at].before(m.heap[up]) {
			break
		}
		m.heap[at], m.heap[up] = m.heap[up], m.heap[at]
		at = up
	}
}

func (m *merger) pop() candidate {
	top := m.heap[0]
	last := len(m.heap) - 1
	m.heap[0] = m.heap[last]
	m.heap = m.heap[:last]
	for at := 0; ; {
		down := 2*at + 1
		if down >= last {
			break
		}
		if down+1 < last && m.heap[down+1].before(m.heap[down]) {
			down++
		}
		if !m.heap[down].before(m.heap[at]) {
			break
		}
		m.heap[at], m.heap[down] = m.heap[down], m.heap[at]
		at = down
	}
	return top
}

// before orders candidates: higher score, then further left.
func (c candidate) before(d candidate) bool {
	if c.score != d.score {
		return c.score > d.score
	}
	return c.left < d.left
}

// appendUsed appends a finished symbol; an unused piece falls back to the two
// it was made of.
func (m *merger) appendUsed(dst []int32, text string) []int32 {
	if m.t.anyWaste {
		if id, ok := m.t.lookup[text]; ok && m.t.pieces[id].Kind == Unused {
			if parts, ok := m.split[text]; ok {
				return m.appendUsed(m.appendUsed(dst, parts[0]), parts[1])
			}
		}
	}
	return m.t.appendPiece(dst, text)
}
