package kernels

import (
	"fmt"
	"math"
	"unsafe"
)

// KVFormat is how keys and values are kept.
type KVFormat uint8

// The formats of keys and values.
const (
	KVF32 KVFormat = iota
	KVF16
	KVInt16 // of 13 bits, with an f32 scale per token, head and kind
	KVInt8  // of 8 bits, likewise
)

// ParseKV reads the name of a format.
func ParseKV(name string) (KVFormat, error) {
	for f := range KVInt8 + 1 {
		if f.String() == name {
			return f, nil
		}
	}
	return 0, fmt.Errorf("keys and values as %q: use f32, f16, q16 or q8", name)
}

// String returns the name that options use.
func (f KVFormat) String() string { return [...]string{"f32", "f16", "q16", "q8"}[f] }

// FastKV is the format of 16 bits a value that the active tier's attention is
// fastest with: NEON multiplies floats faster than 16-bit integers.
func FastKV() KVFormat {
	if floatTier() == NEON {
		return KVF16
	}
	return KVInt16
}

// KVGroup is the number of tokens whose keys and values lie together.
const KVGroup = 16

// KVLayout says how the keys and values of one layer lie in memory. A group of
// 16 tokens holds, for every head: keys [head dim][16 tokens]; values in panels
// of 16 channels, each [16 tokens][16], the last filled up with zeros; with
// integers the scales of keys and of values, [16] each. KVInt16 has two
// neighbouring channels of a key, and tokens of a value, side by side: [head
// dim/2][16 tokens][2] and [8][16][2]. All are what a tile of attention reads in
// one stream.
type KVLayout struct {
	Format         KVFormat
	Heads, HeadDim int
}

func (l *KVLayout) elementBytes() int { return [...]int{4, 2, 2, 1}[l.Format] }

// panels is the number of panels of 16 channels of a head.
func (l *KVLayout) panels() int { return (l.HeadDim + panelRows - 1) / panelRows }

// valuesAt is the offset of a head's values from its keys, scalesAt of the scales.
func (l *KVLayout) valuesAt() int { return l.HeadDim * KVGroup * l.elementBytes() }

func (l *KVLayout) scalesAt() int {
	return l.valuesAt() + l.panels()*panelRows*KVGroup*l.elementBytes()
}

// headBytes is the size of one head of a group.
func (l *KVLayout) headBytes() int {
	if l.Format >= KVInt16 {
		return l.scalesAt() + 2*KVGroup*4
	}
	return l.scalesAt()
}

// GroupBytes is the size of a group.
func (l *KVLayout) GroupBytes() int { return l.Heads * l.headBytes() }

// Put stores a token's key and value of one head at the place of its position in
// group. The head is emptied first if the place is the group's first. Different
// heads may be stored at the same time.
func (l *KVLayout) Put(group []byte, position, h int, keys, values []float32) {
	d, slot := l.HeadDim, position%KVGroup
	if len(group) != l.GroupBytes() || h < 0 || h >= l.Heads || len(keys) != d || len(values) != d {
		panic(fmt.Sprintf("kernels: Put of %d and %d values as head %d of %d of %d into %d bytes", len(keys), len(values), h, l.Heads, d, len(group)))
	}
	head := group[h*l.headBytes():][:l.headBytes()]
	if slot == 0 {
		clear(head)
	}
	switch l.Format {
	case KVF32:
		place(elementsOf[float32](head), slot, 0, keys, values, d)
	case KVF16:
		var k, v [panelRows]uint16
		for c := 0; c < d; c += panelRows {
			n := min(panelRows, d-c)
			halves(k[:n], keys[c:][:n])
			halves(v[:n], values[c:][:n])
			place(elementsOf[uint16](head), slot, c, k[:n], v[:n], d)
		}
	case KVInt16:
		tier, scales := floatTier(), elementsOf[float32](head[l.scalesAt():])
		var few [2 * 128]int16
		words := few[:]
		if 2*d > len(few) {
			words = make([]int16, 2*d)
		}
		roundRows(tier, words[:d], keys, scales[slot:][:1], d, wordMax)
		roundRows(tier, words[d:2*d], values, scales[KVGroup+slot:][:1], d, wordMax)
		placeWords(elementsOf[int16](head), slot, words[:d], words[d:2*d])
	case KVInt8:
		scales := elementsOf[float32](head[l.scalesAt():])
		var k, v [panelRows]int8
		ks, vs := magnitudeGeneric(keys)/byteMax, magnitudeGeneric(values)/byteMax
		scales[slot], scales[KVGroup+slot] = ks, vs
		for c := 0; c < d; c += panelRows {
			n := min(panelRows, d-c)
			toBytes(k[:n], keys[c:][:n], ks)
			toBytes(v[:n], values[c:][:n], vs)
			place(elementsOf[int8](head), slot, c, k[:n], v[:n], d)
		}
	}
}

// Touch asks for the first line of every page of the head that attention reads
// first: behind the weights of a decoded token all have to be looked up anew, and
// lookups that are asked for together take less time than one after the other.
func (l *KVLayout) Touch(groups [][]byte, h int) {
	const page = 4096
	for _, group := range groups[:min(len(groups), keyBlock/KVGroup)] {
		head := group[h*l.headBytes():][:l.headBytes()]
		for at := 0; at < len(head); at += page {
			fetchLines(&head[at], 1)
		}
	}
}

// place writes channels from c on of a token's key and value to a head of d
// channels.
func place[E float32 | uint16 | int8](head []E, slot, c int, k, v []E, d int) {
	for i, x := range k {
		head[(c+i)*KVGroup+slot] = x
	}
	values := head[d*KVGroup:]
	for ; len(v) > 0; c += panelRows {
		n := copy(values[c*KVGroup+slot*panelRows:][:panelRows], v)
		v = v[n:]
	}
}

// byteMax is the greatest integer that KVInt8 stores.
const byteMax = 127

func toBytes(dst []int8, x []float32, scale float32) {
	if scale < minAbs {
		clear(dst)
		return
	}
	inverse := 1 / scale
	for i, v := range x {
		dst[i] = int8(min(max(math.RoundToEven(float64(v*inverse)), -127), 127))
	}
}

// elementsOf returns the memory of b as elements.
func elementsOf[E float32 | uint16 | int16 | int8](b []byte) []E {
	var zero E
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}

// halves rounds x to binary16.
func halves(dst []uint16, x []float32) {
	n := 0
	if floatTier() != Generic {
		if n = len(x) &^ 7; n > 0 {
			halvesVector(&dst[0], &x[0], n)
		}
	}
	for i, v := range x[n:] {
		dst[n+i] = F32ToF16(v)
	}
}
