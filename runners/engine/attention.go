package engine

import (
	"math"

	"github.com/seed-c6f48606/harness/kernels"
)

// member is a sequence in the sub-batch of an attention block.
type member struct {
	segment int
	row     int // of its first token in the sub-batch
	query   int // row of its first query
	queries int
	first   int       // position of the first query
	k, v    []float32 // of all positions up to the last, [tokens][KV heads*head dim]
}

// queryBlock is how many queries of one head a unit of attention has at most.
const queryBlock = 32

// unit is a block of queries of one head of one member.
type unit struct{ member, head, from, to int32 }

// attention is softmax(QK'/sqrt(d))·V of a sub-batch, spread over the workers by
// sequence, head and block of queries.
type attention struct {
	members []member
	units   []unit
	from    []int32 // rows whose queries are needed

	q, out         []float32
	heads, kvHeads int
	headDim        int
	scale          float32
	scores         [][]float32
}

// attend computes p.att from p.q and the members' keys and values.
func (e *Engine) attend(ly *layer) {
	p, a := &e.pass, &e.pass.attention
	a.q, a.out, a.scores = p.q, p.att, p.scores
	a.heads, a.kvHeads, a.headDim = ly.heads, ly.kvHeads, e.config.HeadDim
	a.scale = float32(1 / math.Sqrt(float64(a.headDim)))
	a.units = a.units[:0]
	var longest int
	var macs uint64
	for i := range a.members {
		m := &a.members[i]
		longest = max(longest, m.first+m.queries)
		macs += ly.attentionMACs(m.first, m.queries, a.headDim)
		for from := 0; from < m.queries; from += queryBlock {
			to := min(from+queryBlock, m.queries)
			for head := range a.heads {
				a.units = append(a.units, unit{int32(i), int32(head), int32(from), int32(to)})
			}
		}
	}
	for w := range a.scores {
		a.scores[w] = grow(a.scores[w], longest)
	}
	e.pool.Run(len(a.units), a)
	e.pool.Count(kernels.Ops{F32MAC: macs})
}

// Do computes one unit: every query attends to the keys up to its position.
func (a *attention) Do(worker, i int) {
	u := a.units[i]
	m := &a.members[u.member]
	d, width := a.headDim, a.kvHeads*a.headDim
	shared := int(u.head) / (a.heads / a.kvHeads) * d
	for r := int(u.from); r < int(u.to); r++ {
		at := ((m.query+r)*a.heads + int(u.head)) * d
		q, out := a.q[at:][:d], a.out[at:][:d]
		s := a.scores[worker][:m.first+r+1]
		for t := range s {
			s[t] = a.scale * kernels.Dot(q, m.k[t*width+shared:][:d])
		}
		kernels.Softmax(s)
		clear(out)
		for t, w := range s {
			kernels.Axpy(w, m.v[t*width+shared:][:d], out)
		}
	}
}
