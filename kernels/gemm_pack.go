package kernels

import "unsafe"

// panelRows is the number of outputs that a panel of packed weights holds side
// by side, on every tier.
const panelRows = 16

// alignedFloats returns n floats that start on a cache line.
func alignedFloats(n int) []float32 { return aligned[float32](n) }

// aligned returns n zero values that start at a multiple of 64 bytes.
func aligned[T float32 | uint16 | int16 | int8 | uint8 | int32](n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	s := make([]T, n+64/size)
	skip := 0
	if rest := int(uintptr(unsafe.Pointer(unsafe.SliceData(s))) & 63); rest != 0 {
		skip = (64 - rest) / size
	}
	return s[skip : skip+n : skip+n]
}

// packStrips copies rows [i0, i0+mc) and columns [k0, k0+kc) of op(A), scaled
// by alpha, to strips of width rows laid out [kc][width]; the last strip is as
// narrow as its rows.
func packStrips(dst []float32, trans bool, a []float32, lda, i0, mc, k0, kc, width int, alpha float32) {
	if trans {
		split(dst, a[k0*lda+i0:], lda, kc, mc, width)
	} else {
		for i := 0; i < mc; i += width {
			w := min(width, mc-i)
			interleave(dst[i*kc:][:w*kc], a[(i0+i)*lda+k0:], lda, w, kc, w)
		}
	}
	if alpha != 1 {
		scale(dst[:mc*kc], alpha)
	}
}

// packPanels copies rows [k0, k0+kc) and columns [j0, j0+nc) of op(B) to panels
// of 16 columns laid out [kc][16], the last one filled up with zeros.
func packPanels(dst []float32, trans bool, b []float32, ldb, j0, nc, k0, kc int) {
	rest := nc % panelRows
	last := dst[(nc-rest)*kc:][:(nc+panelRows-1)/panelRows*panelRows*kc-(nc-rest)*kc]
	clear(last)
	if trans {
		for j := 0; j < nc; j += panelRows {
			interleave(dst[j*kc:][:panelRows*kc], b[(j0+j)*ldb+k0:], ldb, min(panelRows, nc-j), kc, panelRows)
		}
		return
	}
	b = b[k0*ldb+j0:]
	split(dst, b, ldb, kc, nc-rest, panelRows)
	if rest > 0 {
		for k := range kc {
			copy(last[k*panelRows:], b[k*ldb+nc-rest:][:rest])
		}
	}
}

// splitRows bounds the rows that split walks over at a time, so that their
// pages stay in the first level of the TLB.
const splitRows = 32

// split cuts kc rows of cols values, ld apart, to strips of width columns laid
// out [kc][width]; the last strip is as narrow as its columns.
func split(dst, src []float32, ld, kc, cols, width int) {
	for k := 0; k < kc; k += splitRows {
		rows := min(splitRows, kc-k)
		for i := 0; i < cols; i += width {
			w := min(width, cols-i)
			gather(dst[i*kc+k*w:][:rows*w], src[k*ld+i:], ld, rows, w)
		}
	}
}

// gather copies w values of each row, ld apart, to dst, one after the other.
// The widths of whole strips and panels are moved as arrays, which the compiler
// turns into vector moves.
func gather(dst, src []float32, ld, rows, w int) {
	switch w {
	case 16:
		for k := range rows {
			*(*[16]float32)(dst[k*16:]) = *(*[16]float32)(src[k*ld:])
		}
	case 12:
		for k := range rows {
			*(*[12]float32)(dst[k*12:]) = *(*[12]float32)(src[k*ld:])
		}
	case 6:
		for k := range rows {
			*(*[6]float32)(dst[k*6:]) = *(*[6]float32)(src[k*ld:])
		}
	default:
		for k := range rows {
			copy(dst[k*w:][:w], src[k*ld:])
		}
	}
}

// interleaveGeneric transposes rows x cols values of src, rows ld apart, to dst
// laid out [cols][width]; places from rows to width keep their values.
func interleaveGeneric(dst, src []float32, ld, rows, cols, width int) {
	for r := range rows {
		out := dst[r:]
		for k, v := range src[r*ld:][:cols] {
			out[k*width] = v
		}
	}
}
