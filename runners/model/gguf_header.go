package model

import (
	"encoding/binary"
	"math"
)

// ggufAlign is the alignment of tensors in the files that are written, the
// format's default.
const ggufAlign = 32

// ggufWriter collects the key-value pairs of a header.
type ggufWriter struct {
	keys uint64
	b    []byte
}

func (w *ggufWriter) key(key string, t ggufType) {
	w.keys++
	w.b = appendText(w.b, key)
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(t))
}

func (w *ggufWriter) u32(key string, v uint32) {
	w.key(key, ggufU32)
	w.b = binary.LittleEndian.AppendUint32(w.b, v)
}

func (w *ggufWriter) f32(key string, v float32) {
	w.key(key, ggufF32)
	w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(v))
}

func (w *ggufWriter) bool(key string, v bool) {
	w.key(key, ggufBool)
	b := byte(0)
	if v {
		b = 1
	}
	w.b = append(w.b, b)
}

func (w *ggufWriter) str(key, v string) {
	w.key(key, ggufString)
	w.b = appendText(w.b, v)
}

func (w *ggufWriter) array(key string, t ggufType, n int) {
	w.key(key, ggufArray)
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(t))
	w.b = binary.LittleEndian.AppendUint64(w.b, uint64(n))
}

func (w *ggufWriter) strs(key string, v []string) {
	w.array(key, ggufString, len(v))
	for _, s := range v {
		w.b = appendText(w.b, s)
	}
}

func (w *ggufWriter) f32s(key string, v []float32) {
	w.array(key, ggufF32, len(v))
	for _, f := range v {
		w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(f))
	}
}

func (w *ggufWriter) i32s(key string, v []int32) {
	w.array(key, ggufI32, len(v))
	for _, i := range v {
		w.b = binary.LittleEndian.AppendUint32(w.b, uint32(i))
	}
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// header returns a file's bytes up to its data. The offsets of the tensors
// count from there.
func (w *ggufWriter) header(tensors []ggufTensor) []byte {
	b := append([]byte(ggufMagic), 3, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tensors)))
	b = binary.LittleEndian.AppendUint64(b, w.keys)
	b = append(b, w.b...)
	for _, t := range tensors {
		b = appendText(b, t.name)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.dims)))
		for _, d := range t.dims {
			b = binary.LittleEndian.AppendUint64(b, uint64(d))
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.kind))
		b = binary.LittleEndian.AppendUint64(b, uint64(t.offset))
	}
	return append(b, make([]byte, aligned(int64(len(b)))-int64(len(b)))...)
}

// aligned rounds an offset up to ggufAlign.
func aligned(n int64) int64 { return (n + ggufAlign - 1) / ggufAlign * ggufAlign }
