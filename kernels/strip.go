package kernels

// element is the storage of dense packed weights: f32, or bfloat16 bits.
type element interface{ float32 | uint16 }

// maxStrip is the widest strip of any tier.
const maxStrip = 12

// multiplyStrip computes w rows of C, ldc apart and cols long, from a strip a
// laid out [k][w] and consecutive panels b laid out [k][16]. Each element of C
// is one chain of fused multiply-adds over k, from its present value if
// accumulate, else from zero.
func multiplyStrip[E element](tier Tier, k int, a []float32, w int, b []E, c []float32, ldc, cols int, accumulate bool) {
	a = a[:k*w]
	for j := 0; j < cols; {
		side := tilePanels(tier, w, (cols-j)/panelRows)
		if side == 0 {
			multiplyEdge(tier, k, a, w, b[j*k:][:k*panelRows], c[j:], ldc, cols-j, accumulate)
			return
		}
		panels := b[j*k:][:k*panelRows*side]
		for t := 0; t < w; {
			rows := tileRows(tier, w-t)
			out := c[t*ldc+j:][:(rows-1)*ldc+side*panelRows]
			tile(tier, rows, side, k, a[t:], w, panels, out, ldc, accumulate)
			t += rows
		}
		j += side * panelRows
	}
}

// multiplyEdge is multiplyStrip for a last panel of cols < 16 columns: the
// tile works on a copy, so that nothing behind a row of C is touched.
func multiplyEdge[E element](tier Tier, k int, a []float32, w int, panel []E, c []float32, ldc, cols int, accumulate bool) {
	var edge [maxStrip * panelRows]float32
	for t := 0; t < w; {
		rows := tileRows(tier, w-t)
		if accumulate {
			for r := range rows {
				copy(edge[r*panelRows:][:cols], c[(t+r)*ldc:])
			}
		}
		tile(tier, rows, 1, k, a[t:], w, panel, edge[:], panelRows, accumulate)
		for r := range rows {
			copy(c[(t+r)*ldc:][:cols], edge[r*panelRows:])
		}
		t += rows
	}
}

// tileGeneric computes rows x 16*side elements of C; a holds its rows as words
// [k][stride] and the panels follow one another.
func tileGeneric[E element](rows, side, k int, a []float32, stride int, panels []E, c []float32, ldc int, accumulate bool) {
	for p := range side {
		panel := panels[p*k*panelRows:][:k*panelRows]
		for r := range rows {
			out := c[r*ldc+p*panelRows:][:panelRows]
			var acc [panelRows]float32
			if accumulate {
				acc = [panelRows]float32(out)
			}
			for i := range k {
				x, w := a[i*stride+r], (*[panelRows]E)(panel[i*panelRows:])
				for l, v := range w {
					acc[l] += x * widen(v)
				}
			}
			copy(out, acc[:])
		}
	}
}

// widen returns the f32 value of a stored element.
func widen[E element](e E) float32 {
	switch v := any(e).(type) {
	case uint16:
		return BF16ToF32(v)
	case float32:
		return v
	}
	panic("kernels: unreachable element type")
}
