package model

import "encoding/binary"

// packedBytes is the length of n integers of b bits as a bit stream.
func packedBytes(n int64, b int) int64 { return (n*int64(b) + 7) / 8 }

// packBits writes the low b bits of each value as a little-endian bit stream:
// value i occupies bits i·b to i·b+b-1, bit 0 being the lowest of byte 0.
func packBits(q []int8, b int) []byte {
	out := make([]byte, 0, packedBytes(int64(len(q)), b))
	mask := uint32(1)<<b - 1
	var acc uint32
	have := 0
	for _, v := range q {
		acc |= uint32(uint8(v)) & mask << have
		have += b
		for have >= 8 {
			out = append(out, byte(acc))
			acc >>= 8
			have -= 8
		}
	}
	if have > 0 {
		out = append(out, byte(acc))
	}
	return out
}

// unpackBits is the inverse of packBits for the values from bit shift (below 8)
// of data on, sign-extending each. data holds the bytes of len(out) values.
func unpackBits(out []int8, data []byte, shift, b int) {
	if shift == 0 && b == 8 {
		copy(asBytes(out), data)
		return
	}
	up := 8 - b
	if shift == 0 {
		for len(out) >= 8 && len(data) >= 8 { // eight values take b whole bytes
			v := binary.LittleEndian.Uint64(data)
			for i := range out[:8] {
				out[i] = int8(uint8(v)<<up) >> up
				v >>= b
			}
			out, data = out[8:], data[b:]
		}
	}
	var acc uint32
	have, at := 0, 0
	if shift > 0 {
		acc, have, at = uint32(data[0])>>shift, 8-shift, 1
	}
	for i := range out {
		if have < b {
			acc |= uint32(data[at]) << have
			at++
			have += 8
		}
		out[i] = int8(uint8(acc)<<up) >> up
		acc >>= b
		have -= b
	}
}
