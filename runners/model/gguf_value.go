package model

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Int is an integer value of the metadata.
func (g *GGUF) Int(key string) (int64, bool) { return get[int64](g, key) }

// Float is a floating-point value of the metadata.
func (g *GGUF) Float(key string) (float64, bool) { return get[float64](g, key) }

// Bool is a truth value of the metadata.
func (g *GGUF) Bool(key string) (value, ok bool) { return get[bool](g, key) }

// String is a text of the metadata.
func (g *GGUF) String(key string) (string, bool) { return get[string](g, key) }

// Strings is an array of texts. Arrays are read from the file when asked for:
// a vocabulary is large and a model does without.
func (g *GGUF) Strings(key string) ([]string, bool) { return array[string](g, key) }

// Floats is an array of 32-bit floating-point values.
func (g *GGUF) Floats(key string) ([]float32, bool) { return array[float32](g, key) }

// Ints is an array of integers.
func (g *GGUF) Ints(key string) ([]int64, bool) { return array[int64](g, key) }

func get[T any](g *GGUF, key string) (T, bool) {
	v, ok := g.values[key].(T)
	return v, ok
}

// ggufList is an array's place in the file.
type ggufList struct {
	t        ggufType // of its entries
	n        int
	at, size int64
}

// array reads an array of the file, which the header's reader has checked.
func array[T any](g *GGUF, key string) ([]T, bool) {
	l, ok := g.values[key].(ggufList)
	if !ok {
		return nil, false
	}
	r := &ggufReader{r: bufio.NewReaderSize(io.NewSectionReader(g.source, l.at, l.size), 1<<16), left: l.size}
	v, ok := r.list(l.t, l.n).([]T)
	return v, ok && r.err == nil
}

// ggufReader reads the header and never more than the file holds. After an
// error everything reads as zero.
type ggufReader struct {
	r    *bufio.Reader
	left int64 // bytes of the file not read yet
	read int64
	err  error
}

// bytes reads n bytes; n is checked against the file before allocation.
func (r *ggufReader) bytes(n int64) []byte {
	if r.err != nil {
		return nil
	}
	if n > r.left {
		r.err = io.ErrUnexpectedEOF
		return nil
	}
	b := make([]byte, n)
	if _, r.err = io.ReadFull(r.r, b); r.err != nil {
		return nil
	}
	r.left -= n
	r.read += n
	return b
}

func (r *ggufReader) u32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *ggufReader) u64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// str reads a text of at most limit bytes.
func (r *ggufReader) str(limit uint64) string {
	n := r.u64()
	if r.err == nil && n > limit {
		r.err = fmt.Errorf("it has a text of %d bytes, more than the %d allowed", n, limit)
	}
	if r.err != nil {
		return ""
	}
	return string(r.bytes(int64(n)))
}

// maxGGUFText bounds a text value; chat templates reach some ten kilobytes.
const maxGGUFText = 1 << 24

// value reads a metadata value. Integers of any width become int64, floats
// float64.
func (r *ggufReader) value(t ggufType, key string) any {
	switch {
	case r.err != nil:
		return nil
	case t == ggufString:
		return r.str(maxGGUFText)
	case t == ggufArray:
		return r.array(key)
	case t.width() == 0:
		r.err = fmt.Errorf("its key %q is of the unknown type %d", key, t)
		return nil
	}
	b := r.bytes(t.width())
	if r.err != nil {
		return nil
	}
	return decodeGGUF(t, b)
}

// decodeGGUF decodes a value of fixed width.
func decodeGGUF(t ggufType, b []byte) any {
	switch t {
	case ggufBool:
		return b[0] != 0
	case ggufF32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case ggufF64:
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return decodeInt(t, b)
}

// decodeInt decodes an integer; an unsigned one beyond int64 becomes negative
// and is refused where it is used.
func decodeInt(t ggufType, b []byte) int64 {
	switch t {
	case ggufU8:
		return int64(b[0])
	case ggufI8:
		return int64(int8(b[0]))
	case ggufU16:
		return int64(binary.LittleEndian.Uint16(b))
	case ggufI16:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case ggufU32:
		return int64(binary.LittleEndian.Uint32(b))
	case ggufI32:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

// array passes over an array and returns its place.
func (r *ggufReader) array(key string) any {
	t, n := ggufType(r.u32()), r.u64()
	if r.err != nil {
		return nil
	}
	if n > maxGGUFArray {
		r.err = fmt.Errorf("its array %q has %d entries, more than the %d allowed", key, n, maxGGUFArray)
		return nil
	}
	// An entry takes at least its width, a text 8 bytes for its length.
	width := t.width()
	if t == ggufString {
		width = 8
	}
	if width == 0 {
		r.err = unsupportedf("its array %q has entries of type %d, which is not supported", key, t)
		return nil
	}
	if int64(n) > r.left/width {
		r.err = io.ErrUnexpectedEOF
		return nil
	}
	l := ggufList{t: t, n: int(n), at: r.read}
	if t == ggufString {
		r.skipTexts(l.n)
	} else {
		r.skip(int64(n) * width)
	}
	l.size = r.read - l.at
	return l
}

// skip passes over n bytes that the file has.
func (r *ggufReader) skip(n int64) {
	if r.err == nil {
		_, r.err = r.r.Discard(int(n))
		r.left -= n
		r.read += n
	}
}

// skipTexts passes over n texts and checks their lengths, as many at a time as
// the buffer holds.
func (r *ggufReader) skipTexts(n int) {
	for n > 0 && r.err == nil {
		var window []byte
		if window, r.err = r.r.Peek(max(8, r.r.Buffered())); r.err != nil {
			return
		}
		at := int64(0)
		for ; n > 0 && at+8 <= int64(len(window)); n-- {
			length := binary.LittleEndian.Uint64(window[at:])
			if length > maxGGUFText {
				r.err = fmt.Errorf("it has a text of %d bytes, more than the %d allowed", length, maxGGUFText)
				return
			}
			at += 8 + int64(length)
		}
		if at > r.left {
			r.err = io.ErrUnexpectedEOF
			return
		}
		r.skip(at)
	}
}

// list reads the n entries of an array.
func (r *ggufReader) list(t ggufType, n int) any {
	if t == ggufString {
		list := make([]string, n)
		for i := range list {
			if list[i] = r.str(maxGGUFText); r.err != nil {
				return nil
			}
		}
		return list
	}
	width := t.width()
	b := r.bytes(int64(n) * width)
	if r.err != nil {
		return nil
	}
	at := func(i int) []byte { return b[int64(i)*width:] }
	switch t {
	case ggufF32, ggufF64:
		list := make([]float32, n)
		for i := range list {
			list[i] = float32(decodeGGUF(t, at(i)).(float64))
		}
		return list
	case ggufBool:
		list := make([]bool, n)
		for i := range list {
			list[i] = at(i)[0] != 0
		}
		return list
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = decodeInt(t, at(i))
	}
	return list
}
