package kernels

import "unsafe"

// actView is the activations of some neighbouring tokens of a tile, from the
// first one's block 0 on. The assembly reads it by offset.
type actView struct {
	q     *int8
	xs    *float32 // scales
	corr  *int32   // -128 times the sum of a block's q, or where its sum (or that of its second half) starts
	half  *int32   // -128 times the sum of its first 16, or where their sum starts
	sums  *float32 // see Acts.sum, nil if not needed
	width int      // tokens of the tile: the distance of blocks
}

// output is where a kernel writes: [tokens][ld] values, 16 of each.
type output struct {
	y   []float32
	ld  int
	add int // 1: the product is added to y
}

func (o *output) setAdd(add bool) {
	o.add = 0
	if add {
		o.add = 1
	}
}

// intTile is the work of a kernel that reads a panel as it is stored.
type intTile struct {
	blocks      int
	groupBlocks int // blocks per scale, 0: two scales a block
	w           []uint8
	scales      []uint16 // [groups][16]
	mins        []uint16 // likewise, nil if there are none
	actView
	output

	super *uint8 // in place of scales and minimums, of kernels that join them: see superScales

	// Distances of the weights and scales, in bytes, and outputs, in values, of the
	// panels that a kernel takes together.
	apart, apartScales, apartY int
	// The same from each of the panels to the next that it takes thereafter.
	step, stepScales int
	panels           int // that it takes one after the other

	// Of the kernel of 8 tokens, which takes tiles of them, and fetches a panel
	// while the one before is multiplied.
	tiles int
	//lint:ignore U1000 the assembly counts here the tiles of the panel at work
	left int
	next *int8 // the panel after the last
}

// wideTile is the work of a kernel that reads an expanded panel: all integers
// as bytes in the form the tier wants, in which they may be stored already, scales
// and minimums as f32 for every block (every half block where groups are that short).
type wideTile struct {
	blocks int
	tiles  int       // of 8 tokens, for kernels that take several
	w      []uint8   // [blocks][8] words, of twice the size in paired form
	scales []float32 // [blocks][16] or [blocks][2][16]
	mins   []float32 // likewise, nil if there are none
	next   *int8     // nextBytes a block and tile are fetched from here for later
	actView
	output
}

// nextBytes is how much of the next panel a tile fetches a block: with some
// tiles of a few tokens each that is all of it, while they compute.
const nextBytes = 128

// callBlocks is how many blocks one call may take, of all its tiles: some 50 µs,
// since assembly cannot be preempted.
const callBlocks = 2048

// startTokens is the least number of tokens of a call of AVX-512's kernels of stored
// panels whose sums start from starts, see Acts.
const startTokens = 4

// view returns the activations from token t on.
func (a *Acts) view(t int) actView {
	width, at := a.tile(t)
	v := actView{q: &a.q[at*blockSize], xs: &a.scale[at], corr: &a.corr[at], half: &a.half[at], width: width}
	if a.summed {
		v.sums = &a.sums[at]
	}
	return v
}

// mulPanels computes the outputs of panels [lo, hi) of product o for n tokens; the
// worker's next ones are probably those from hi on.
func (m *IntMatrix) mulPanels(tier Tier, o *Out, n, lo, hi int, s *scratch) {
	lo = m.mulPairs(tier, o, n, lo, hi, s)
	if tier == AMX {
		tier = AVX512
	}
	if n >= wideTokens(tier, m.format, m.kernelGroup(tier)) {
		for p := lo; p < hi; p++ {
			m.expandPanel(tier, p, s)
			t := m.mulWide(tier, o, o.A, n, p, o.Add, m.nextPanel(p), s)
			m.mulDirect(tier, o, o.A, t, n, p, o.Add, s)
			if o.Rest != nil {
				t = m.mulWide(tier, o, o.Rest, n, p, true, nil, s)
				m.mulDirect(tier, o, o.Rest, t, n, p, true, s)
			}
		}
		return
	}
	if tier == AVX512 && m.kernelGroup(tier) >= blockSize && n >= actTile {
		full := min(hi, o.rows()/panelRows)
		m.mulStored(o, n, lo, full, s)
		lo = max(lo, full)
	}
	for p := lo; p < hi; p++ {
		m.mulDirect(tier, o, o.A, 0, n, p, o.Add, s)
		if o.Rest != nil {
			m.mulDirect(tier, o, o.Rest, 0, n, p, true, s)
		}
	}
}

// mulStripes computes one token of stripes [lo, hi): panels as far apart as there
// are stripes, width of each, all full.
func (m *IntMatrix) mulStripes(tier Tier, o *Out, lo, hi, stripes, width int, s *scratch) {
	if tier == AMX {
		tier = AVX512
	}
	most := max(1, callBlocks/(width*m.blocks))
	if m.super != nil && !m.fused(tier) {
		most = 1 // for which scales are worked out at a time
	}
	for p := lo; p < hi; p += most {
		n := min(most, hi-p)
		m.mulApart(tier, o, o.A, o.Add, p, n, width, stripes, s)
		if o.Rest != nil {
			m.mulApart(tier, o, o.Rest, true, p, n, width, stripes, s)
		}
	}
}

// mulStored computes panels [lo, hi), all full, with the AVX-512 kernel of 8
// tokens, and the tokens that are no whole tile.
func (m *IntMatrix) mulStored(o *Out, n, lo, hi int, s *scratch) {
	tiles := n / actTile
	most := max(1, callBlocks/(tiles*m.blocks))
	if m.super != nil && !m.fused(AVX512) {
		most = min(most, maxStreams) // for which scales are worked out at a time
	}
	for p := lo; p < hi; p += most {
		panels := min(most, hi-p)
		m.callStored(o, o.A, p, panels, tiles, o.Add, s)
		if o.Rest != nil {
			m.callStored(o, o.Rest, p, panels, tiles, true, s)
		}
		for i := p; i < p+panels && tiles*actTile < n; i++ {
			m.mulDirect(AVX512, o, o.A, tiles*actTile, n, i, o.Add, s)
			if o.Rest != nil {
				m.mulDirect(AVX512, o, o.Rest, tiles*actTile, n, i, true, s)
			}
		}
	}
}

// callStored is one call of mulStored's kernel: tiles of tokens on panels from p on,
// fetching the panel after them for later.
func (m *IntMatrix) callStored(o *Out, a *Acts, p, panels, tiles int, add bool, s *scratch) {
	c := &s.direct
	*c = m.stored(AVX512, p, s)
	for i := 1; i < panels && m.super != nil && !m.fused(AVX512); i++ { // others lie there by themselves
		m.panelScales(p+i, i, s)
	}
	_ = m.panel(p + panels - 1) // the kernel goes there by distance
	m.setSteps(c)
	c.tiles, c.panels = tiles, panels
	c.y, c.ld = o.Y[p*panelRows:][:(tiles*actTile-1)*o.LdY+panels*panelRows], o.LdY
	c.setAdd(add)
	c.actView = a.view(0)
	m.useStarts(m.format, a, 0, &c.actView)
	c.next = c.q // with nothing to fetch, lines that are needed anyway
	if next := p + panels; next < m.panelCount() {
		c.next = (*int8)(unsafe.Pointer(&m.panel(next)[0]))
	}
	mulDirect(AVX512, m.format, actTile, c)
}

// useStarts points the view of a from token t on at the starts of weights of so many
// bits, expanded ones of 8.
func (m *IntMatrix) useStarts(bits format, a *Acts, t int, v *actView) {
	s := &a.ready[bits]
	_, at := a.tile(t)
	if m.group < blockSize {
		v.corr, v.half = &s.second[at], &s.first[at]
	} else {
		v.corr = &s.all[at]
	}
}

// stored returns the work of a kernel on panel p as it is stored.
func (m *IntMatrix) stored(tier Tier, p int, s *scratch) intTile {
	c := intTile{blocks: m.blocks, groupBlocks: m.group / blockSize, w: m.panel(p)}
	if !m.fused(tier) {
		c.scales, c.mins = m.panelScales(p, 0, s)
		return c
	}
	c.super = &m.super.bytes[p*m.supers()*m.super.size]
	return c
}

// setSteps sets the distances of panels side by side.
func (m *IntMatrix) setSteps(c *intTile) {
	c.step, c.stepScales = m.panelBytes(), 2*panelRows*m.slots
	if c.super != nil {
		c.stepScales = m.supers() * m.super.size
	}
}

// kernelGroup is m's group, for choosing among kernels: those of half a block are
// as good as others where scales are joined as they are read.
func (m *IntMatrix) kernelGroup(tier Tier) int {
	if m.fused(tier) {
		return max(m.group, blockSize)
	}
	return m.group
}

// mulApart computes one token of panels [p, p+n), all full, and of those apart
// panels further, panels of them together.
func (m *IntMatrix) mulApart(tier Tier, o *Out, a *Acts, add bool, p, n, panels, apart int, s *scratch) {
	c := &s.direct
	*c = m.stored(tier, p, s)
	m.setSteps(c)
	c.panels = n
	c.apart, c.apartScales, c.apartY = apart*c.step, apart*c.stepScales, apart*panelRows
	if m.super != nil && c.super == nil { // worked out one panel after the other
		c.apartScales = c.stepScales
		for i := 1; i < panels; i++ {
			m.panelScales(p+i*apart, i, s)
		}
	}
	last := (panels-1)*apart + n - 1
	_ = m.panel(p + last) // the kernel goes there by distance
	c.y = o.Y[p*panelRows:][:(last+1)*panelRows]
	c.setAdd(add)
	c.actView = a.view(0)
	mulDirectPanels(tier, m.format, panels, c)
}

// mulDirect computes tokens [t, n) of panel p as it is stored.
func (m *IntMatrix) mulDirect(tier Tier, o *Out, a *Acts, t, n, p int, add bool, s *scratch) {
	if t == n {
		return
	}
	c := &s.direct
	*c = m.stored(tier, p, s)
	c.setAdd(add)
	for t < n {
		rows := directRows(tier, m.format, m.kernelGroup(tier), min(n-t, actTile-t%actTile))
		c.actView = a.view(t)
		if tier == AVX512 && rows >= startTokens {
			m.useStarts(m.format, a, t, &c.actView)
		}
		c.tiles, c.panels, c.next = 1, 1, c.q
		edge := m.open(&c.output, o, t, p, rows, s)
		mulDirect(tier, m.format, rows, c)
		if edge {
			m.close(o, t, p, rows, s)
		}
		t += rows
	}
}

// mulWide computes the tokens that its kernels take of the expanded panel p,
// fetches next and returns the first token that is left to mulDirect.
func (m *IntMatrix) mulWide(tier Tier, o *Out, a *Acts, n, p int, add bool, next []uint8, s *scratch) (t int) {
	c := &s.tile
	*c = wideTile{blocks: m.blocks, w: s.w, scales: s.scales, mins: s.mins}
	c.setAdd(add)
	for t < n {
		rows := wideRows(tier, m.format, min(n-t, actTile-t%actTile))
		if rows == 0 {
			break
		}
		c.actView = a.view(t)
		if paired(tier, m.format) {
			_, at := a.tile(t)
			c.q = &a.pairs[2*at*blockSize]
		}
		if tier == AVX512 || tier == AVXVNNI {
			m.useStarts(8, a, t, &c.actView)
		}
		c.next, next, c.tiles = c.fetch(next, m.blocks*nextBytes, o.tiles(tier, t, n, p, rows, 1))
		count := c.tiles * rows // the kernel counts tiles down
		edge := m.open(&c.output, o, t, p, count, s)
		mulWide(tier, m.format, m.group, rows, c)
		if edge {
			m.close(o, t, p, rows, s)
		}
		t += count
	}
	return t
}

// tiles is how many tiles the call that begins with token t may take of so many
// panels: more than one only where tiles and panel p are full.
func (o *Out) tiles(tier Tier, t, n, p, rows, panels int) int {
	if tier != AVX512 || rows < actTile || (p+1)*panelRows > o.rows() {
		return 1
	}
	return min((n-t)/actTile, max(1, callBlocks/(panels*o.M.blocks)))
}

// fetch is where a call of some tiles fetches the next panel from, step bytes a
// tile, what it leaves of that, and the tiles, of which none fetches beyond it.
// With nothing to fetch it asks for lines that are needed anyway.
func (v *actView) fetch(next []uint8, step, tiles int) (*int8, []uint8, int) {
	if len(next) == 0 {
		return v.q, nil, tiles
	}
	tiles = min(tiles, (len(next)+step-1)/step)
	return (*int8)(unsafe.Pointer(&next[0])), next[min(len(next), tiles*step):], tiles
}

// nextPanel is the panel after p, if there is one.
func (m *IntMatrix) nextPanel(p int) []uint8 {
	if p+1 < m.panelCount() {
		return m.panel(p + 1)
	}
	return nil
}

// open points c at the outputs of rows tokens from t on, or, if panel p is not
// full, at a copy of them, and reports which.
func (m *IntMatrix) open(c *output, o *Out, t, p, rows int, s *scratch) (edge bool) {
	first := p * panelRows
	cols := min(panelRows, o.rows()-first)
	c.y, c.ld = o.Y[t*o.LdY+first:][:(rows-1)*o.LdY+cols], o.LdY
	if cols == panelRows {
		return false
	}
	if c.add != 0 {
		for r := range rows {
			copy(s.edge[r*panelRows:][:cols], c.y[r*o.LdY:])
		}
	}
	c.y, c.ld = s.edge[:], panelRows
	return true
}

// close copies the outputs of a panel that is not full to their place.
func (m *IntMatrix) close(o *Out, t, p, rows int, s *scratch) {
	first := p * panelRows
	for r := range rows {
		copy(o.Y[(t+r)*o.LdY+first:][:m.rows-first], s.edge[r*panelRows:])
	}
}

// paired reports whether the tier's wide kernel of f reads magnitudes and signs
// of weights, and activations beside their opposites.
func paired(tier Tier, f format) bool { return tier == AVX2 && f == 8 }

// wideBlock is the size of a block of an expanded panel.
func wideBlock(tier Tier, f format) int {
	if paired(tier, f) {
		return 2 * quads * wordBytes
	}
	return quads * wordBytes
}

// scratch is the memory of one worker.
type scratch struct {
	w            []uint8
	memory       []uint8 // of w where the panel is not used as it is
	scales, mins []float32
	minMemory    []float32
	joined       []uint16 // scales and minimums of superblocks
	edge         [actTile * panelRows]float32
	tile         wideTile
	direct       intTile
}

// expandPanel prepares panel p for mulWide.
func (m *IntMatrix) expandPanel(tier Tier, p int, s *scratch) {
	if !expands(tier, m.format) {
		s.w = m.panel(p)
	} else {
		size := m.blocks * wideBlock(tier, m.format)
		s.memory = sized(s.memory, size)
		s.w = s.memory
		expand(tier, m.format, s.w, m.panel(p), m.blocks)
	}
	m.widenPanels(tier, p, 1, s)
}

// widenPanels writes the scales and minimums of so many panels from p on, at most
// maxStreams, to s as f32, for every block or half block.
func (m *IntMatrix) widenPanels(tier Tier, p, panels int, s *scratch) {
	n := m.blocks * panelRows
	if m.group < blockSize {
		n *= 2
	}
	s.scales, s.mins = sized(s.scales, panels*n), nil
	if m.mins != nil || m.super != nil && m.super.mins {
		s.minMemory = sized(s.minMemory, panels*n)
		s.mins = s.minMemory
	}
	for i := range panels {
		to, low := s.scales[i*n:][:n], s.mins
		if low != nil {
			low = low[i*n:][:n]
		}
		if m.fused(tier) {
			m.widenSupers(to, low, p+i)
			continue
		}
		scales, mins := m.panelScales(p+i, i, s)
		m.widen(to, scales)
		if mins != nil {
			m.widen(low, mins)
		}
	}
	m.fetchScales(p+panels, panels)
}

// sized returns n values, in dst's memory if they fit.
func sized[T uint8 | float32](dst []T, n int) []T {
	if cap(dst) < n {
		return aligned[T](n)
	}
	return dst[:n]
}

// fetchScales asks for the scales and minimums of so many panels from p on: they are too
// few for the processor to see where they go on. panelScales does for superblocks.
func (m *IntMatrix) fetchScales(p, panels int) {
	size := m.slots * panelRows
	from, to := p*size, min(p+panels, m.panelCount())*size
	for _, s := range [][]uint16{m.scales, m.mins} {
		if from < to && to <= len(s) {
			fetchLines((*uint8)(unsafe.Pointer(&s[from])), 2*(to-from))
		}
	}
}

// widen converts a panel's scales to f32 and repeats them for every block.
func (m *IntMatrix) widen(dst []float32, src []uint16) {
	n, repeat := len(dst), m.group/blockSize
	if repeat <= 1 {
		widenHalves(dst, src)
		return
	}
	for at, g := 0, 0; at < n; g++ {
		group := dst[at:][:min(repeat*panelRows, n-at)]
		widenHalves(group[:panelRows], src[g*panelRows:])
		for i := panelRows; i < len(group); i += panelRows {
			copy(group[i:], group[:panelRows])
		}
		at += len(group)
	}
}
