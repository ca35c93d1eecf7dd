//go:build !noasm

package kernels

//go:noescape
func mulBytesAVX512T8(c *intTile)

//go:noescape
func mulBytesAVX512T4(c *intTile)

//go:noescape
func mulBytesAVX512T2(c *intTile)

//go:noescape
func mulBytesAVX512T1(c *intTile)

//go:noescape
func mulNibblesAVX512T8(c *intTile)

//go:noescape
func mulNibblesAVX512T4(c *intTile)

//go:noescape
func mulNibblesAVX512T2(c *intTile)

//go:noescape
func mulNibblesAVX512T1(c *intTile)

//go:noescape
func mulBytesAVX2T2(c *intTile)

//go:noescape
func mulBytesAVX2T1(c *intTile)

//go:noescape
func mulNibblesAVX2T2(c *intTile)

//go:noescape
func mulNibblesAVX2T1(c *intTile)

//go:noescape
func quantizeAVX2(x *float32, blocks int, q *int8, scale *float32, corr8, corr4 *int32, width int)

//go:noescape
func interleave4AVX2(dst *float32, width int, src *float32, ld, n int)

func interleave4(dst *float32, width int, src *float32, ld, n int) {
	interleave4AVX2(dst, width, src, ld, n)
}

// intTileRows is the number of tokens, of those left in a tile, of the next
// kernel call.
func intTileRows(tier Tier, left int) int {
	switch {
	case tier == AVX512 && left >= 8:
		return 8
	case tier == AVX512 && left >= 4:
		return 4
	case tier != Generic && left >= 2:
		return 2
	case tier != Generic:
		return 1
	}
	return left
}

// mulInt computes rows tokens, a number that intTileRows gave.
func mulInt(tier Tier, rows int, c *intTile) {
	switch {
	case tier == AVX512 && c.nibbles:
		switch rows {
		case 8:
			mulNibblesAVX512T8(c)
		case 4:
			mulNibblesAVX512T4(c)
		case 2:
			mulNibblesAVX512T2(c)
		default:
			mulNibblesAVX512T1(c)
		}
	case tier == AVX512:
		switch rows {
		case 8:
			mulBytesAVX512T8(c)
		case 4:
			mulBytesAVX512T4(c)
		case 2:
			mulBytesAVX512T2(c)
		default:
			mulBytesAVX512T1(c)
		}
	case tier == AVX2 && c.nibbles && rows == 2:
		mulNibblesAVX2T2(c)
	case tier == AVX2 && c.nibbles:
		mulNibblesAVX2T1(c)
	case tier == AVX2 && rows == 2:
		mulBytesAVX2T2(c)
	case tier == AVX2:
		mulBytesAVX2T1(c)
	default:
		mulIntGeneric(rows, c)
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
	quantizeAVX2(&x[0], blocks, &a.q[at*blockSize], &a.scale[at], &a.corr8[at], &a.corr4[at], width)
}
