//go:build !noasm && (amd64 || arm64)

package kernels

import "unsafe"

// denseTile is the work of one call of a dense kernel, read by the assembly:
// some rows of C, 16*panels wide. k is at least 1.
type denseTile struct {
	k          int
	a          *float32       // [k][stride], from the first row's value on
	stride     int            // values
	b          unsafe.Pointer // panels [k][16], one after the other
	c          *float32
	ldc        int // values
	accumulate int // 0: C is not read
}

// tile computes rows x 16*side elements of C; a holds its rows as words
// [k][stride] and the panels follow one another.
func tile[E element](tier Tier, rows, side, k int, a []float32, stride int, panels []E, c []float32, ldc int, accumulate bool) {
	if tier != Generic {
		_, _, _ = a[(k-1)*stride+rows-1], panels[side*k*panelRows-1], c[(rows-1)*ldc+side*panelRows-1]
		t := denseTile{
			k: k, a: unsafe.SliceData(a), stride: stride,
			b: unsafe.Pointer(unsafe.SliceData(panels)),
			c: unsafe.SliceData(c), ldc: ldc,
		}
		if accumulate {
			t.accumulate = 1
		}
		if runTile(tier, unsafe.Sizeof(panels[0]) == 2, rows, side, &t) {
			return
		}
	}
	tileGeneric(rows, side, k, a, stride, panels, c, ldc, accumulate)
}
