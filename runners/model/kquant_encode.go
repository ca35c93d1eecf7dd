package model

import (
	"encoding/binary"

	"github.com/seed-c6f48606/harness/kernels"
)

// fitTries is how many scales on each side of the obvious one a fit tries.
const fitTries = 4

// fitSymmetric finds the scale s, of either sign, for which integers from
// -levels to levels-1 have about the least square error: it tries scales around
// the one that puts the largest value on -levels, and for the integers of each
// takes the scale that fits them best, Σxq/Σq². Zeros give 0.
func fitSymmetric(x []float32, levels int32) float32 {
	var top float32
	for _, v := range x {
		if v > top && v > -top || v < top && v < -top {
			top = v
		}
	}
	if top == 0 || !finite(top) {
		return top
	}
	var best, gain float32
	for try := -fitTries; try <= fitTries; try++ {
		inverse := -(float32(levels) + .25*float32(try)) / top
		var xq float32
		var qq int32
		for _, v := range x {
			q := clamp(roundEven(v*inverse), -levels, levels-1)
			xq += v * float32(q)
			qq += q * q
		}
		// The square error is Σx² − (Σxq)²/Σq².
		if g := xq * xq / float32(qq); qq > 0 && g > gain {
			best, gain = xq/float32(qq), g
		}
	}
	return best
}

// fitAffine finds s ≥ 0 and low ≥ 0 for which s·u − low, u in 0..15, has about
// the least square error: it tries ranges around the group's own, and for the
// integers of each solves for the best pair.
func fitAffine(x []float32) (s, low float32) {
	lo, hi := min(x[0], 0), x[0]
	var sum, squares float32
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
		sum += v
		squares += v * v
	}
	if hi <= lo || !finite(hi-lo) {
		return 0, -lo
	}
	n := float32(len(x))
	s, low = (hi-lo)/15, -lo
	least := squares + n*hi*hi + n*lo*lo // more than any error
	for try := -fitTries; try <= fitTries; try++ {
		inverse := (15 + .25*float32(try)) / (hi - lo)
		var sumU, squaresU int32
		var xu float32
		for _, v := range x {
			u := clamp(roundEven((v-lo)*inverse), 0, 15)
			sumU += u
			squaresU += u * u
			xu += v * float32(u)
		}
		u1, u2 := float32(sumU), float32(squaresU)
		det := n*u2 - u1*u1
		if det <= 0 {
			continue
		}
		a, b := (n*xu-sum*u1)/det, (u2*sum-u1*xu)/det // x ≈ a·u + b
		if b > 0 {
			a, b = xu/u2, 0
		}
		if a <= 0 {
			continue
		}
		e := squares + a*a*u2 + n*b*b + 2*(a*b*u1-a*xu-b*sum)
		if e < least {
			s, low, least = a, -b, e
		}
	}
	return s, low
}

// encodeQ4_K fits every group, gives the superblock the f16 scales that its
// largest scale and minimum ask for, and rounds the values once more with the
// six-bit numbers that came of it.
func encodeQ4_K(dst []byte, src []float32) error {
	for len(src) > 0 {
		var s, low [8]float32
		for j := range s {
			x := src[32*j:][:32]
			if !finite(largest(x)) {
				return errNotFinite
			}
			s[j], low[j] = fitAffine(x)
		}
		h, err := halfScale(largest(s[:]) / 63)
		if err != nil {
			return err
		}
		hmin, err := halfScale(largest(low[:]) / 63)
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint16(dst, h)
		binary.LittleEndian.PutUint16(dst[2:], hmin)
		d, dmin := kernels.F16ToF32(h), kernels.F16ToF32(hmin)
		var sc, m [8]byte
		var u [superValues]byte
		for j := range sc {
			sc[j] = byte(clamp(roundEven(s[j]*reciprocal(d)), 0, 63))
			m[j] = byte(clamp(roundEven(low[j]*reciprocal(dmin)), 0, 63))
			inverse, offset := reciprocal(d*float32(sc[j])), dmin*float32(m[j])
			for i, v := range src[32*j:][:32] {
				u[32*j+i] = byte(clamp(roundEven((v+offset)*inverse), 0, 15))
			}
		}
		putScaleMins(dst[4:16], &sc, &m)
		for k := range 4 {
			out, lo, hi := dst[16+32*k:][:32], u[64*k:][:32], u[64*k+32:][:32]
			for i := range out {
				out[i] = lo[i] | hi[i]<<4
			}
		}
		src, dst = src[superValues:], dst[bytesQ4_K:]
	}
	return nil
}

// encodeQ6_K does the same for symmetric groups of 16.
func encodeQ6_K(dst []byte, src []float32) error {
	for len(src) > 0 {
		var s [16]float32
		for j := range s {
			x := src[16*j:][:16]
			if !finite(largest(x)) {
				return errNotFinite
			}
			s[j] = fitSymmetric(x, 32)
		}
		h, err := halfScale(largest(s[:]) / 127)
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint16(dst[208:], h)
		d := kernels.F16ToF32(h)
		var u [superValues]byte
		for j := range s {
			sc := clamp(roundEven(s[j]*reciprocal(d)), -128, 127)
			dst[192+j] = byte(int8(sc))
			inverse := reciprocal(d * float32(sc))
			for i, v := range src[16*j:][:16] {
				u[16*j+i] = byte(clamp(roundEven(v*inverse), -32, 31) + 32)
			}
		}
		for half := range 2 {
			low, high, in := dst[64*half:][:64], dst[128+32*half:][:32], u[128*half:][:128]
			for i := range high {
				a, b, c, e := in[i], in[i+32], in[i+64], in[i+96]
				low[i], low[i+32] = a&15|c<<4, b&15|e<<4
				high[i] = a>>4 | b>>4<<2 | c>>4<<4 | e>>4<<6
			}
		}
		src, dst = src[superValues:], dst[bytesQ6_K:]
	}
	return nil
}
