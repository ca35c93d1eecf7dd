package kernels

import "unsafe"

// panelRows is the number of outputs that a panel of packed weights holds side
// by side, on every tier.
const panelRows = 16

// alignedFloats returns n floats that start on a cache line.
func alignedFloats(n int) []float32 { return aligned[float32](n) }

// aligned returns n zero values that start at a multiple of 64 bytes.
func aligned[T float32 | uint16 | int8 | uint8 | int32](n int) []T {
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
	for i := 0; i < mc; i += width {
		w := min(width, mc-i)
		strip := dst[i*kc:][:w*kc]
		if trans {
			gather(strip, a[k0*lda+i0+i:], lda, kc, w)
		} else {
			interleave(strip, a[(i0+i)*lda+k0:], lda, w, kc, w)
		}
		if alpha != 1 {
			scale(strip, alpha)
		}
	}
}

// packPanels copies rows [k0, k0+kc) and columns [j0, j0+nc) of op(B) to panels
// of 16 columns laid out [kc][16], the last one filled up with zeros.
func packPanels(dst []float32, trans bool, b []float32, ldb, j0, nc, k0, kc int) {
	for j := 0; j < nc; j += panelRows {
		w := min(panelRows, nc-j)
		panel := dst[j*kc:][:panelRows*kc]
		if trans {
			if w < panelRows {
				clear(panel)
			}
			interleave(panel, b[(j0+j)*ldb+k0:], ldb, w, kc, panelRows)
			continue
		}
		if w == panelRows {
			gather(panel, b[k0*ldb+j0+j:], ldb, kc, w)
			continue
		}
		for k := range kc {
			out := panel[k*panelRows:][:panelRows]
			copy(out, b[(k0+k)*ldb+j0+j:][:w])
			clear(out[w:])
		}
	}
}

// gather copies w values of each of kc rows, ld apart, to dst, one after the
// other. The widths of whole strips and panels are moved as arrays, which the
// compiler turns into vector moves.
func gather(dst, src []float32, ld, kc, w int) {
	switch w {
	case 16:
		for k := range kc {
			*(*[16]float32)(dst[k*16:]) = *(*[16]float32)(src[k*ld:])
		}
	case 12:
		for k := range kc {
			*(*[12]float32)(dst[k*12:]) = *(*[12]float32)(src[k*ld:])
		}
	case 6:
		for k := range kc {
			*(*[6]float32)(dst[k*6:]) = *(*[6]float32)(src[k*ld:])
		}
	default:
		for k := range kc {
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
