package model

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/seed-c6f48606/harness/kernels"
)

// The blocks of 32 values: an f16 scale, then 32 int8 (Q8_0) or 16 bytes of two
// nibbles (Q4_0: byte j holds value j low and j+16 high, each 8 too large).
const (
	blockValues = 32
	bytesQ8_0   = 2 + 32
	bytesQ4_0   = 2 + 16
)

func intsQ8_0(src []byte, q []int8, scale []uint16) error {
	ok, out := true, asBytes(q)
	for b := range scale {
		block := src[b*bytesQ8_0:][:bytesQ8_0]
		scale[b] = binary.LittleEndian.Uint16(block)
		ok = ok && scale[b]&f16Exponent != f16Exponent
		copy(out[b*blockValues:][:blockValues], block[2:])
	}
	return finiteIf(ok)
}

func intsQ4_0(src []byte, q []int8, scale []uint16) error {
	ok, out := true, asBytes(q)
	for b := range scale {
		block, out := src[b*bytesQ4_0:][:bytesQ4_0], out[b*blockValues:][:blockValues]
		scale[b] = binary.LittleEndian.Uint16(block)
		ok = ok && scale[b]&f16Exponent != f16Exponent
		for j := 0; j < 16; j += 8 {
			v := binary.LittleEndian.Uint64(block[2+j:])
			binary.LittleEndian.PutUint64(out[j:], lower(v&lowNibbles, 8))
			binary.LittleEndian.PutUint64(out[j+16:], lower(v>>4&lowNibbles, 8))
		}
	}
	return finiteIf(ok)
}

// Eight bytes in one word.
const (
	eachByte   = 0x0101010101010101
	lowNibbles = 0x0f * eachByte
)

// lower subtracts by from each of eight bytes below 128; by is at most 128. The
// bytes are kept above it meanwhile, so that none borrows of its neighbour.
func lower(u, by uint64) uint64 { return (u | 0x80*eachByte) - by*eachByte ^ 0x80*eachByte }

// asBytes is the memory of q: the decoders write integers eight at a time.
func asBytes(q []int8) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(q))), len(q))
}

func decodeQ8_0(src []byte, dst []float32) error {
	ok := true
	for len(src) > 0 {
		h := binary.LittleEndian.Uint16(src)
		ok = ok && h&f16Exponent != f16Exponent
		s, out := kernels.F16ToF32(h), dst[:blockValues]
		for j, v := range src[2:bytesQ8_0] {
			out[j] = s * float32(int8(v))
		}
		src, dst = src[bytesQ8_0:], dst[blockValues:]
	}
	return finiteIf(ok)
}

func decodeQ4_0(src []byte, dst []float32) error {
	ok := true
	for len(src) > 0 {
		h := binary.LittleEndian.Uint16(src)
		ok = ok && h&f16Exponent != f16Exponent
		s, out := kernels.F16ToF32(h), dst[:blockValues]
		for j, v := range src[2:bytesQ4_0] {
			out[j], out[j+16] = s*float32(int8(v&15)-8), s*float32(int8(v>>4)-8)
		}
		src, dst = src[bytesQ4_0:], dst[blockValues:]
	}
	return finiteIf(ok)
}

// putQ8_0 and putQ4_0 write one block of integers.
func putQ8_0(dst []byte, scale uint16, q []int8) {
	binary.LittleEndian.PutUint16(dst, scale)
	for j, v := range q[:blockValues] {
		dst[2+j] = byte(v)
	}
}

func putQ4_0(dst []byte, scale uint16, q []int8) {
	binary.LittleEndian.PutUint16(dst, scale)
	for j := range 16 {
		dst[2+j] = byte(q[j]+8)&15 | byte(q[j+16]+8)<<4
	}
}

// encodeQ8_0 spreads each block's largest magnitude over ±127.
func encodeQ8_0(dst []byte, src []float32) error {
	var q [blockValues]int8
	for len(src) > 0 {
		x := src[:blockValues]
		top := largest(x)
		scale, err := halfScale(top / 127)
		if err != nil {
			return err
		}
		inverse := reciprocal(kernels.F16ToF32(scale))
		for j, v := range x {
			q[j] = int8(clamp(roundEven(v*inverse), -127, 127))
		}
		putQ8_0(dst, scale, q[:])
		src, dst = src[blockValues:], dst[bytesQ8_0:]
	}
	return nil
}

// encodeQ4_0 takes the scale, of either sign, with the least square error among
// several around the one that puts the block's largest value on -8.
func encodeQ4_0(dst []byte, src []float32) error {
	var q [blockValues]int8
	for len(src) > 0 {
		x := src[:blockValues]
		if !finite(largest(x)) {
			return errNotFinite
		}
		scale, err := halfScale(fitSymmetric(x, 8))
		if err != nil {
			return err
		}
		inverse := reciprocal(kernels.F16ToF32(scale))
		for j, v := range x {
			q[j] = int8(clamp(roundEven(v*inverse), -8, 7))
		}
		putQ4_0(dst, scale, q[:])
		src, dst = src[blockValues:], dst[bytesQ4_0:]
	}
	return nil
}

// largest is the greatest magnitude of x, NaN or infinite if one value is.
func largest(x []float32) float32 {
	var top uint32
	for _, v := range x {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(top)
}

// halfScale rounds a scale to f16.
func halfScale(s float32) (uint16, error) {
	if !finite(s) {
		return 0, errNotFinite
	}
	h := kernels.F32ToF16(s)
	if h&f16Exponent == f16Exponent {
		return 0, errScaleRange
	}
	return h, nil
}

// reciprocal is 1/s, and 0 for the scale of a block of zeros.
func reciprocal(s float32) float32 {
	if s == 0 {
		return 0
	}
	return 1 / s
}

// roundEven rounds to the nearest integer, ties to even, where |f| < 2^22: the
// sum with 1.5·2^23 has no bits left behind the point.
func roundEven(f float32) int32 {
	const magic = 3 << 22
	return int32(math.Float32bits(float32(f)+magic)) - int32(math.Float32bits(magic))
}

func clamp(v, lo, hi int32) int32 { return min(max(v, lo), hi) }
