//go:build !noasm && (amd64 || arm64)

package kernels

// interleave transposes rows x cols values of src, rows ld apart, to dst laid
// out [cols][width]; places from rows to width keep their
// values.
func interleave(dst, src []float32, ld, rows, cols, width int) {
	if floatTier() == Generic {
		interleaveGeneric(dst, src, ld, rows, cols, width)
		return
	}
	four, eight := rows&^3, cols&^7
	for r := 0; r < four && eight > 0; r += 4 {
		_, _ = dst[r+(eight-1)*width+3], src[(r+3)*ld+eight-1]
		interleave4(&dst[r], width, &src[r*ld], ld, eight)
	}
	if four > 0 && eight < cols {
		interleaveGeneric(dst[eight*width:], src[eight:], ld, four, cols-eight, width)
	}
	if four < rows {
		interleaveGeneric(dst[four:], src[four*ld:], ld, rows-four, cols, width)
	}
}
