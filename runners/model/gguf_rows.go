package model

import "fmt"

// rowEncoder returns a function that writes n rows of w as blocks of the given
// type: copied where they are that already, with their integers where those
// fit, else rounded from their float32 values. It is safe for concurrent use.
func rowEncoder(kind ggmlType, w *Matrix) func(from, n int, dst []byte) error {
	if w.Kind() == KindStored {
		if b, ok := w.Stored.source.(*blockRows); ok && b.kind == kind {
			return func(from, n int, dst []byte) error {
				return b.each(from, n, func(row, k int, src []byte) error {
					copy(dst[row*b.rowBytes():], src)
					return b.check(src)
				})
			}
		}
	}
	c := codings[kind]
	if ints := blockInts(kind, w); ints != nil {
		return func(from, n int, dst []byte) error {
			q, scale := make([]int8, n*w.Cols), make([]uint16, n*w.Cols/blockValues)
			if err := ints(from, n, q, scale); err != nil {
				return err
			}
			for i, s := range scale {
				if s&f16Exponent == f16Exponent {
					return errNotFinite
				}
				if kind == ggmlQ8_0 {
					putQ8_0(dst[i*bytesQ8_0:], s, q[i*blockValues:])
				} else {
					putQ4_0(dst[i*bytesQ4_0:], s, q[i*blockValues:])
				}
			}
			return nil
		}
	}
	floats := floatRows(w)
	return func(from, n int, dst []byte) error {
		v := make([]float32, n*w.Cols)
		if err := floats(from, n, v); err != nil {
			return err
		}
		return c.encode(dst, v)
	}
}

// check decodes blocks for their errors alone.
func (b *blockRows) check(src []byte) error {
	values := len(src) / b.coding.bytes * b.coding.values
	return b.coding.floats(src, make([]float32, values))
}

// blockInts returns a reader of w's integers with a scale for every 32 of them,
// nil where blocks of the given type cannot hold those exactly.
func blockInts(kind ggmlType, w *Matrix) func(from, n int, q []int8, scale []uint16) error {
	room := map[ggmlType]int{ggmlQ8_0: 8, ggmlQ4_0: 4}[kind]
	switch w.Kind() {
	case KindInt:
		if w.Bits > room || w.Cols%blockValues != 0 {
			return nil
		}
		return func(from, n int, q []int8, scale []uint16) error {
			copy(q, w.Q[from*w.Cols:][:n*w.Cols])
			spread(scale, w.Scale[from*w.Groups():][:n*w.Groups()], w.Cols, w.Group)
			return nil
		}
	case KindStored:
		f := w.Stored.Format()
		if f.Bits == 0 || f.Bits > room || f.Super || f.Group%blockValues != 0 || w.Cols%blockValues != 0 {
			return nil
		}
		return func(from, n int, q []int8, scale []uint16) error {
			own := make([]uint16, n*((w.Cols+f.Group-1)/f.Group))
			if err := w.Stored.Ints(from, n, q, own); err != nil {
				return err
			}
			spread(scale, own, w.Cols, f.Group)
			return nil
		}
	}
	return nil
}

// spread repeats the scales of groups along rows of cols values for every block.
func spread(dst, src []uint16, cols, group int) {
	blocks, groups := cols/blockValues, (cols+group-1)/group
	for i := range dst {
		dst[i] = src[i/blocks*groups+i%blocks*blockValues/group]
	}
}

// floatRows returns a reader of w's rows in float32.
func floatRows(w *Matrix) func(from, n int, dst []float32) error {
	switch w.Kind() {
	case KindStored:
		return w.Stored.Floats
	case KindFactored:
		dense, err := w.Materialize()
		if err != nil {
			return func(int, int, []float32) error { return fmt.Errorf("reading its factors: %w", err) }
		}
		w = &Matrix{Rows: w.Rows, Cols: w.Cols, F32: dense.Dense()}
	}
	return func(from, n int, dst []float32) error {
		for i := range n {
			w.Row(dst[i*w.Cols:], from+i)
		}
		return nil
	}
}
