//go:build !noasm

package kernels

// stripWidth is the number of rows of A that one strip holds.
func stripWidth(tier Tier) int {
	switch tier {
	case AVX512:
		return 12
	case AVX2:
		return 6
	}
	return 4
}

// tilePanels is the number of panels, of those left, that a tile of a strip w
// wide takes at once. A single row needs several panels, so that enough chains
// of additions run side by side.
func tilePanels(tier Tier, w, left int) int {
	switch {
	case tier != Generic && w == 1 && left >= 4:
		return 4
	case tier == AVX512 && left >= 2:
		return 2
	}
	return min(left, 1)
}

// tileRows is the number of rows, of those left in a strip, of the next tile.
func tileRows(tier Tier, left int) int {
	sizes := [...]int{12, 8, 4, 2, 1}
	if tier != AVX512 {
		sizes = [...]int{6, 4, 2, 1, 1}
	}
	for _, n := range sizes {
		if n <= left {
			return n
		}
	}
	return 1
}
