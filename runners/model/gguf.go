package model

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

const ggufMagic = "GGUF"

// Bounds on what a GGUF header may claim, beside the file's own length.
const (
	maxGGUFKeys    = 1 << 16
	maxGGUFTensors = 1 << 16
	maxGGUFArray   = 1 << 23
	maxGGUFDims    = 4
	maxGGUFName    = 1 << 16
)

// ggufType is the type of a metadata value.
type ggufType uint32

const (
	ggufU8 ggufType = iota
	ggufI8
	ggufU16
	ggufI16
	ggufU32
	ggufI32
	ggufF32
	ggufBool
	ggufString
	ggufArray
	ggufU64
	ggufI64
	ggufF64
)

// width is a value's bytes, 0 for those of no fixed length.
func (t ggufType) width() int64 {
	switch t {
	case ggufU8, ggufI8, ggufBool:
		return 1
	case ggufU16, ggufI16:
		return 2
	case ggufU32, ggufI32, ggufF32:
		return 4
	case ggufU64, ggufI64, ggufF64:
		return 8
	}
	return 0
}

// ggufTensor is a tensor's place in the file. Dims has the fastest first: the
// columns, then the rows.
type ggufTensor struct {
	name   string
	dims   []int
	kind   ggmlType
	offset int64 // in the file
	size   int64
}

// GGUF is an open GGUF file, version 2 or 3. See
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md for the format.
type GGUF struct {
	path    string
	source  io.ReaderAt
	close   func() error
	values  map[string]any // int64, float64, bool, string or ggufList
	tensors map[string]ggufTensor
}

// OpenGGUF reads and checks a file's header. The caller closes it.
func OpenGGUF(path string) (*GGUF, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening GGUF file: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening GGUF file: %w", err)
	}
	g, err := newGGUF(path, f, st.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	g.close = f.Close
	return g, nil
}

// newGGUF reads the header of the size bytes of source.
func newGGUF(path string, source io.ReaderAt, size int64) (*GGUF, error) {
	g := &GGUF{
		path: path, source: source, close: func() error { return nil },
		values: map[string]any{}, tensors: map[string]ggufTensor{},
	}
	r := &ggufReader{r: bufio.NewReaderSize(io.NewSectionReader(source, 0, size), 1<<16), left: size}
	if err := g.readHeader(r, size); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("its header ends early: the file is truncated, get it again")
		}
		return nil, fmt.Errorf("reading GGUF file %s: %w", path, err)
	}
	return g, nil
}

// Close closes the file.
func (g *GGUF) Close() error { return g.close() }

func (g *GGUF) readHeader(r *ggufReader, size int64) error {
	if magic := r.bytes(4); string(magic) != ggufMagic {
		if r.err != nil {
			return r.err
		}
		return errors.New("it does not begin with GGUF")
	}
	switch v := r.u32(); {
	case r.err != nil:
		return r.err
	case v == 1 || v > 3 && v < 1<<16:
		return unsupportedf("its version is %d (supported: 2 and 3)", v)
	case v != 2 && v != 3:
		return unsupportedf("it is big-endian or damaged (version %#x)", v)
	}
	tensors, keys := r.u64(), r.u64()
	if r.err != nil {
		return r.err
	}
	if tensors > maxGGUFTensors || keys > maxGGUFKeys {
		return fmt.Errorf("it claims %d tensors and %d keys, more than the %d and %d allowed", tensors, keys, maxGGUFTensors, maxGGUFKeys)
	}
	for range keys {
		key := r.str(maxGGUFName)
		value := r.value(ggufType(r.u32()), key)
		if r.err != nil {
			return r.err
		}
		if _, twice := g.values[key]; twice {
			return fmt.Errorf("it has the key %q twice", key)
		}
		g.values[key] = value
	}
	if err := g.readTensors(r, int(tensors)); err != nil {
		return err
	}
	return g.place(r.read, size)
}

func (g *GGUF) readTensors(r *ggufReader, n int) error {
	for range n {
		t := ggufTensor{name: r.str(maxGGUFName)}
		dims := r.u32()
		if r.err == nil && (dims == 0 || dims > maxGGUFDims) {
			return fmt.Errorf("tensor %q has %d dimensions", t.name, dims)
		}
		elements := int64(1)
		for range dims {
			d := r.u64()
			if r.err != nil {
				return r.err
			}
			if d < 1 || d > math.MaxInt32 || elements > math.MaxInt64/8/int64(d) {
				return fmt.Errorf("tensor %q has the impossible dimension %d", t.name, d)
			}
			elements *= int64(d)
			t.dims = append(t.dims, int(d))
		}
		t.kind = ggmlType(r.u32())
		offset := r.u64()
		if r.err != nil {
			return r.err
		}
		if offset > math.MaxInt64/2 {
			return fmt.Errorf("tensor %q begins at byte %d", t.name, offset)
		}
		t.offset = int64(offset)
		if _, twice := g.tensors[t.name]; twice {
			return fmt.Errorf("it has the tensor %q twice", t.name)
		}
		g.tensors[t.name] = t
	}
	return nil
}

// place turns offsets within the data into offsets in the file and checks that
// the tensors of known types lie in the file and apart from each other.
func (g *GGUF) place(header, size int64) error {
	align := int64(32)
	if v, ok := g.Int("general.alignment"); ok {
		if v < 1 || v > 1<<20 || v&(v-1) != 0 {
			return fmt.Errorf("general.alignment is %d, not a power of two up to %d", v, 1<<20)
		}
		align = v
	}
	data := (header + align - 1) / align * align
	var order []ggufTensor
	for name, t := range g.tensors {
		t.offset += data
		block, bytes := t.kind.block()
		if block > 0 {
			if t.dims[0]%block != 0 {
				return fmt.Errorf("tensor %q has rows of %d values, not whole blocks of %d", name, t.dims[0], block)
			}
			elements := int64(1)
			for _, d := range t.dims {
				elements *= int64(d)
			}
			t.size = elements / int64(block) * int64(bytes)
			if t.offset > size || t.size > size-t.offset {
				return fmt.Errorf("tensor %q ends beyond the file's %d bytes: the file is truncated, get it again", name, size)
			}
			order = append(order, t)
		}
		g.tensors[name] = t
	}
	slices.SortFunc(order, func(a, b ggufTensor) int { return int(min(max(a.offset-b.offset, -1), 1)) })
	for i := 1; i < len(order); i++ {
		if prev := order[i-1]; prev.offset+prev.size > order[i].offset {
			return fmt.Errorf("tensor %q overlaps %q", order[i].name, prev.name)
		}
	}
	return nil
}
