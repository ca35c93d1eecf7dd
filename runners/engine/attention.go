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
	first   int      // position of the first query
	groups  [][]byte // keys and values from position 0 to the last
}

// attention is the work of one attention block between its matrices, spread
// over the workers: storing keys and values, then queries on them.
type attention struct {
	members []member
	stores  storeJob
	queries queryJob
	from    []int32 // rows whose queries are needed

	spare []byte   // keys and values that do not outlive the layer
	table [][]byte // its groups
}

// storeJob rotates keys and stores them with their values. A unit is what one
// group of tokens gets.
type storeJob struct {
	layout *kernels.KVLayout
	rope   *rope
	k, v   []float32 // [rows][KV heads*head dim]
	units  []storeUnit
}

// storeUnit is n tokens from row row on, the first at position pos.
type storeUnit struct {
	group       []byte
	row, pos, n int
}

// Do stores one unit.
func (j *storeJob) Do(_, i int) {
	u := &j.units[i]
	for t := range u.n {
		for h := range j.layout.Heads {
			j.store(u, t, h)
		}
	}
}

// store stores head h of token t of a unit.
func (j *storeJob) store(u *storeUnit, t, h int) {
	at := (u.row+t)*j.layout.Heads + h
	k, v := row(j.k, at, j.layout.HeadDim), row(j.v, at, j.layout.HeadDim)
	cos, sin := j.rope.at(u.pos+t, 1)
	kernels.RoPE(k, j.layout.HeadDim, cos, sin)
	j.layout.Put(u.group, u.pos+t, h, k, v)
}

// placeKeys makes room for the new keys and values: with the sequences that keep
// them, otherwise until the layer is done.
func (e *Engine) placeKeys(l int, k, v []float32) {
	a, ly := &e.pass.attention, &e.layers[l]
	size := ly.kv.GroupBytes()
	e.spareGroups(size)
	j := &a.stores
	j.layout, j.rope, j.k, j.v = &ly.kv, &e.rope, k, v
	j.units = j.units[:0]
	spare := 0
	for i := range a.members {
		m := &a.members[i]
		s := &e.pass.segments[m.segment]
		n := len(s.tokens)
		if s.keep {
			c := &s.seq.cache[l]
			c.reach(s.pos+n, s.seq.floor, e.config.MaxPositions, size)
			m.groups = c.groups
		} else {
			m.groups = a.table[spare:][:groupsOf(n)]
			spare += len(m.groups)
		}
		for t := 0; t < n; {
			pos := s.pos + t
			count := min(n-t, kernels.KVGroup-pos%kernels.KVGroup)
			j.units = append(j.units, storeUnit{m.groups[pos/kernels.KVGroup], m.row + t, pos, count})
			t += count
		}
	}
}

// storeKeys stores what placeKeys made room for.
func (e *Engine) storeKeys() {
	j := &e.pass.attention.stores
	e.pool.Run(len(j.units), j)
}

// spareGroups cuts memory for the sequences that do not keep keys to groups.
func (e *Engine) spareGroups(size int) {
	a, count := &e.pass.attention, 0
	for i := range a.members {
		if s := &e.pass.segments[a.members[i].segment]; !s.keep {
			count += groupsOf(len(s.tokens))
		}
	}
	a.spare = grow(a.spare, count*size)
	a.table = a.table[:0]
	for g := range count {
		a.table = append(a.table, a.spare[g*size:][:size])
	}
}

// queryJob is softmax(QK'/sqrt(d))·V of all members. A unit is some tokens'
// heads, or some of them, that share a key/value head.
type queryJob struct {
	ly      *layer
	rope    *rope
	members []member
	units   []queryUnit
	q       []float32
	out     *input
	workers []kernels.Attention

	stores   *storeJob // of members of one token: a unit first stores its head of it
	quantize bool      // a unit's outputs
}

type queryUnit struct{ member, kvHead, head, heads, from, to int32 }

// attend stores the new keys, computes the members' attention from q, whose rows are as
// far apart as out's, to out, [queries][heads*head dim], and quantizes it. In a decode
// step it does all in one run of the pool: there the units are so short that their
// beginning and end count.
func (e *Engine) attend(ly *layer, q []float32, out *input) {
	a := &e.pass.attention
	j := &a.queries
	j.ly, j.rope, j.members, j.q, j.out = ly, &e.rope, a.members, q, out
	j.units = j.units[:0]
	shared := ly.heads / ly.kv.Heads
	tokens := max(1, kernels.AttentionRows/shared)
	var macs uint64
	units := 0
	for i := range a.members {
		m := &a.members[i]
		macs += ly.attentionMACs(m.first, m.queries, ly.kv.HeadDim)
		units += ly.kv.Heads * ((m.queries + tokens - 1) / tokens)
	}
	heads := shared
	if threads := e.pool.Threads(); units < threads { // cut by heads too
		heads = max(1, shared*units/threads)
	}
	// The last tokens, which read the most keys, come first.
	for i := range a.members {
		m := &a.members[i]
		for kv := range ly.kv.Heads {
			for to := m.queries; to > 0; to -= tokens {
				for head := 0; head < shared; head += heads {
					j.units = append(j.units, queryUnit{
						int32(i), int32(kv), int32(head), int32(min(heads, shared-head)), int32(max(0, to-tokens)), int32(to),
					})
				}
			}
		}
	}
	j.stores = nil
	j.quantize = ly.kv.HeadDim%16 == 0 && out.divisible(heads*ly.kv.HeadDim) && out.divisible(shared*ly.kv.HeadDim)
	if n := len(a.members); heads == shared && n == len(e.pass.index) && n == len(e.pass.write) {
		j.stores = &a.stores
	} else {
		e.storeKeys()
	}
	e.pool.Run(len(j.units), j)
	if !j.quantize {
		e.quantizeRows(out)
	}
	e.pool.Count(kernels.Ops{F32MAC: macs})
}

// Do computes one unit.
func (j *queryJob) Do(worker, i int) {
	u, kv := &j.units[i], &j.ly.kv
	m := &j.members[u.member]
	first, n := m.first+int(u.from), int(u.to-u.from)
	ld, from := j.out.ld, (int(u.kvHead)*(j.ly.heads/kv.Heads)+int(u.head))*kv.HeadDim
	at := (m.query+int(u.from))*ld + from
	if j.stores != nil {
		kv.Touch(m.groups[:groupsOf(first+1)], int(u.kvHead))
		j.stores.store(&j.stores.units[u.member], 0, int(u.kvHead))
	}
	cos, sin := j.rope.at(first, n)
	q := kernels.Queries{
		KV: kv, Groups: m.groups, Head: int(u.kvHead),
		Q: j.q[at:], Out: j.out.x[at:], Ld: ld, Heads: int(u.heads),
		First: first, N: n, Cos: cos, Sin: sin, Scale: float32(1 / math.Sqrt(float64(kv.HeadDim))),
	}
	if j.quantize {
		q.Acts, q.Row, q.Col = &j.out.acts, m.query+int(u.from), from
	}
	j.workers[worker].Run(&q)
}
