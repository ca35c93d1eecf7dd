//go:build !noasm

package kernels

//go:noescape
func quantizeAVX2(x *float32, blocks int, q *int8, scale *float32, corr, half *int32, width int)

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

func interleave4(dst *float32, width int, src *float32, ld, n int) {
	interleave4AVX2(dst, width, src, ld, n)
}

// wideTokens is the number of tokens from which on a panel is expanded first.
func wideTokens(tier Tier, _ format, _ int, _ bool) int {
	if tier == Generic {
		return 1 << 30
	}
	return 6 // unpacking costs as much as two tokens
}

// expands reports whether the wide form of f differs from the stored one.
func expands(Tier, format) bool { return true }

// directRows is the number of tokens, of those left in a tile, of the next call
// of mulDirect.
func directRows(tier Tier, _ format, left int) int {
	if tier == Generic {
		return left
	}
	return min(left, 2)
}

// wideRows is directRows for mulWide.
func wideRows(tier Tier, _ format, left int) int {
	switch {
	case tier == AVX512 && left >= 8:
		return 8
	case left >= 4:
		return 4
	}
	return min(left, 2)
}

// mulDirect computes rows tokens, a number that directRows gave.
func mulDirect(tier Tier, f format, rows int, c *intTile) {
	if tier == Generic {
		mulDirectGeneric(f, rows, c)
		return
	}
	form := int(f)
	if c.groupBlocks == 0 {
		form |= short
	}
	runDirect(tier, form, rows, c)
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

// pairsPanels reports whether a single token takes panels by twos.
func pairsPanels(tier Tier) bool { return tier == AVX2 }

// mulDirectPair computes one token of two panels.
func mulDirectPair(_ Tier, f format, c *intTile) {
	form := int(f)
	if c.groupBlocks == 0 {
		form |= short
	}
	runDirect(AVX2, form, 1+pair, c)
}

// mulWide computes rows tokens, a number that wideRows gave, of a panel that
// expand wrote.
func mulWide(tier Tier, f format, group, rows int, c *wideTile) {
	form := 8
	if tier == AVX2 {
		form = max(4, int(f))
	}
	if group < blockSize {
		form |= short
	}
	runWide(tier, form, rows, c)
}

// expand writes the blocks of a stored panel in the form mulWide wants.
func expand(tier Tier, f format, dst, src []uint8, blocks int) {
	_, _ = dst[len(dst)-1], src[blocks*f.blockBytes()-1]
	runExpand(tier, f, &dst[0], &src[0], blocks)
}

// pairBlocks writes each four values of src and then their opposites to dst.
func pairBlocks(dst, src []int8) {
	blocks := len(src) / blockSize
	_, _ = src[blocks*blockSize-1], dst[2*blocks*blockSize-1]
	pairBlocksAVX2(&dst[0], &src[0], blocks)
}

// widenHalves converts len(dst) binary16 values, a multiple of 8.
func widenHalves(dst []float32, src []uint16) {
	if len(dst) > 0 {
		_ = src[len(dst)-1]
		widenHalvesAVX2(&dst[0], &src[0], len(dst))
	}
}

// quantize writes the blocks of x to a, at block index at and every width
// further.
func quantize(tier Tier, x []float32, a *Acts, at, width int) {
	if tier == Generic {
		quantizeGeneric(x, a, at, width)
		return
	}
	blocks := len(x) / blockSize
	_ = a.scale[at+(blocks-1)*width]
	quantizeAVX2(&x[0], blocks, &a.q[at*blockSize], &a.scale[at], &a.corr[at], &a.half[at], width)
}
