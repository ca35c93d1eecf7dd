package model

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/seed-c6f48606/harness/kernels"
)

// readBytes is about how much of a file is read and decoded at a time: little
// enough to stay in a core's second-level cache.
const readBytes = 128 << 10

var readBuffers = sync.Pool{New: func() any { return new([]byte) }}

// borrow returns a buffer of at least n bytes from readBuffers.
func borrow(n int) *[]byte {
	buf := readBuffers.Get().(*[]byte)
	if cap(*buf) < n {
		*buf = make([]byte, max(n, readBytes))
	}
	*buf = (*buf)[:cap(*buf)]
	return buf
}

// blockRows is a matrix of blocks that lie one after the other in a file.
type blockRows struct {
	kind       ggmlType
	coding     *coding
	label      string // tensor and file, for errors
	file       io.ReaderAt
	at         int64 // of the first row
	rows, cols int
}

func (b *blockRows) format() Format {
	c := b.coding
	return Format{Bits: c.bits, Group: c.group, Mins: c.mins, Super: c.supers != nil}
}

func (b *blockRows) rowBytes() int { return b.cols / b.coding.values * b.coding.bytes }

func (b *blockRows) bytes() int64 { return int64(b.rows) * int64(b.rowBytes()) }

func (b *blockRows) ints(from, n int, q []int8, scale []uint16) error {
	groups := b.cols / b.coding.group
	return b.each(from, n, func(row, k int, src []byte) error {
		return b.coding.ints(src, q[row*b.cols:][:k*b.cols], scale[row*groups:][:k*groups])
	})
}

func (b *blockRows) supers(from, n int, q []int8, to *kernels.Supers) error {
	groups, supers := b.cols/b.coding.group, b.cols/superValues
	return b.each(from, n, func(row, k int, src []byte) error {
		part := kernels.Supers{Scale: to.Scale[row*supers:], Fine: to.Fine[row*groups:]}
		if b.coding.mins {
			part.Min, part.FineMin = to.Min[row*supers:], to.FineMin[row*groups:]
		}
		return b.coding.supers(src, q[row*b.cols:][:k*b.cols], &part)
	})
}

func (b *blockRows) floats(from, n int, dst []float32) error {
	return b.each(from, n, func(row, k int, src []byte) error {
		return b.coding.floats(src, dst[row*b.cols:][:k*b.cols])
	})
}

// each reads n rows from row from on and passes them some at a time: row counts
// from 0, k rows lie in src.
func (b *blockRows) each(from, n int, use func(row, k int, src []byte) error) error {
	width := b.rowBytes()
	step := max(1, readBytes/width)
	buf := borrow(min(step, n) * width)
	defer readBuffers.Put(buf)
	for row := 0; row < n; {
		k := min(step, n-row)
		src := (*buf)[:k*width]
		_, err := b.file.ReadAt(src, b.at+int64(from+row)*int64(width))
		if err == nil {
			err = use(row, k, src)
		}
		if err != nil {
			return fmt.Errorf("%s, rows %d to %d: %w", b.label, from+row, from+row+k-1, err)
		}
		row += k
	}
	return nil
}

// packedRows is a matrix of our own files: all integers as one stream of bits,
// the f16 scales of its groups apart from them.
type packedRows struct {
	intShape
	label    string
	q, scale span
}

func (p *packedRows) format() Format { return Format{Bits: p.Bits, Group: p.Group} }

func (p *packedRows) bytes() int64 { return p.q.size + p.scale.size }

func (p *packedRows) ints(from, n int, q []int8, scale []uint16) error {
	if n == 0 {
		return nil
	}
	err := p.readScales(from, scale)
	step := max(1, readBytes/p.Cols)
	for row := 0; row < n && err == nil; row += step {
		err = p.readBits(from+row, q[row*p.Cols:][:min(step, n-row)*p.Cols])
	}
	if err != nil {
		return fmt.Errorf("%s, rows %d to %d: %w", p.label, from, from+n-1, err)
	}
	return nil
}

func (p *packedRows) readScales(from int, scale []uint16) error {
	buf := borrow(2 * len(scale))
	defer readBuffers.Put(buf)
	groups := (p.Cols + p.Group - 1) / p.Group
	if _, err := p.scale.file.ReadAt((*buf)[:2*len(scale)], p.scale.at+2*int64(from)*int64(groups)); err != nil {
		return err
	}
	ok := true
	for i := range scale {
		scale[i] = binary.LittleEndian.Uint16((*buf)[2*i:])
		ok = ok && scale[i]&f16Exponent != f16Exponent
	}
	return finiteIf(ok)
}

func (p *packedRows) readBits(from int, q []int8) error {
	first := int64(from) * int64(p.Cols) * int64(p.Bits)
	last := first + int64(len(q))*int64(p.Bits)
	n := int((last+7)/8 - first/8)
	buf := borrow(n)
	defer readBuffers.Put(buf)
	if _, err := p.q.file.ReadAt((*buf)[:n], p.q.at+first/8); err != nil {
		return err
	}
	unpackBits(q, (*buf)[:n], int(first%8), p.Bits)
	return nil
}

func (p *packedRows) floats(from, n int, dst []float32) error {
	groups := (p.Cols + p.Group - 1) / p.Group
	q, scale := make([]int8, n*p.Cols), make([]uint16, n*groups)
	if err := p.ints(from, n, q, scale); err != nil {
		return err
	}
	for i := range n {
		row := dst[i*p.Cols:][:p.Cols]
		for j := range row {
			row[j] = kernels.F16ToF32(scale[i*groups+j/p.Group]) * float32(q[i*p.Cols+j])
		}
	}
	return nil
}
