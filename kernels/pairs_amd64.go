//go:build !noasm

package kernels

import "math/bits"

// The AMX tier multiplies many tokens with the tile unit and is the AVX-512 tier
// in everything else. What bounds it is less the unit than its surroundings. A
// block of 32 inputs is half as deep as the unit: 8 tokens x 32 outputs of a
// block take it 16 cycles. Scaling their sums takes three instructions for each
// of 16 vectors, on two ports: 24 cycles; and 50 loads (16 rows of weights, 8 of
// tokens, 16 of sums, 10 scales), two a cycle: 25. Counted so, a third of the
// unit's peak can be reached as long as every block has a scale.
//
// The AVX-512 tier takes two panels on cores of Intel, see intelCore. A block of 8
// tokens x 32 outputs is 128 dot products, two instructions to scale each of 16 sums,
// which start as floats (see the generator's floatBase), and one a panel, on two
// ports: 81 cycles, 79 % of the peak. One panel by itself takes 89 loads for half of
// that, two a cycle: 44.5 cycles.

// amxTokens is the number of tokens from which on panels go to the tiles.
const amxTokens = 6

// byTwos reports whether n tokens are multiplied with two panels at a time.
func (m *IntMatrix) byTwos(tier Tier, n int) bool {
	switch tier {
	case AMX:
		return n >= amxTokens
	case AVX512:
		return intelCore && m.group >= blockSize && n >= wideTokens(tier, m.format, m.group)
	}
	return false
}

// pairRows is the number of tokens, of those left in a tile, of the next call; 0
// leaves them to mulDirect.
func pairRows(tier Tier, left int) int {
	if tier == AMX {
		return 1 << (bits.Len(uint(left)) - 1)
	}
	return left &^ (actTile - 1)
}

// mulPairs computes panels from lo on by twos, as long as two full ones are left,
// and returns the first panel that is left to others.
func (m *IntMatrix) mulPairs(tier Tier, o *Out, n, lo, hi int, s *scratch) int {
	if !m.byTwos(tier, n) {
		return lo
	}
	full := o.rows() / panelRows
	for hi = min(hi, full); hi-lo >= 2; lo += 2 {
		m.expandPair(tier, lo, s)
		var next []uint8
		if full-lo >= 4 {
			next = m.panels[(lo+2)*m.panelBytes():][:2*m.panelBytes()]
		}
		m.mulTiles(tier, o, o.A, n, lo, o.Add, next, s)
		if o.Rest != nil {
			m.mulTiles(tier, o, o.Rest, n, lo, true, nil, s)
		}
	}
	return lo
}

// expandPair prepares panels p and p+1 for mulTiles.
func (m *IntMatrix) expandPair(tier Tier, p int, s *scratch) {
	size := m.panelBytes()
	s.w = m.panels[p*size:][:2*size]
	if expands(tier, m.format) {
		s.memory = sized(s.memory, 2*m.blocks*quads*wordBytes)
		src := s.w
		s.w = s.memory
		if tier == AMX {
			expandAMX(m.format, &s.w[0], &src[0], 2*m.blocks)
		} else {
			expand(tier, m.format, s.w, src, 2*m.blocks)
		}
	}
	m.widenPanels(tier, p, 2, s)
}

// amxScales is the number of scales of an output and block.
func (m *IntMatrix) amxScales() int {
	if m.group < blockSize {
		return 2
	}
	return 1
}

// mulTiles multiplies what expandPair prepared with n tokens and fetches next.
// The tile has two panels, whose weights and scales lie one behind the other and
// whose outputs side by side.
func (m *IntMatrix) mulTiles(tier Tier, o *Out, a *Acts, n, p int, add bool, next []uint8, s *scratch) {
	c := &s.tile
	*c = wideTile{blocks: m.blocks, w: s.w, scales: s.scales, mins: s.mins}
	c.ld = o.LdY
	c.setAdd(add)
	t := 0
	for t < n {
		rows := pairRows(tier, min(n-t, actTile-t%actTile))
		if rows == 0 {
			break
		}
		c.actView = a.view(t)
		if tier == AVX512 {
			m.useStarts(8, a, t, &c.actView)
		}
		c.next, next, c.tiles = c.fetch(next, m.blocks*nextBytes, o.tiles(AVX512, t, n, p, rows, 2))
		count := c.tiles * rows
		c.y = o.Y[t*o.LdY+p*panelRows:][:(count-1)*o.LdY+2*panelRows]
		if tier == AMX {
			runAMX(m.amxScales(), rows, c)
		} else {
			wide8AVX512T8P2(c)
		}
		t += count
	}
	if tier != AMX { // which leaves no tokens
		m.mulDirect(tier, o, a, t, n, p, add, s)
		m.mulDirect(tier, o, a, t, n, p+1, add, s)
	}
}
