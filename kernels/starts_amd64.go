//go:build !noasm

package kernels

import "unsafe"

// floatBase is the bits of 1.5*2^23, see the generator.
const floatBase = 0x4b400000

//go:noescape
func startsAVX2(dst, corr, less *int32, n, shift int)

// start fills the starts (see Acts) that the kernels of n tokens want and reports
// whether there are any.
func (o *Out) start(tier Tier, n int) bool {
	m, expanded, stored := o.M, false, false
	switch tier {
	case AVXVNNI:
		expanded = n >= wideTokens(tier, m.format, m.group)
	case AVX512, AMX:
		group, left := m.kernelGroup(tier), n
		if expanded = n >= wideTokens(AVX512, m.format, group); expanded {
			left %= actTile
		}
		stored = left >= startTokens && group >= blockSize
	}
	for _, a := range []*Acts{o.A, o.Rest} {
		if a != nil && expanded {
			a.start(8, m.group < blockSize)
		}
		if a != nil && stored {
			a.start(m.format, m.group < blockSize)
		}
	}
	return expanded || stored
}

// start fills the starts of weights of so many bits, of blocks or of their halves.
func (a *Acts) start(bits format, halves bool) {
	s := &a.ready[bits]
	switch {
	case halves && !s.halves:
		s.first, s.second = startsOf(s.first, a.half, nil, bits), startsOf(s.second, a.corr, a.half, bits)
		s.halves = true
	case !halves && !s.blocks:
		s.all = startsOf(s.all, a.corr, nil, bits)
		s.blocks = true
	}
}

// startsOf returns, in dst's memory if they fit, starts from corrections of 8 bits less
// others, of which there may be none.
func startsOf(dst, corr, less []int32, bits format) []int32 {
	n, shift := len(corr), int(8-bits)
	if cap(dst) < n {
		dst = aligned[int32](n)
	}
	dst = dst[:n]
	if whole := n &^ 7; whole > 0 {
		startsAVX2(&dst[0], &corr[0], unsafe.SliceData(less), whole, shift)
	}
	for i := n &^ 7; i < n; i++ {
		c := corr[i]
		if less != nil {
			c -= less[i]
		}
		dst[i] = floatBase + c>>shift
	}
	return dst
}
