//go:build !noasm

package kernels

//go:noescape
func quantizeNEON(x *float32, blocks int, q *int8, scale *float32, corr, half *int32, width int)

//go:noescape
func widenHalvesNEON(dst *float32, src *uint16, n int)

const never = 1 << 30

// wideFrom is the number of tokens from which on a panel of a format is expanded
// first: where that and the wide kernel together take fewer instructions than
// the direct ones, which cost more the more tokens share a weight.
var wideFrom = [...]struct{ bytes, nibbles, others int }{
	Generic: {never, never, never},
	NEON:    {never, 6, 1},
	DotProd: {4, 12, 2},
	I8MM:    {6, 5, 2},
}

func wideTokens(tier Tier, f format, _ int, _ bool) int {
	switch from := &wideFrom[tier]; f {
	case 8:
		return from.bytes
	case 4:
		return from.nibbles
	default:
		return from.others
	}
}

// expands reports whether the wide form of f differs from the stored one.
func expands(tier Tier, f format) bool { return f != 8 || tier == I8MM }

// directRows is the number of tokens, of those left in a tile, of the next call
// of mulDirect.
func directRows(tier Tier, f format, left int) int {
	switch {
	case tier == Generic:
		return left
	case f != 8 && f != 4:
		return 1
	case tier != NEON && f == 4 && left >= 4:
		return 4
	}
	return min(left, 2)
}

// wideRows is directRows for mulWide.
func wideRows(tier Tier, _ format, left int) int {
	if tier != NEON && left >= 4 {
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

// mulWide computes rows tokens, a number that wideRows gave, of a panel that
// expand wrote.
func mulWide(tier Tier, _ format, group, rows int, c *wideTile) {
	form := 0
	if group < blockSize {
		form = short
	}
	runWide(tier, form, rows, c)
}

// expand writes the blocks of a stored panel in the form mulWide wants.
func expand(tier Tier, f format, dst, src []uint8, blocks int) {
	_, _ = dst[blocks*quads*wordBytes-1], src[blocks*f.blockBytes()-1]
	runExpand(tier, f, &dst[0], &src[0], blocks)
}

// widenHalves converts len(dst) binary16 values, a multiple of 8.
func widenHalves(dst []float32, src []uint16) {
	if len(dst) > 0 {
		_ = src[len(dst)-1]
		widenHalvesNEON(&dst[0], &src[0], len(dst))
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
	quantizeNEON(&x[0], blocks, &a.q[at*blockSize], &a.scale[at], &a.corr[at], &a.half[at], width)
}
