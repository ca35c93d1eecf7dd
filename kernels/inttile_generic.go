package kernels

import "unsafe"

// mulDirectGeneric computes rows tokens of c.
func mulDirectGeneric(f format, rows int, c *intTile) {
	size := f.blockBytes()
	for t := range rows {
		var acc [panelRows]float32
		for b := range c.blocks {
			at := b*c.width + t
			x := (*[blockSize]int8)(unsafe.Add(unsafe.Pointer(c.q), at*blockSize))
			block := c.w[b*size:][:size]
			first, second := blockSums(f, x, block)
			xs, neg, half := *item(c.xs, at), *item(c.corr, at)>>7, *item(c.half, at)>>7
			if c.groupBlocks == 0 {
				c.addScaled(&acc, &first, 2*b, xs, half)
				c.addScaled(&acc, &second, 2*b+1, xs, neg-half)
				continue
			}
			for r := range first {
				first[r] += second[r]
			}
			c.addScaled(&acc, &first, b/c.groupBlocks, xs, neg)
		}
		y := c.y[t*c.ld:][:panelRows]
		for r, v := range acc {
			if c.add != 0 {
				v += y[r]
			}
			y[r] = v
		}
	}
}

// item is element i of an array.
func item[T any](first *T, i int) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(first), uintptr(i)*unsafe.Sizeof(*first)))
}

func (c *intTile) addScaled(acc *[panelRows]float32, sums *[panelRows]int32, group int, xs float32, neg int32) {
	for r, s := range sums {
		scaled := float32(float32(s) * F16ToF32(c.scales[group*panelRows+r])) // rounded, never fused
		acc[r] = fma32(scaled, xs, acc[r])
	}
	if c.mins == nil {
		return
	}
	sum := -(float32(neg) * xs)
	for r := range acc {
		acc[r] = fma32(sum, F16ToF32(c.mins[group*panelRows+r]), acc[r])
	}
}

// blockSums returns the products of the first and the last 16 inputs.
func blockSums(f format, x *[blockSize]int8, block []uint8) (first, second [panelRows]int32) {
	for r := range panelRows {
		var words [quads]uint32
		f.unpack(&words, block[4*r:])
		for q, w := range words {
			s := int32(int8(w))*int32(x[4*q]) + int32(int8(w>>8))*int32(x[4*q+1]) +
				int32(int8(w>>16))*int32(x[4*q+2]) + int32(int8(w>>24))*int32(x[4*q+3])
			if q < quads/2 {
				first[r] += s
			} else {
				second[r] += s
			}
		}
	}
	return first, second
}
