package kernels

import (
	"encoding/binary"
	"unsafe"
)

// format is how the integers of a block are stored; its value is their bits,
// except that 7 bits are stored like 8.
type format uint8

// blockSize is the number of inputs that share one scale of the activations.
const blockSize = 32

// quads is the number of groups of four inputs in a block.
const quads = blockSize / 4

// wordBytes is the size of a word: four inputs of each output of a panel. Byte
// 4r+i of a word belongs to output r and input i of its quad.
const wordBytes = 4 * panelRows

func formatOf(bits int) format {
	if bits == 7 {
		return 8
	}
	return format(bits)
}

// A block is stored in planes, one after the other: 8 bits whole; 4 bits
// of neighbours four quads apart; 2 bits of four quads; 1 bit of all eight. All
// but bytes hold value + 2^(bits-1), bytes value + byteOffset.

func (f format) nibbles() bool { return f >= 4 && f <= 6 }

// pairs reports whether there is a plane of two bits, bits whether there is one
// of single bits, and from which bit of the value on.
func (f format) pairs() (shift int, ok bool) {
	switch f {
	case 6:
		return 4, true
	case 2, 3:
		return 0, true
	}
	return 0, false
}

func (f format) bits() (shift int, ok bool) {
	switch f {
	case 5:
		return 4, true
	case 3:
		return 2, true
	}
	return 0, false
}

// blockBytes is the size of one block of one panel.
func (f format) blockBytes() int {
	if f == 8 {
		return quads * wordBytes
	}
	return int(f) * blockSize / 8 * panelRows
}

// fits reports whether all values are within f's range: then all bits of a byte
// from the sign bit of the value up are equal.
func (f format) fits(x *[quads]uint32) bool {
	mask := each * (0x7f &^ uint32(1<<(f-1)-1))
	var differ uint32
	for _, v := range x {
		differ |= v ^ v>>1
	}
	return differ&mask == 0
}

// words is a block of a panel: the four bytes of each output, word by word.
type words [quads * panelRows]uint32

// pack stores the quads of output r in the block of a panel.
func (f format) pack(block []uint8, r int, x *[quads]uint32) {
	if f == 8 {
		w := (*words)(unsafe.Pointer(unsafe.SliceData(block[:quads*wordBytes])))
		for q, v := range x {
			w[q*panelRows+r] = v ^ each*byteOffset
		}
		return
	}
	var u [quads]uint32
	for q, v := range x {
		u[q] = (v ^ each<<(f-1)) & (each * (1<<f - 1))
	}
	next := 4 * r
	if f.nibbles() {
		for j := range 4 {
			binary.NativeEndian.PutUint32(block[next:], u[j]&(15*each)|u[j+4]&(15*each)<<4)
			next += wordBytes
		}
	}
	if shift, ok := f.pairs(); ok {
		for j := range 2 {
			var v uint32
			for k := range 4 {
				v |= u[j+2*k] >> shift & (3 * each) << (2 * k)
			}
			binary.NativeEndian.PutUint32(block[next:], v)
			next += wordBytes
		}
	}
	if shift, ok := f.bits(); ok {
		var v uint32
		for q := range u {
			v |= u[q] >> shift & each << q
		}
		binary.NativeEndian.PutUint32(block[next:], v)
	}
}

// fillZero makes every value of a panel 0.
func (f format) fillZero(panel []uint8) {
	var zero [quads]uint32
	size := f.blockBytes()
	for b := 0; b < len(panel); b += size {
		for r := range panelRows {
			f.pack(panel[b:][:size], r, &zero)
		}
	}
}

// unpack is the inverse of pack: four two's complement bytes a quad.
func (f format) unpack(x *[quads]uint32, src []uint8) {
	next := 0
	get := func() uint32 {
		v := binary.NativeEndian.Uint32(src[next*wordBytes:])
		next++
		return v
	}
	*x = [quads]uint32{}
	if f == 8 {
		for q := range x {
			x[q] = get() ^ each*byteOffset
		}
		return
	}
	if f.nibbles() {
		for j := range 4 {
			v := get()
			x[j], x[j+4] = v&(15*each), v>>4&(15*each)
		}
	}
	if shift, ok := f.pairs(); ok {
		for j := range 2 {
			v := get()
			for k := range 4 {
				x[j+2*k] |= v >> (2 * k) & (3 * each) << shift
			}
		}
	}
	if shift, ok := f.bits(); ok {
		v := get()
		for q := range x {
			x[q] |= v >> q & each << shift
		}
	}
	// The value's sign bit is the opposite of its top bit here; copy it upwards.
	top := uint32(each << (f - 1))
	for q, v := range x {
		v ^= top
		x[q] = v | (v&top)>>(f-1)*(0x100-1<<f)
	}
}

// each has one in every byte.
const each = 0x01010101
