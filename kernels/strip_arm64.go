//go:build !noasm

package kernels

// stripWidth is the number of rows of A that one strip holds.
func stripWidth(Tier) int { return 4 }

// tilePanels is the number of panels, of those left, that a tile of a strip w
// wide takes at once. A single row needs two, so that enough chains of
// additions run side by side.
func tilePanels(tier Tier, w, left int) int {
	if tier == NEON && w == 1 {
		return min(left, 2)
	}
	return min(left, 1)
}

// tileRows is the number of rows, of those left in a strip, of the next tile.
func tileRows(_ Tier, left int) int {
	for _, n := range [...]int{4, 2} {
		if n <= left {
			return n
		}
	}
	return 1
}
