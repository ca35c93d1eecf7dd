//go:build !noasm

package kernels

//go:noescape
func quantizeAVX2(x *float32, blocks int, q *int8, scale *float32, corr, half *int32, width int)

//go:noescape
func quantizeTileAVX512(x *float32, ldx, blocks int, q *int8, scale *float32, corr, half *int32, tiles, width int)

//go:noescape
func subtractAVX2(x *float32, blocks int, q *int8, scale *float32, width int)

//go:noescape
func interleave4AVX2(dst *float32, width int, src *float32, ld, n int)

//go:noescape
func pairBlocksAVX2(dst, src *int8, blocks int)

//go:noescape
func pack8AVX2(dst *uint8, src *int8, cols, blocks int) uint64

//go:noescape
func pack6AVX2(dst *uint8, src *int8, cols, blocks int) uint64

//go:noescape
func pack4AVX2(dst *uint8, src *int8, cols, blocks int) uint64

//go:noescape
func widenHalvesAVX2(dst *float32, src *uint16, n int)

//go:noescape
func joinScalesAVX2(dst *uint16, super *uint16, fine *int8, supers, groups, step int)

//go:noescape
func joinScalesWideAVX2(dst *float32, super *uint16, fine *int8, supers, groups, step int)

//go:noescape
func joinMinsWideAVX2(dst *float32, super *uint16, fine *int8, superMin *uint16, fineMin *int8, offset float32, supers, groups, step int)

//go:noescape
func fetchAVX2(p *uint8, bytes int)

//go:noescape
func joinMinsAVX2(dst *uint16, super *uint16, fine *int8, superMin *uint16, fineMin *int8, offset float32, supers, groups, step int)

func interleave4(dst *float32, width int, src *float32, ld, n int) {
	interleave4AVX2(dst, width, src, ld, n)
}

// byteOffset makes bytes unsigned, as VPDPBUSD wants weights.
const byteOffset = 0x80

// wideTokens is the number of tokens from which on a panel is expanded first,
// scales at least.
func wideTokens(tier Tier, _ format, group int) int {
	switch {
	case tier == Generic:
		return 1 << 30
	case tier == AVX512 && group >= blockSize:
		return 40 // its kernel of stored panels takes as many tokens
	}
	return 6 // unpacking costs as much as two tokens
}

// fuses reports whether kernels of stored panels join scales of superblocks.
func fuses(tier Tier, f format, group int, mins bool) bool {
	if tier != AVX512 && tier != AMX {
		return false
	}
	return f == 4 && group == blockSize && mins || f == 6 && group < blockSize
}

// joinScalesWide is joinScales in f32.
func joinScalesWide(dst []float32, u *superScales, first int) {
	b, n := u.span(first, len(dst))
	joinScalesWideAVX2(&dst[0], &b.scale[0], &b.fine[0], n, u.groups, u.size)
}

// joinMinsWide is joinMins in f32.
func joinMinsWide(dst []float32, u *superScales, first int) {
	b, n := u.span(first, len(dst))
	joinMinsWideAVX2(&dst[0], &b.scale[0], &b.fine[0], &b.min[0], &b.fineMin[0], u.offset, n, u.groups, u.size)
}

// expands reports whether the wide form of f differs from the stored one.
func expands(tier Tier, f format) bool { return f != 8 || tier == AMX || paired(tier, f) }

// directRows is the number of tokens, of those left in a tile, of the next call
// of mulDirect.
func directRows(tier Tier, _ format, group, left int) int {
	switch {
	case tier == Generic:
		return left
	case tier == AVX512 && group >= blockSize && left >= 4:
		return left &^ 3
	}
	return min(left, 2)
}

// wideRows is directRows for mulWide; 0 leaves the rest to mulDirect.
func wideRows(tier Tier, _ format, left int) int {
	switch {
	case tier == AVX512:
		return left &^ 7
	case left >= 4:
		return 4
	}
	return min(left, 2)
}

// packPanel packs 16 rows of whole blocks; false if that is left to plain Go, for
// one because a value does not fit.
func packPanel(f format, panel []uint8, q []int8, cols int) bool {
	if Active() == Generic {
		return false
	}
	blocks := cols / blockSize
	_, _ = panel[blocks*f.blockBytes()-1], q[panelRows*cols-1]
	switch f {
	case 8:
		return pack8AVX2(&panel[0], &q[0], cols, blocks) == 0
	case 6:
		return pack6AVX2(&panel[0], &q[0], cols, blocks) == 0
	case 4:
		return pack4AVX2(&panel[0], &q[0], cols, blocks) == 0
	}
	return false
}

// streams is how many panels the kernel of one token takes that takes most.
func streams(tier Tier) int {
	switch {
	case tier == Generic:
		return 1
	case tier == AVX512, tier == AMX:
		return 4
	case tier == AVXVNNI:
		return 1
	}
	return 2
}

// mulDirectPanels computes one token of two or four panels.
func mulDirectPanels(tier Tier, f format, panels int, c *intTile) {
	runDirect(tier, directForm(f, c), 1+panels*panelsCode, c)
}

// wideForm is the bits of an expanded panel.
func wideForm(tier Tier, f format) int {
	if tier == AVX2 {
		return max(4, int(f))
	}
	return 8
}

// pairBlocks writes each four values of src and then their opposites to dst.
func pairBlocks(dst, src []int8) {
	blocks := len(src) / blockSize
	_, _ = src[blocks*blockSize-1], dst[2*blocks*blockSize-1]
	pairBlocksAVX2(&dst[0], &src[0], blocks)
}

func widenHalvesVector(dst *float32, src *uint16, n int) { widenHalvesAVX2(dst, src, n) }

func joinScalesVector(dst, super *uint16, fine *int8, supers, groups, step int) {
	joinScalesAVX2(dst, super, fine, supers, groups, step)
}

func fetchLines(p *uint8, bytes int) { fetchAVX2(p, bytes) }

func joinMinsVector(dst, super *uint16, fine *int8, superMin *uint16, fineMin *int8, offset float32, supers, groups, step int) {
	joinMinsAVX2(dst, super, fine, superMin, fineMin, offset, supers, groups, step)
}

func quantizeVector(x *float32, blocks int, q *int8, scale *float32, corr, half *int32, width int) {
	quantizeAVX2(x, blocks, q, scale, corr, half, width)
}

// quantizeTiles is quantize for so many blocks of all tokens of some tiles, whose rows
// are ldx apart, if the tier does eight tokens at once.
func quantizeTiles(tier Tier, x []float32, ldx, tiles, blocks int, a *Acts, at int) bool {
	if tier != AVX512 && tier != AMX {
		return false
	}
	last := at + ((tiles-1)*a.blocks+blocks)*actTile - 1
	_, _, _, _ = x[(tiles*actTile-1)*ldx+blocks*blockSize-1], a.scale[last], a.corr[last], a.half[last]
	_ = a.q[(last+1)*blockSize-1]
	quantizeTileAVX512(&x[0], ldx, blocks, &a.q[at*blockSize], &a.scale[at], &a.corr[at], &a.half[at], tiles, a.blocks)
	return true
}

func subtractVector(x *float32, blocks int, q *int8, scale *float32, width int) {
	subtractAVX2(x, blocks, q, scale, width)
}
