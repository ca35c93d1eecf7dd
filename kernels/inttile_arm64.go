//go:build !noasm

package kernels

//go:noescape
func quantizeNEON(x *float32, blocks int, q *int8, scale *float32, corr, half *int32, width int)

//go:noescape
func subtractNEON(x *float32, blocks int, q *int8, scale *float32, width int)

//go:noescape
func widenHalvesNEON(dst *float32, src *uint16, n int)

//go:noescape
func joinScalesNEON(dst *uint16, super *uint16, fine *int8, supers, groups, step int)

//go:noescape
func fetchNEON(p *uint8, bytes int)

//go:noescape
func joinMinsNEON(dst *uint16, super *uint16, fine *int8, superMin *uint16, fineMin *int8, offset float32, supers, groups, step int)

const never = 1 << 30

// byteOffset is 0: bytes stay signed, as SDOT, SMMLA and SMULL want weights.
const byteOffset = 0

// wideFrom is the number of tokens from which on a panel of a format is expanded
// first: where that and the wide kernel together take fewer instructions than
// the direct ones, which cost more the more tokens share a weight.
var wideFrom = [...]struct{ bytes, nibbles, others int }{
	Generic: {never, never, never},
	NEON:    {never, 6, 1},
	DotProd: {4, 12, 2},
	I8MM:    {6, 5, 2},
}

func wideTokens(tier Tier, f format, _ int) int {
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
func directRows(tier Tier, f format, _, left int) int {
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

// wideForm is 0: all formats have one wide form.
func wideForm(Tier, format) int { return 0 }

func widenHalvesVector(dst *float32, src *uint16, n int) { widenHalvesNEON(dst, src, n) }

func joinScalesVector(dst, super *uint16, fine *int8, supers, groups, step int) {
	joinScalesNEON(dst, super, fine, supers, groups, step)
}

func fetchLines(p *uint8, bytes int) { fetchNEON(p, bytes) }

func joinMinsVector(dst, super *uint16, fine *int8, superMin *uint16, fineMin *int8, offset float32, supers, groups, step int) {
	joinMinsNEON(dst, super, fine, superMin, fineMin, offset, supers, groups, step)
}

func quantizeVector(x *float32, blocks int, q *int8, scale *float32, corr, half *int32, width int) {
	quantizeNEON(x, blocks, q, scale, corr, half, width)
}

func subtractVector(x *float32, blocks int, q *int8, scale *float32, width int) {
	subtractNEON(x, blocks, q, scale, width)
}

// quantizeTiles has nothing faster than quantize by rows.
func quantizeTiles(Tier, []float32, int, int, int, *Acts, int) bool { return false }
