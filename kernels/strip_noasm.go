//go:build noasm || !(amd64 || arm64)

package kernels

// stripWidth is the number of rows of A that one strip holds.
func stripWidth(Tier) int { return 4 }

// tilePanels is the number of panels, of those left, that a tile of a strip w
// wide takes at once.
func tilePanels(_ Tier, _, left int) int { return min(left, 1) }

// tileRows is the number of rows, of those left in a strip, of the next tile.
func tileRows(_ Tier, left int) int { return min(left, 4) }

func tile[E element](_ Tier, rows, side, k int, a []float32, stride int, panels []E, c []float32, ldc int, accumulate bool) {
	tileGeneric(rows, side, k, a, stride, panels, c, ldc, accumulate)
}

func interleave(dst, src []float32, ld, rows, cols, width int) {
	interleaveGeneric(dst, src, ld, rows, cols, width)
}
