package model

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/seed-c6f48606/harness/kernels"
)

// coding is how a file keeps the values of a row: blocks of a fixed number of
// values in a fixed number of bytes. Every function takes any number of whole
// blocks, so a row or many rows at once.
type coding struct {
	values, bytes int // of a block

	// Integers of bits bits in groups of group values with a scale each and,
	// with mins, a minimum. Bits is 0 for floats.
	bits, group int
	mins        bool

	ints   func(src []byte, q []int8, scale []uint16) error         // f16 scales: w = scale·q
	supers func(src []byte, q []int8, scales *kernels.Supers) error // in place of ints
	floats func(src []byte, dst []float32) error
	encode func(dst []byte, src []float32) error
}

// codings lists the types that are read and written.
var codings = map[ggmlType]*coding{
	ggmlF32:  {values: 1, bytes: 4, floats: decodeF32, encode: encodeF32},
	ggmlF16:  {values: 1, bytes: 2, floats: decodeF16, encode: encodeF16},
	ggmlBF16: {values: 1, bytes: 2, floats: decodeBF16, encode: encodeBF16},
	ggmlQ8_0: {values: 32, bytes: 34, bits: 8, group: 32, ints: intsQ8_0, floats: decodeQ8_0, encode: encodeQ8_0},
	ggmlQ4_0: {values: 32, bytes: 18, bits: 4, group: 32, ints: intsQ4_0, floats: decodeQ4_0, encode: encodeQ4_0},
	ggmlQ4_K: {values: 256, bytes: 144, bits: 4, group: 32, mins: true, supers: supersQ4_K, floats: decodeQ4_K, encode: encodeQ4_K},
	ggmlQ6_K: {values: 256, bytes: 210, bits: 6, group: 16, supers: supersQ6_K, floats: decodeQ6_K, encode: encodeQ6_K},
}

var (
	errNotFinite  = errors.New("holds a value that is not finite")
	errScaleRange = errors.New("holds a scale that no half-precision number can hold")
)

const (
	f32Exponent  = 0x7f800000
	bf16Exponent = 0x7f80
	f16Exponent  = 0x7c00
)

func finite(f float32) bool { return math.Float32bits(f)&f32Exponent != f32Exponent }

func decodeF32(src []byte, dst []float32) error {
	ok := true
	for i := range dst[:len(src)/4] {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		ok = ok && finite(dst[i])
	}
	return finiteIf(ok)
}

func decodeF16(src []byte, dst []float32) error {
	ok := true
	for i := range dst[:len(src)/2] {
		h := binary.LittleEndian.Uint16(src[2*i:])
		dst[i] = kernels.F16ToF32(h)
		ok = ok && h&f16Exponent != f16Exponent
	}
	return finiteIf(ok)
}

func decodeBF16(src []byte, dst []float32) error {
	ok := true
	for i := range dst[:len(src)/2] {
		h := binary.LittleEndian.Uint16(src[2*i:])
		dst[i] = kernels.BF16ToF32(h)
		ok = ok && h&bf16Exponent != bf16Exponent
	}
	return finiteIf(ok)
}

func finiteIf(ok bool) error {
	if !ok {
		return errNotFinite
	}
	return nil
}

func encodeF32(dst []byte, src []float32) error {
	for i, f := range src {
		if !finite(f) {
			return errNotFinite
		}
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(f))
	}
	return nil
}

func encodeF16(dst []byte, src []float32) error {
	for i, f := range src {
		h := kernels.F32ToF16(f)
		if h&f16Exponent == f16Exponent {
			return errNotFinite
		}
		binary.LittleEndian.PutUint16(dst[2*i:], h)
	}
	return nil
}

func encodeBF16(dst []byte, src []float32) error {
	for i, f := range src {
		h := kernels.F32ToBF16(f)
		if h&bf16Exponent == bf16Exponent {
			return errNotFinite
		}
		binary.LittleEndian.PutUint16(dst[2*i:], h)
	}
	return nil
}
