package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// maxHeader bounds a safetensors header, as the format's own library does.
const maxHeader = 100_000_000

// TensorInfo describes a stored tensor.
type TensorInfo struct {
	Name  string
	DType string // "F32", "F16", "BF16", "I32", "U8", "I8", …
	Shape []int
}

// Elements is the product of the shape.
func (t TensorInfo) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Tensor is a tensor with its bytes, little-endian and row-major.
type Tensor struct {
	TensorInfo
	Data []byte
}

// dtypeBytes lists the format's types; the engine converts only some of them.
var dtypeBytes = map[string]int{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}

// entry is a tensor's place in the data that follow the header.
type entry struct {
	TensorInfo
	begin, end int64
}

// Safetensors is an open safetensors file. Tensors are read when asked for.
// See https://huggingface.co/docs/safetensors for the format.
type Safetensors struct {
	path    string
	source  io.ReaderAt
	close   func() error
	data    int64 // offset of the data in the file
	entries map[string]entry
	meta    map[string]string
}

// OpenSafetensors reads and checks a file's header: sizes, offsets, overlaps
// and the file's length. The caller closes it.
func OpenSafetensors(path string) (*Safetensors, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening safetensors file: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening safetensors file: %w", err)
	}
	s, err := newSafetensors(path, f, st.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	s.close = f.Close
	return s, nil
}

// newSafetensors reads the header of the size bytes of source.
func newSafetensors(path string, source io.ReaderAt, size int64) (*Safetensors, error) {
	s := &Safetensors{path: path, source: source, close: func() error { return nil }}
	if err := s.readHeader(size); err != nil {
		return nil, fmt.Errorf("reading safetensors file %s: %w", path, err)
	}
	return s, nil
}

// Close closes the file.
func (s *Safetensors) Close() error { return s.close() }

// Names lists the tensors, sorted.
func (s *Safetensors) Names() []string {
	names := make([]string, 0, len(s.entries))
	for name := range s.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Meta is the header's free text, nil if it has none.
func (s *Safetensors) Meta() map[string]string { return s.meta }

// Info describes a tensor without reading it.
func (s *Safetensors) Info(name string) (TensorInfo, bool) {
	e, ok := s.entries[name]
	return e.TensorInfo, ok
}

// Tensor reads a tensor.
func (s *Safetensors) Tensor(name string) (Tensor, error) {
	e, ok := s.entries[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s has no tensor %q", s.path, name)
	}
	t := Tensor{TensorInfo: e.TensorInfo, Data: make([]byte, e.end-e.begin)}
	if _, err := s.source.ReadAt(t.Data, s.data+e.begin); err != nil {
		return Tensor{}, fmt.Errorf("reading tensor %s of %s: %w", name, s.path, err)
	}
	return t, nil
}

func (s *Safetensors) readHeader(size int64) error {
	var lead [8]byte
	if size < 8 {
		return fmt.Errorf("%d bytes are too few for a header: the file is truncated", size)
	}
	if _, err := s.source.ReadAt(lead[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(lead[:])
	if n > maxHeader {
		return fmt.Errorf("its header claims %d bytes, more than the %d allowed: not a safetensors file", n, maxHeader)
	}
	if int64(n) > size-8 {
		return fmt.Errorf("its header claims %d bytes, but only %d follow: the file is truncated", n, size-8)
	}
	header := make([]byte, n)
	if _, err := s.source.ReadAt(header, 8); err != nil {
		return err
	}
	s.data = 8 + int64(n)
	var err error
	if s.entries, s.meta, err = parseHeader(header); err != nil {
		return err
	}
	return checkLayout(s.entries, size-s.data)
}

// parseHeader decodes the JSON header and checks each entry by itself.
func parseHeader(header []byte) (map[string]entry, map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("its header is not a JSON object: not a safetensors file")
	}
	entries := map[string]entry{}
	var meta map[string]string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("its header: %w", err)
		}
		name := key.(string) // a key of a JSON object
		if name == "__metadata__" {
			if meta != nil {
				return nil, nil, errors.New("its header names __metadata__ twice")
			}
			if err := dec.Decode(&meta); err != nil {
				return nil, nil, fmt.Errorf("__metadata__ of its header: %w", err)
			}
			continue
		}
		if _, twice := entries[name]; twice {
			return nil, nil, fmt.Errorf("its header names tensor %q twice", name)
		}
		var raw struct {
			DType   string  `json:"dtype"`
			Shape   []int64 `json:"shape"`
			Offsets []int64 `json:"data_offsets"`
		}
		if err := dec.Decode(&raw); err != nil {
			return nil, nil, fmt.Errorf("tensor %q of its header: %w", name, err)
		}
		e, err := newEntry(name, raw.DType, raw.Shape, raw.Offsets)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		entries[name] = e
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, fmt.Errorf("its header: %w", err)
	}
	if rest := header[dec.InputOffset():]; strings.Trim(string(rest), " \n\r\t\x00") != "" {
		return nil, nil, errors.New("its header goes on after the JSON object")
	}
	return entries, meta, nil
}

func newEntry(name, dtype string, shape, offsets []int64) (entry, error) {
	width, known := dtypeBytes[dtype]
	if !known {
		return entry{}, unsupportedf("type %q is not known", dtype)
	}
	if len(offsets) != 2 || offsets[0] < 0 || offsets[1] < offsets[0] {
		return entry{}, fmt.Errorf("data_offsets %v are not a range", offsets)
	}
	e := entry{begin: offsets[0], end: offsets[1]}
	e.Name, e.DType = name, dtype
	size := int64(width)
	for _, d := range shape {
		if d < 0 || d > math.MaxInt32 || (d > 0 && size > math.MaxInt64/d) {
			return entry{}, fmt.Errorf("shape %v is not possible", shape)
		}
		size *= d
		e.Shape = append(e.Shape, int(d))
	}
	if size != e.end-e.begin {
		return entry{}, fmt.Errorf("%d bytes for shape %v of %s, which takes %d", e.end-e.begin, shape, dtype, size)
	}
	return e, nil
}

// checkLayout checks that the tensors tile the data without gap or overlap, as
// the format demands, and that the file holds them all.
func checkLayout(entries map[string]entry, have int64) error {
	order := make([]entry, 0, len(entries))
	for _, e := range entries {
		order = append(order, e)
	}
	slices.SortFunc(order, func(a, b entry) int {
		if a.begin != b.begin {
			return int(min(max(a.begin-b.begin, -1), 1))
		}
		if a.end != b.end {
			return int(min(max(a.end-b.end, -1), 1))
		}
		return strings.Compare(a.Name, b.Name)
	})
	var at int64
	for _, e := range order {
		if e.begin < at {
			return fmt.Errorf("tensor %q overlaps another at byte %d of the data", e.Name, e.begin)
		}
		if e.begin > at {
			return fmt.Errorf("bytes %d to %d of the data belong to no tensor", at, e.begin)
		}
		at = e.end
	}
	if at > have {
		return fmt.Errorf("its tensors take %d bytes, but only %d are there: the file is truncated, get it again", at, have)
	}
	if at < have {
		return fmt.Errorf("%d bytes follow its last tensor", have-at)
	}
	return nil
}
