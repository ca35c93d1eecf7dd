package kernels

import (
	"fmt"
	"math"
)

// Queries are the queries of neighbouring tokens of one sequence that read the
// same keys: the heads of one key/value head, or some of them.
type Queries struct {
	KV *KVLayout
	// Groups of the sequence, from position 0 on, at least to the last token. A block of
	// them is read in place where each lies in the capacity of the first, else copied.
	Groups [][]byte
	Head   int // key/value head

	// Q and Out hold head h of token t at [t*Ld+h*HeadDim:][:HeadDim].
	Q, Out    []float32
	Ld, Heads int

	// Acts, if set, gets the outputs quantized in place of Out: token t's as values of
	// token Row+t from column Col on, see Acts.SetPart. Head dim is a multiple of 16.
	Acts     *Acts
	Row, Col int

	First, N int       // position of the first token; tokens
	Cos, Sin []float32 // rotations of the tokens, [N][HeadDim/2], see RoPE
	Scale    float32   // of the products, 1/sqrt(head dim)
}

// Attention computes softmax(scale*rotated Q*K')*V with a running maximum and
// sum (Milakov and Gimelshein, 2018; Dao et al., 2022), so that memory does not
// grow with the context. It holds the working memory of one worker; the zero
// value is ready.
//
// Keys are taken in blocks that begin at multiples of 128, and every query is
// computed on its own: its result depends neither on the tokens beside it nor on
// how a prompt was cut.
type Attention struct {
	q, o, s  []float32 // [rows][head dim], [rows][panels*16], [rows][keyBlock]
	max, sum []float32 // [rows]

	copied []byte // values of a block whose groups are apart

	// With KVInt16, queries and weights as integers and the scales of both and of
	// a block's values: of all and of those that the last row saw, with zeros behind.
	query, words      []int16 // [rows][head dim], [rows][keyBlock]
	queryScale, scale []float32
	valueScale, gain  [keyBlock]float32
	visible           int     // values that the last row saw
	gainTop           float32 // the greatest of their scales
}

// keyBlock is the number of keys between two adjustments of the running maximum.
const keyBlock = 128

// AttentionRows is about the number of rows, tokens times heads, that a call
// should have: a multiple of every tier's tile. Each call reads all keys.
const AttentionRows = 48

// kvTile is the work of one call of an attention kernel: rows x 16 of C = A*B or
// C += A*B, read by the assembly. A and C have rows lda and ldc values apart; B
// is [groups][steps][16] elements with jump bytes between groups. Behind the
// weights of a decoded token keys and values come from memory, so next names
// what to fetch meanwhile.
type kvTile struct {
	steps, groups int
	a             *float32
	lda           int
	b             *byte
	jump          int
	next          *byte // what will be read after B, as much of it
	c             *float32
	ldc           int
	accumulate    int
}

// Run computes q.Out.
func (a *Attention) Run(q *Queries) {
	d, last := q.KV.HeadDim, q.First+q.N-1
	if q.N < 1 || q.Heads < 1 || (last/KVGroup+1) > len(q.Groups) || len(q.Cos) < q.N*(d/2) || len(q.Sin) < q.N*(d/2) {
		panic(fmt.Sprintf("kernels: attention of %d tokens at %d on %d groups of keys", q.N, q.First, len(q.Groups)))
	}
	if end := (q.N-1)*q.Ld + q.Heads*d; end > len(q.Q) || q.Acts == nil && end > len(q.Out) || q.Acts != nil && d%panelRows != 0 {
		panic(fmt.Sprintf("kernels: attention on %d queries of %d heads of %d values in %d", q.N, q.Heads, d, len(q.Q)))
	}
	tier := floatTier()
	a.begin(tier, q)
	for start := 0; start <= last; start += keyBlock {
		groups := q.Groups[start/KVGroup : min(last, start+keyBlock-1)/KVGroup+1]
		a.scores(tier, q, groups, start)
		a.weigh(tier, q, groups, start)
		a.values(tier, q, groups, q.Groups[start/KVGroup+len(groups):], start)
	}
	a.end(q)
}

// begin rotates and scales the queries.
func (a *Attention) begin(tier Tier, q *Queries) {
	d, rows, width := q.KV.HeadDim, q.N*q.Heads, q.KV.panels()*panelRows
	if len(a.s) < rows*keyBlock || len(a.q) < rows*d || len(a.o) < rows*width || q.KV.Format == KVInt16 && len(a.query) < rows*d {
		a.s = alignedFloats(rows * keyBlock)
		a.q, a.o = alignedFloats(rows*d), alignedFloats(rows*width)
		a.max, a.sum = alignedFloats(rows), alignedFloats(rows)
		if q.KV.Format == KVInt16 {
			a.query, a.words = aligned[int16](rows*d), aligned[int16](rows*keyBlock)
			a.queryScale, a.scale = alignedFloats(rows), alignedFloats(rows)
		}
	}
	clear(a.o[:rows*width])
	for t := range q.N {
		x := a.q[t*q.Heads*d:][:q.Heads*d]
		copy(x, q.Q[t*q.Ld:])
		RoPE(x, d, q.Cos[t*(d/2):][:d/2], q.Sin[t*(d/2):][:d/2])
		if q.KV.Format != KVInt16 {
			scale(x, q.Scale)
		}
	}
	for r := range rows {
		a.max[r], a.sum[r] = float32(math.Inf(-1)), 0
	}
	if q.KV.Format == KVInt16 {
		roundRows(tier, a.query, a.q, a.queryScale[:rows], d, queryMax(d))
		scale(a.queryScale[:rows], q.Scale)
	}
}

// firstRow is the first row whose token sees the key at position.
func (q *Queries) firstRow(position int) int { return max(0, position-q.First) * q.Heads }

// scores multiplies queries by a block of keys.
func (a *Attention) scores(tier Tier, q *Queries, groups [][]byte, start int) {
	if q.KV.Format == KVInt16 {
		a.scoreWords(tier, q, groups, start)
		return
	}
	d, rows := q.KV.HeadDim, q.N*q.Heads
	t := kvTile{steps: d, groups: 1, lda: d, ldc: keyBlock}
	for g, group := range groups {
		head := group[q.Head*q.KV.headBytes():]
		t.b, t.next = &head[0], &head[q.KV.valuesAt()]
		for r := q.firstRow(start + g*KVGroup); r < rows; {
			n := kvTileRows(tier, rows-r)
			t.a, t.c = &a.q[r*d], &a.s[r*keyBlock+g*KVGroup]
			mulKV(tier, q.KV.Format, n, &t)
			t.next = t.b
			r += n
		}
	}
}

// weigh turns the scores of a block to weights relative to the new maximum and
// brings what was summed up before to it.
func (a *Attention) weigh(tier Tier, q *Queries, groups [][]byte, start int) {
	width, format := q.KV.panels()*panelRows, q.KV.Format
	if format == KVInt16 {
		a.valueScales(q, groups)
	}
	for r := q.firstRow(start); r < q.N*q.Heads; r++ {
		s := a.s[r*keyBlock:][:len(groups)*KVGroup]
		n := min(len(s), q.First+r/q.Heads-start+1)
		if format == KVInt8 {
			q.applyScales(s[:n], groups, 0)
		}
		whole := n
		if format == KVInt16 {
			whole = (n + KVGroup - 1) &^ (KVGroup - 1)
			for i := n; i < whole; i++ {
				s[i] = float32(math.Inf(-1))
			}
		}
		most := maximum(s[:whole])
		top := max(a.max[r], most)
		if before := a.max[r]; before != top {
			if start > 0 {
				fade := expf(before - top)
				a.sum[r] *= fade
				scale(a.o[r*width:][:width], fade)
			}
			a.max[r] = top
		}
		if format == KVInt16 {
			a.sum[r] += a.weighWords(tier, r, s, n, whole, most, top)
			continue
		}
		a.sum[r] += weigh(tier, s[:n], top)
		clear(s[n:])
		if format == KVInt8 {
			q.applyScales(s[:n], groups, KVGroup)
		}
	}
}

// applyScales multiplies the words of a block by the scales of its keys or, from
// KVGroup on, its values.
func (q *Queries) applyScales(s []float32, groups [][]byte, from int) {
	at := q.Head*q.KV.headBytes() + q.KV.scalesAt()
	for _, group := range groups {
		scales := elementsOf[float32](group[at:])[from:]
		n := min(KVGroup, len(s))
		scaleMul(s[:n], s[:n], scales[:n], 1)
		if s = s[n:]; len(s) == 0 {
			return
		}
	}
}

// values adds the weighted values of a block; next are the groups behind it.
func (a *Attention) values(tier Tier, q *Queries, groups, next [][]byte, start int) {
	l, rows := q.KV, q.N*q.Heads
	width, panel := l.panels()*panelRows, KVGroup*panelRows*l.elementBytes()
	b, size := a.block(q, groups)
	t := kvTile{steps: KVGroup, lda: keyBlock, jump: size - panel, ldc: width, accumulate: 1}
	w := wordTile{pairs: KVGroup / 2, lda: keyBlock, jump: size - panel, ldc: width}
	for r := q.firstRow(start); r < rows; {
		n := kvTileRows(tier, rows-r)
		if l.Format == KVInt16 {
			n = wordRows(tier, rows-r)
		}
		// Up to the last row's token.
		count := min(len(groups), (q.First+(r+n-1)/q.Heads-start)/KVGroup+1)
		for p := range l.panels() {
			from, ahead, to := &b[p*panel], &b[p*panel], &a.o[r*width+p*panelRows]
			if r == 0 && p < len(next) {
				ahead = &next[p][q.Head*l.headBytes()]
			}
			if l.Format == KVInt16 {
				w.groups, w.a, w.scale = count, &a.words[r*keyBlock], &a.scale[r]
				w.b, w.next, w.c = from, ahead, to
				mulWords(tier, n, &w)
				continue
			}
			t.groups, t.a = count, &a.s[r*keyBlock]
			t.b, t.next, t.c = from, ahead, to
			mulKV(tier, l.Format, n, &t)
		}
		r += n
	}
}

// block returns the values of a block of keys, size bytes from group to group. Groups
// that are apart are copied: a tile takes the whole block.
func (a *Attention) block(q *Queries, groups [][]byte) (b []byte, size int) {
	l := q.KV
	size = l.GroupBytes()
	from, to := q.Head*l.headBytes()+l.valuesAt(), q.Head*l.headBytes()+l.scalesAt()
	whole := groups[0][:min(cap(groups[0]), len(groups)*size)]
	together := len(whole) == len(groups)*size
	for g := 1; together && g < len(groups); g++ {
		together = &whole[g*size] == &groups[g][0]
	}
	if together {
		return whole[from : (len(groups)-1)*size+to], size
	}
	size = to - from
	if len(a.copied) < size*keyBlock/KVGroup {
		a.copied = make([]byte, size*keyBlock/KVGroup)
	}
	for g, group := range groups {
		copy(a.copied[g*size:], group[from:to])
	}
	return a.copied, size
}

// end divides by the sums.
func (a *Attention) end(q *Queries) {
	d, width := q.KV.HeadDim, q.KV.panels()*panelRows
	if q.Acts != nil {
		for r := range q.N * q.Heads {
			scale(a.o[r*d:][:d], 1/a.sum[r])
		}
		q.Acts.SetPart(q.Row, q.N, q.Col, q.Heads*d, a.o, q.Heads*d)
		return
	}
	for r := range q.N * q.Heads {
		scaleTo(q.Out[r/q.Heads*q.Ld+r%q.Heads*d:][:d], a.o[r*width:][:d], 1/a.sum[r])
	}
}
