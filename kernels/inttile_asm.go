//go:build !noasm && (amd64 || arm64)

package kernels

// super marks scales that the kernel joins with those of superblocks.
const super = 32

// directForm names the direct kernel of a format and of c's groups.
func directForm(f format, c *intTile) int {
	form := int(f)
	if c.groupBlocks == 0 {
		form |= short
	}
	if c.super != nil {
		form |= super
	}
	return form
}

// mulDirect computes rows tokens, a number that directRows gave.
func mulDirect(tier Tier, f format, rows int, c *intTile) {
	if tier == Generic {
		mulDirectGeneric(f, rows, c)
		return
	}
	runDirect(tier, directForm(f, c), rows, c)
}

// mulWide computes rows tokens, a number that wideRows gave, of a panel that
// expand wrote.
func mulWide(tier Tier, f format, group, rows int, c *wideTile) {
	form := wideForm(tier, f)
	if group < blockSize {
		form |= short
	}
	runWide(tier, form, rows, c)
}

// expand writes the blocks of a stored panel in the form mulWide wants.
func expand(tier Tier, f format, dst, src []uint8, blocks int) {
	_, _ = dst[blocks*wideBlock(tier, f)-1], src[blocks*f.blockBytes()-1]
	runExpand(tier, f, &dst[0], &src[0], blocks)
}

// widenHalves converts len(dst) binary16 values, a multiple of 8.
func widenHalves(dst []float32, src []uint16) {
	if len(dst) > 0 {
		_ = src[len(dst)-1]
		widenHalvesVector(&dst[0], &src[0], len(dst))
	}
}

// joinScales writes the scales of the superblocks from first on, [groups][16] of
// each.
func joinScales(dst []uint16, u *superScales, first int) {
	if Active() == Generic {
		u.joinGeneric(dst, first, false)
		return
	}
	b, n := u.span(first, len(dst))
	joinScalesVector(&dst[0], &b.scale[0], &b.fine[0], n, u.groups, u.size)
}

// joinMins is joinScales for minimums.
func joinMins(dst []uint16, u *superScales, first int) {
	if Active() == Generic {
		u.joinGeneric(dst, first, true)
		return
	}
	b, n := u.span(first, len(dst))
	joinMinsVector(&dst[0], &b.scale[0], &b.fine[0], &b.min[0], &b.fineMin[0], u.offset, n, u.groups, u.size)
}

// span returns superblock first and how many from there on have so many values,
// all of which are there.
func (s *superScales) span(first, values int) (b superBlock, n int) {
	n = values / (s.groups * panelRows)
	_ = s.bytes[(first+n)*s.size-1]
	return s.block(first), n
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
	quantizeVector(&x[0], blocks, &a.q[at*blockSize], &a.scale[at], &a.corr[at], &a.half[at], width)
}

// subtract takes from x what the blocks of a stand for, at block index at and
// every width further.
func subtract(tier Tier, x []float32, a *Acts, at, width int) {
	if tier == Generic {
		subtractGeneric(x, a, at, width)
		return
	}
	blocks := len(x) / blockSize
	_ = a.scale[at+(blocks-1)*width]
	subtractVector(&x[0], blocks, &a.q[at*blockSize], &a.scale[at], width)
}
