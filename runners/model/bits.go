package model

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

// appendBits is the inverse of packBits for n values, sign-extending each. data
// holds at least packedBytes(n, b) bytes.
func appendBits(out []int8, data []byte, b, n int) []int8 {
	mask := uint32(1)<<b - 1
	var acc uint32
	have, at := 0, 0
	for range n {
		if have < b {
			acc |= uint32(data[at]) << have
			at++
			have += 8
		}
		out = append(out, int8(uint8(acc&mask)<<(8-b))>>(8-b))
		acc >>= b
		have -= b
	}
	return out
}
