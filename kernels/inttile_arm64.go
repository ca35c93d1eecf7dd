//go:build !noasm

package kernels

//go:noescape
func mulBytesNEONT2(c *intTile)

//go:noescape
func mulBytesNEONT1(c *intTile)

//go:noescape
func mulNibblesNEONT2(c *intTile)

//go:noescape
func mulNibblesNEONT1(c *intTile)

//go:noescape
func quantizeNEON(x *float32, blocks int, q *int8, scale *float32, corr8, corr4 *int32, width int)

// intTileRows is the number of tokens, of those left in a tile, of the next
// kernel call.
func intTileRows(tier Tier, left int) int {
	if tier == NEON {
		return min(left, 2)
	}
	return left
}

// mulInt computes rows tokens, a number that intTileRows gave.
func mulInt(tier Tier, rows int, c *intTile) {
	switch {
	case tier != NEON:
		mulIntGeneric(rows, c)
	case c.nibbles && rows == 2:
		mulNibblesNEONT2(c)
	case c.nibbles:
		mulNibblesNEONT1(c)
	case rows == 2:
		mulBytesNEONT2(c)
	default:
		mulBytesNEONT1(c)
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
	quantizeNEON(&x[0], blocks, &a.q[at*blockSize], &a.scale[at], &a.corr8[at], &a.corr4[at], width)
}
