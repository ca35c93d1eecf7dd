package model

import (
	"encoding/binary"

	"github.com/seed-c6f48606/harness/kernels"
)

// Superblocks of 256 values, as llama.cpp's k-quants define them
// (https://github.com/ggml-org/llama.cpp/pull/1684).
//
// Q4_K: f16 d, f16 dmin, 12 bytes with a 6-bit scale and a 6-bit minimum for
// each of 8 groups of 32, 128 bytes of nibbles: in each run of 32 bytes the low
// ones are a group, the high ones the next. w = d·sc·u − dmin·m, u in 0..15.
//
// Q6_K: 128 bytes with the low four bits, 64 with the high two, 16 int8 scales
// of groups of 16, f16 d. w = d·sc·(u − 32), u in 0..63.
const (
	superValues = kernels.SuperValues
	bytesQ4_K   = 2 + 2 + 12 + 128
	bytesQ6_K   = 128 + 64 + 16 + 2
)

// scaleMin reads the 6-bit scale and minimum of group j from the 12 bytes: the
// low six bits of bytes 0-3 and 4-7 are those of groups 0-3; groups 4-7 have
// their low four bits in bytes 8-11 and the rest above those six.
func scaleMin(b []byte, j int) (scale, minimum byte) {
	if j < 4 {
		return b[j] & 63, b[j+4] & 63
	}
	return b[j+4]&15 | b[j-4]>>6<<4, b[j+4]>>4 | b[j]>>6<<4
}

// putScaleMins writes them.
func putScaleMins(b []byte, scale, minimum *[8]byte) {
	for j := range 4 {
		b[j] = scale[j] | scale[j+4]>>4<<6
		b[j+4] = minimum[j] | minimum[j+4]>>4<<6
		b[j+8] = scale[j+4]&15 | minimum[j+4]<<4
	}
}

// superScales reads the two f16 of a Q4_K superblock.
func superScales(b []byte) (d, dmin float32, ok bool) {
	h, hmin := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
	return kernels.F16ToF32(h), kernels.F16ToF32(hmin), h&f16Exponent != f16Exponent && hmin&f16Exponent != f16Exponent
}

// supersQ4_K gives u − 8, the superblock's d and dmin, and the groups' sc and m.
func supersQ4_K(src []byte, q []int8, s *kernels.Supers) error {
	ok, fits, out := true, true, asBytes(q)
	for b := 0; len(src) > 0; b++ {
		d, dmin, sound := superScales(src)
		ok = ok && sound
		s.Scale[b], s.Min[b] = binary.LittleEndian.Uint16(src), binary.LittleEndian.Uint16(src[2:])
		for j := range 8 {
			sc, m := scaleMin(src[4:16], j)
			s.Fine[8*b+j], s.FineMin[8*b+j] = int8(sc), int8(m)
			scale := d * float32(sc)
			fits = fits && fitsF16(scale) && fitsF16(8*scale-dmin*float32(m))
		}
		for k := range 4 {
			in, out := src[16+32*k:][:32], out[64*k:][:64]
			for j := 0; j < 32; j += 8 {
				v := binary.LittleEndian.Uint64(in[j:])
				binary.LittleEndian.PutUint64(out[j:], lower(v&lowNibbles, 8))
				binary.LittleEndian.PutUint64(out[j+32:], lower(v>>4&lowNibbles, 8))
			}
		}
		src, out = src[bytesQ4_K:], out[superValues:]
	}
	return soundIf(ok, fits)
}

// fitsF16 reports whether x is finite as f16.
func fitsF16(x float32) bool { return x > -65520 && x < 65520 }

func soundIf(ok, fits bool) error {
	switch {
	case !ok:
		return errNotFinite
	case !fits:
		return errScaleRange
	}
	return nil
}

func decodeQ4_K(src []byte, dst []float32) error {
	ok := true
	for len(src) > 0 {
		d, dmin, sound := superScales(src)
		ok = ok && sound
		for k := range 4 {
			sc, m := scaleMin(src[4:16], 2*k)
			s, low := d*float32(sc), dmin*float32(m)
			sc, m = scaleMin(src[4:16], 2*k+1)
			sHi, lowHi := d*float32(sc), dmin*float32(m)
			lo, hi := dst[64*k:][:32], dst[64*k+32:][:32]
			for j, v := range src[16+32*k:][:32] {
				// The products are exact, so a fused operation changes nothing.
				lo[j], hi[j] = s*float32(v&15)-low, sHi*float32(v>>4)-lowHi
			}
		}
		src, dst = src[bytesQ4_K:], dst[superValues:]
	}
	return finiteIf(ok)
}

// valuesQ6_K unpacks u − 32 of a superblock. Byte i of a half's high bits
// (128 values, i below 32) has those of the values i, i+32, i+64 and i+96.
func valuesQ6_K(src, out []byte) {
	const pair = 0x30 * eachByte
	for h := range 2 {
		low, high, out := src[64*h:][:64], src[128+32*h:][:32], out[128*h:][:128]
		for i := 0; i < 32; i += 8 {
			v := binary.LittleEndian.Uint64(high[i:])
			a, b := binary.LittleEndian.Uint64(low[i:]), binary.LittleEndian.Uint64(low[i+32:])
			binary.LittleEndian.PutUint64(out[i:], lower(a&lowNibbles|v<<4&pair, 32))
			binary.LittleEndian.PutUint64(out[i+32:], lower(b&lowNibbles|v<<2&pair, 32))
			binary.LittleEndian.PutUint64(out[i+64:], lower(a>>4&lowNibbles|v&pair, 32))
			binary.LittleEndian.PutUint64(out[i+96:], lower(b>>4&lowNibbles|v>>2&pair, 32))
		}
	}
}

// supersQ6_K gives u − 32, the superblock's d and the groups' scales.
func supersQ6_K(src []byte, q []int8, s *kernels.Supers) error {
	ok, fits, out := true, true, asBytes(q)
	for b := 0; len(src) > 0; b++ {
		h := binary.LittleEndian.Uint16(src[208:])
		ok = ok && h&f16Exponent != f16Exponent
		s.Scale[b] = h
		d := kernels.F16ToF32(h)
		for j, sc := range src[192:208] {
			s.Fine[16*b+j] = int8(sc)
			fits = fits && fitsF16(d*float32(int8(sc)))
		}
		valuesQ6_K(src, out)
		src, out = src[bytesQ6_K:], out[superValues:]
	}
	return soundIf(ok, fits)
}

func decodeQ6_K(src []byte, dst []float32) error {
	var q [superValues]byte
	ok := true
	for len(src) > 0 {
		h := binary.LittleEndian.Uint16(src[208:])
		ok = ok && h&f16Exponent != f16Exponent
		d := kernels.F16ToF32(h)
		valuesQ6_K(src, q[:])
		for j, sc := range src[192:208] {
			s, out := d*float32(int8(sc)), dst[16*j:][:16]
			for i, v := range q[16*j:][:16] {
				out[i] = s * float32(int8(v))
			}
		}
		src, dst = src[bytesQ6_K:], dst[superValues:]
	}
	return finiteIf(ok)
}
