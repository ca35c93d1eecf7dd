package engine

// Stats counts what passes did.
type Stats struct {
	Tokens int // tokens read

	// Eligible counts the gates that sequences came with, Skipped those that
	// saved work: attention blocks not run and exits taken, with everything
	// behind an exit taken. Sequences count once, at their first piece.
	Eligible, Skipped int

	// Exits[l] counts the sequences whose last layer is l.
	Exits []int

	// DenseMAC is what the same calls cost without routing, ExecutedMAC what
	// was executed: matrix products, attention (QK and PV, masked pairs left
	// out) and gates, without padding. Int8MAC is the share of ExecutedMAC on
	// integers.
	DenseMAC, ExecutedMAC, Int8MAC uint64
}

// Stats returns what was done since the engine was made or ResetStats.
func (e *Engine) Stats() Stats {
	var s Stats
	e.ReadStats(&s)
	return s
}

// ReadStats is Stats into s, whose memory it reuses: for a loop that must not
// allocate.
func (e *Engine) ReadStats(s *Stats) {
	exits := append(s.Exits[:0], e.stats.Exits...)
	*s = e.stats
	s.Exits = exits
}

// ResetStats sets all counts to zero.
func (e *Engine) ResetStats() {
	exits := e.stats.Exits
	clear(exits)
	e.stats = Stats{Exits: exits}
}

// since returns s minus an earlier state of the same counts.
func (s Stats) since(before Stats) Stats {
	s.Tokens -= before.Tokens
	s.Eligible -= before.Eligible
	s.Skipped -= before.Skipped
	s.DenseMAC -= before.DenseMAC
	s.ExecutedMAC -= before.ExecutedMAC
	s.Int8MAC -= before.Int8MAC
	for i := range s.Exits {
		s.Exits[i] -= before.Exits[i]
	}
	return s
}

// countRoute adds a newly settled route.
func (e *Engine) countRoute(r *route) {
	e.stats.Exits[r.last]++
	e.stats.Eligible += e.gates
	for i := range e.layers {
		l := &e.layers[i]
		if l.need != nil && (r.skip[i] || i > r.last) {
			e.stats.Skipped++
		}
		if l.exit != nil && i >= r.last {
			e.stats.Skipped++
		}
	}
}

// denseMACs returns what a piece of n tokens at position pos costs up to the
// final norm when nothing is routed and want of its last hidden states are
// asked for.
func (e *Engine) denseMACs(pos, n, want int, trim bool) (macs uint64) {
	for i := range e.layers {
		l := &e.layers[i]
		outputs := n
		if trim && i == len(e.layers)-1 {
			outputs = want
		}
		if l.q != nil {
			macs += uint64(n)*(l.k.MACs()+l.v.MACs()) + uint64(outputs)*(l.q.MACs()+l.o.MACs())
			macs += l.attentionMACs(pos+n-outputs, outputs, e.config.HeadDim)
		}
		if l.gate != nil {
			macs += uint64(outputs) * (l.gate.MACs() + l.up.MACs() + l.down.MACs())
		}
	}
	return macs
}

// attentionMACs returns the cost of QK and PV for n tokens at position pos.
func (l *layer) attentionMACs(pos, n, headDim int) uint64 {
	pairs := uint64(n)*uint64(pos) + uint64(n)*uint64(n+1)/2
	return 2 * pairs * uint64(l.heads) * uint64(headDim)
}
