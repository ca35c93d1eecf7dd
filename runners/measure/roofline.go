package measure

import (
	"time"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// Traffic is what generating a token has to read from memory at least: every
// weight once, as the file stores it, and the keys and values of all tokens
// before. Activations stay in caches.
type Traffic struct {
	// WeightBytes is read in every step, for all sequences together.
	WeightBytes int64
	// CacheBytes is read a token before, in every step of a sequence.
	CacheBytes float64
}

// TrafficOf returns the traffic of m, with logits for rows of the head (0 = all)
// and keys and values in the given format.
func TrafficOf(m *model.Model, rows int, kv kernels.KVFormat) Traffic {
	var t Traffic
	head := m.Head
	if head == nil {
		head = m.Embed
	}
	t.WeightBytes = head.StoredBytes()
	if rows > 0 && rows < head.Rows {
		t.WeightBytes = t.WeightBytes * int64(rows) / int64(head.Rows)
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		for _, w := range []*model.Matrix{l.Q, l.K, l.V, l.O, l.Gate, l.Up, l.Down} {
			t.WeightBytes += w.StoredBytes()
		}
		t.WeightBytes += 4 * int64(len(l.AttnNorm)+len(l.MLPNorm))
		if l.HasAttention() {
			layout := kernels.KVLayout{Format: kv, Heads: l.KVHeads, HeadDim: m.HeadDim}
			t.CacheBytes += float64(layout.GroupBytes()) / kernels.KVGroup
		}
	}
	t.WeightBytes += 4 * int64(len(m.Norm))
	return t
}

// Decode is the bytes read by steps steps of parallel sequences that have read
// depth tokens before.
func (t Traffic) Decode(depth, steps, parallel int) float64 {
	// Step i reads the depth+i tokens before it, and its own from a cache.
	before := float64(steps)*float64(depth) + float64(steps)*float64(steps-1)/2
	return float64(steps)*float64(t.WeightBytes) + float64(parallel)*before*t.CacheBytes
}

// Roofline sets a test beside the limits of the machine.
// nil = it was not measured, or says nothing about this test.
type Roofline struct {
	// GBPerS is the rate of reading weights, keys and values while generating,
	// in 10⁹ bytes/s.
	GBPerS *float64
	// GOPS are the multiply-accumulates that were executed, two operations
	// each, in 10⁹/s.
	GOPS *float64
	// ReadLimit and PeakLimit are the machine's, on as many threads; the peak is
	// that of the active tier in Mix.
	ReadLimit, PeakLimit *float64
	Mix                  kernels.Mix
	// ReadShare and PeakShare are the parts of the limits that were reached.
	ReadShare, PeakShare *float64
}

// Work is what a test did.
type Work struct {
	DecodeBytes float64 // read while generating, at least
	Decode      time.Duration
	MACs        uint64 // executed
	Total       time.Duration
	Mix         kernels.Mix // of the products of most weights
	Tier        kernels.Tier
}

// Roofline sets the work beside the limits, nil where they were not measured.
func (w Work) Roofline(limits *Ceilings) Roofline {
	ratio := func(a, b float64) *float64 {
		if a <= 0 || b <= 0 {
			return nil
		}
		v := a / b
		return &v
	}
	r := Roofline{
		GBPerS: ratio(w.DecodeBytes/1e9, w.Decode.Seconds()), GOPS: ratio(2*float64(w.MACs)/1e9, w.Total.Seconds()),
		Mix: w.Mix,
	}
	if limits == nil {
		return r
	}
	peak := limits.Peak(w.Tier, w.Mix)
	if peak == 0 { // the tier multiplies small integers as it does bytes
		peak, r.Mix = limits.Peak(w.Tier, kernels.MixInt8), kernels.MixInt8
	}
	r.ReadLimit, r.PeakLimit = ratio(limits.Read.Best, 1), ratio(peak, 1)
	if r.GBPerS != nil {
		r.ReadShare = ratio(*r.GBPerS, limits.Read.Best)
	}
	if r.GOPS != nil {
		r.PeakShare = ratio(*r.GOPS, peak)
	}
	return r
}

// mixOf is the arithmetic of most of the layers' weights.
func mixOf(m *model.Model) kernels.Mix {
	params := map[kernels.Mix]int64{}
	for i := range m.Layers {
		l := &m.Layers[i]
		for _, w := range []*model.Matrix{l.Q, l.K, l.V, l.O, l.Gate, l.Up, l.Down} {
			for _, part := range parts(w) {
				params[mixOfMatrix(part)] += part.Params()
			}
		}
	}
	most := kernels.MixInt8
	for mix, n := range params {
		if n > params[most] {
			most = mix
		}
	}
	return most
}

// parts are the factors of a matrix, or the matrix; none of a removed one.
func parts(w *model.Matrix) []*model.Matrix {
	switch {
	case w == nil:
		return nil
	case w.Kind() == model.KindFactored:
		return []*model.Matrix{w.A, w.B}
	}
	return []*model.Matrix{w}
}

func mixOfMatrix(w *model.Matrix) kernels.Mix {
	bits := 0
	switch w.Kind() {
	case model.KindInt:
		bits = w.Bits
	case model.KindStored:
		bits = w.Stored.Format().Bits
	}
	switch {
	case bits == 0:
		return kernels.MixF32
	case bits <= 4:
		return kernels.MixInt4
	}
	return kernels.MixInt8
}
