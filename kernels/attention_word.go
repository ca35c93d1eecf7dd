package kernels

import (
	"math"
	"unsafe"
)

// With KVInt16 both products of attention are of 16-bit integers, which many CPUs
// multiply at twice the rate of floats: queries meet keys, and weights, times the
// values' scales, meet values. Every row of queries and of weights has a scale of
// its own. Sums of 32 bits hold a whole head of products with keys, and those of
// a group of 16 tokens with values; groups are summed up as floats.

// wordMax is the greatest integer of a key or value, weightMax of a weight:
// weightMax*wordMax*KVGroup is below 2^31.
const (
	wordMax   = 4095
	weightMax = 32767
)

// queryMax is the greatest integer of a query of d channels.
func queryMax(d int) float32 { return float32(min(math.MaxInt32/(wordMax*d), weightMax)) }

// wordTile is the work of one call of a kernel: rows x 16 of C = A*B*scale*cols
// or, with cols nil, C += A*B*scale, read by the assembly. A and C have rows lda
// and ldc values apart; B is [groups][pairs][16][2] words with jump bytes between
// groups. See kvTile for next.
type wordTile struct {
	pairs, groups int
	a             *int16
	lda           int
	b             *byte
	jump          int
	next          *byte
	c             *float32
	ldc           int
	scale         *float32 // [rows]
	cols          *float32 // [16]
}

func wordTileGeneric(rows int, t *wordTile) {
	steps, apart := 2*t.pairs*panelRows, t.jump/2
	a := unsafe.Slice(t.a, (rows-1)*t.lda+t.groups*t.pairs*2)
	b := unsafe.Slice((*int16)(unsafe.Pointer(t.b)), (t.groups-1)*apart+t.groups*steps)
	c := unsafe.Slice(t.c, (rows-1)*t.ldc+panelRows)
	scale := unsafe.Slice(t.scale, rows)
	for r := range rows {
		var total [panelRows]float32
		for g := range t.groups {
			var sum [panelRows]int32
			group := b[g*(steps+apart):][:steps]
			for i := range t.pairs {
				x := a[r*t.lda+2*(g*t.pairs+i):][:2]
				for n, w := 0, group[2*panelRows*i:][:2*panelRows]; n < panelRows; n++ {
					sum[n] += int32(x[0])*int32(w[2*n]) + int32(x[1])*int32(w[2*n+1])
				}
			}
			for n, s := range sum {
				total[n] += float32(s)
			}
		}
		out := c[r*t.ldc:][:panelRows]
		if t.cols == nil {
			for n, s := range total {
				out[n] = fma32(s, scale[r], out[n])
			}
			continue
		}
		for n, s := range total {
			out[n] = s * *item(t.cols, n) * scale[r]
		}
	}
}

// wordScale returns what integers up to limit are multiplied by to be values up
// to magnitude, and the inverse: zeros for next to nothing.
func wordScale(magnitude, limit float32) (scale, inverse float32) {
	if magnitude < minAbs {
		return 0, 0
	}
	return magnitude / limit, limit / magnitude
}

// roundRowsGeneric rounds rows of n values to integers of at most limit. The scale of a
// row is NaN if there is one in it.
func roundRowsGeneric(dst []int16, x, scale []float32, n int, limit float32) {
	for r := range scale {
		var inverse float32
		row := x[r*n:][:n]
		scale[r], inverse = wordScale(magnitudeGeneric(row), limit)
		for i, v := range row {
			dst[r*n+i] = int16(min(max(math.RoundToEven(float64(v*inverse)), -weightMax), weightMax))
		}
	}
}

// magnitudeGeneric returns the greatest magnitude in x, NaN if there is one.
func magnitudeGeneric(x []float32) float32 {
	var top uint32 // magnitudes order like their bits, NaN on top
	for _, v := range x {
		top = max(top, math.Float32bits(v)&0x7fffffff)
	}
	return math.Float32frombits(top)
}

// placeWords writes a token's key and value, an even number of channels, to a head.
func placeWords(head []int16, slot int, k, v []int16) {
	values := head[len(k)*KVGroup:]
	for c := 0; c < len(k); c += 2 {
		pair := head[c*KVGroup+2*slot:][:2]
		pair[0], pair[1] = k[c], k[c+1]
	}
	for ; len(v) > 0; values = values[panelRows*KVGroup:] {
		n := min(panelRows, len(v))
		pairs := values[slot/2*2*panelRows+slot%2:][:2*panelRows-1]
		for i, x := range v[:n] {
			pairs[2*i] = x
		}
		v = v[n:]
	}
}

// weighWords turns the scores s of row r, of which n are visible and most is the
// greatest, to integers relative to top and returns the sum of the weights. It
// takes whole vectors of 16 up to the last visible one only, in which scores that are
// not visible are -Inf: what the row does not see must not reach it, and how much
// there is depends on how a prompt was cut.
func (a *Attention) weighWords(tier Tier, r int, s []float32, n, whole int, most, top float32) float32 {
	words := a.words[r*keyBlock:][:len(s)]
	if n != a.visible {
		a.see(tier, n, whole)
	}
	clear(words[whole:])
	gain, greatest := a.gain[:whole], a.gainTop
	if most != top {
		greatest *= expf(most - top)
	}
	scale, inverse := wordScale(greatest, weightMax)
	a.scale[r] = scale
	return weighWords(tier, words[:whole], s[:whole], gain, top, inverse)
}

// weighWordsGeneric writes exp(x[i]-m)*gain[i]*factor to dst, rounded, and returns
// the sum of the exponentials.
func weighWordsGeneric(dst []int16, x, gain []float32, m, factor float32) (sum float32) {
	for i, v := range x {
		e := expf(v - m)
		sum += e
		dst[i] = int16(min(max(math.RoundToEven(float64(e*gain[i]*factor)), -weightMax), weightMax))
	}
	return sum
}

// see makes gain the scales of the first n values of a block, and of whole vectors.
func (a *Attention) see(tier Tier, n, whole int) {
	copy(a.gain[:n], a.valueScale[:n])
	clear(a.gain[n:whole])
	a.gainTop, a.visible = magnitude(tier, a.gain[:whole]), n
}

// valueScales gathers the scales of a block's values.
func (a *Attention) valueScales(q *Queries, groups [][]byte) {
	at := q.Head*q.KV.headBytes() + q.KV.scalesAt()
	for g, group := range groups {
		copy(a.valueScale[g*KVGroup:][:KVGroup], elementsOf[float32](group[at:])[KVGroup:])
	}
	a.visible = 0
}

// scoreWords multiplies queries by a block of keys.
func (a *Attention) scoreWords(tier Tier, q *Queries, groups [][]byte, start int) {
	d, rows := q.KV.HeadDim, q.N*q.Heads
	t := wordTile{pairs: d / 2, groups: 1, lda: d, ldc: keyBlock}
	for g, group := range groups {
		head := group[q.Head*q.KV.headBytes():]
		t.b, t.next = &head[0], &head[q.KV.valuesAt()]
		t.cols = &elementsOf[float32](head[q.KV.scalesAt():])[0]
		for r := q.firstRow(start + g*KVGroup); r < rows; {
			n := wordRows(tier, rows-r)
			t.a, t.c, t.scale = &a.query[r*d], &a.s[r*keyBlock+g*KVGroup], &a.queryScale[r]
			mulWords(tier, n, &t)
			t.next = t.b
			r += n
		}
	}
}
