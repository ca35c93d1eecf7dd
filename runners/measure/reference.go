package measure

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Kinds of reference: distributions over classes, an item each, or over the
// vocabulary, a foretold token each.
const (
	kindClass = "class"
	kindToken = "token"
)

// maxReference bounds a reference over the vocabulary in bytes: texts beyond it
// are not compared.
const maxReference = 1 << 30

// heading opens a reference file. It says what the rows belong to, so that a
// model is compared with a reference of the same items only. The file is the
// heading, little-endian, and then rows of width f32 logits.
type heading struct {
	Magic [8]byte
	Kind  [8]byte // zero padded
	Rows  uint64
	Width uint64
	Texts [sha256.Size]byte // of the token sequences
}

var referenceMagic = [8]byte{'h', 'r', 'e', 'f', 'l', 'o', 'g', '1'}

var headingBytes = int64(binary.Size(heading{}))

func newHeading(kind string, rows, width int, texts [][]int32) heading {
	h := heading{Magic: referenceMagic, Rows: uint64(rows), Width: uint64(width)}
	copy(h.Kind[:], kind)
	sum := sha256.New()
	var b []byte
	for _, ids := range texts {
		b = binary.LittleEndian.AppendUint32(b[:0], uint32(len(ids)))
		for _, id := range ids {
			b = binary.LittleEndian.AppendUint32(b, uint32(id))
		}
		sum.Write(b)
	}
	sum.Sum(h.Texts[:0])
	return h
}

// check refuses a reference of something else.
func (h heading) check(got heading) error {
	kind := func(h heading) []byte { return bytes.TrimRight(h.Kind[:], "\x00") }
	text := ""
	switch {
	case got.Magic != h.Magic:
		text = "it is no reference file of this version"
	case got.Kind != h.Kind:
		text = fmt.Sprintf("it is of kind %q, this model needs %q", kind(got), kind(h))
	case got.Width != h.Width:
		text = fmt.Sprintf("its distributions have %d values, this model's %d", got.Width, h.Width)
	case got.Rows != h.Rows:
		text = fmt.Sprintf("it has %d distributions, these items need %d", got.Rows, h.Rows)
	case got.Texts != h.Texts:
		text = "it was made from other texts or another tokenizer"
	default:
		return nil
	}
	return &wire.Error{Kind: wire.Harness, Text: text, Mend: "evaluate the dense model on these items with reference_out first"}
}

// reference is an open reference file. Rows are read and written in any order.
type reference struct {
	f    *os.File
	path string // where commit puts it
	raw  []byte // a row
	row  []float32
}

func newReference(f *os.File, path string, h heading) *reference {
	return &reference{f: f, path: path, raw: make([]byte, 4*h.Width), row: make([]float32, h.Width)}
}

// openReference opens a file for reading that must have this heading.
func openReference(path string, h heading) (*reference, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, wire.Wrap(wire.Target, fmt.Errorf("opening the reference: %w", err))
	}
	var got heading
	err = binary.Read(io.NewSectionReader(f, 0, headingBytes), binary.LittleEndian, &got)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = h.check(heading{})
	}
	if err == nil {
		err = h.check(got)
	}
	if err == nil {
		err = checkSize(f, headingBytes+4*int64(h.Rows*h.Width))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading the reference %s: %w", path, err)
	}
	return newReference(f, path, h), nil
}

func checkSize(f *os.File, want int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if got := info.Size(); got != want {
		return &wire.Error{
			Kind: wire.Target, Text: fmt.Sprintf("it has %d bytes, its heading asks for %d", got, want),
			Mend: "evaluate the dense model again",
		}
	}
	return nil
}

// createReference begins a file that appears at path when it is committed.
func createReference(path string, h heading) (*reference, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, wire.Wrap(wire.Target, fmt.Errorf("writing the reference: %w", err))
	}
	r := newReference(f, path, h)
	if err := binary.Write(f, binary.LittleEndian, h); err != nil {
		r.discard()
		return nil, wire.Wrap(wire.Target, fmt.Errorf("writing the reference: %w", err))
	}
	return r, nil
}

// put writes a row.
func (r *reference) put(row int, logits []float32) error {
	for i, v := range logits {
		binary.LittleEndian.PutUint32(r.raw[4*i:], math.Float32bits(v))
	}
	if _, err := r.f.WriteAt(r.raw, r.offset(row)); err != nil {
		return wire.Wrap(wire.Target, fmt.Errorf("writing the reference: %w", err))
	}
	return nil
}

// get returns a row, valid until the next call.
func (r *reference) get(row int) ([]float32, error) {
	if _, err := r.f.ReadAt(r.raw, r.offset(row)); err != nil {
		return nil, wire.Wrap(wire.Target, fmt.Errorf("reading the reference: %w", err))
	}
	for i := range r.row {
		r.row[i] = math.Float32frombits(binary.LittleEndian.Uint32(r.raw[4*i:]))
	}
	if !finite(r.row) {
		return nil, &wire.Error{
			Kind: wire.Target, Text: fmt.Sprintf("reading the reference %s: row %d is not finite", r.path, row),
			Mend: "evaluate the dense model again",
		}
	}
	return r.row, nil
}

func (r *reference) offset(row int) int64 { return headingBytes + int64(row)*int64(len(r.raw)) }

// commit makes a written file appear.
func (r *reference) commit() error {
	err := r.f.Close()
	if err == nil {
		err = os.Rename(r.f.Name(), r.path)
	}
	if err != nil {
		return wire.Wrap(wire.Target, fmt.Errorf("writing the reference: %w", err))
	}
	return nil
}

// discard removes what was written and not committed.
func (r *reference) discard() {
	r.f.Close()
	// After a commit the file has gone; one that stays has a hidden name.
	_ = os.Remove(r.f.Name())
}

// openReferences opens the files that the request names, for rows under h.
func (e *evaluation) openReferences(h heading) (err error) {
	if e.req.Reference != "" {
		if e.reading, err = openReference(e.req.Reference, h); err != nil {
			return err
		}
	}
	if e.req.ReferenceOut != "" {
		if e.writing, err = createReference(e.req.ReferenceOut, h); err != nil {
			return err
		}
	}
	if e.reading != nil || e.writing != nil {
		e.result.ReferenceKind = string(bytes.TrimRight(h.Kind[:], "\x00"))
	}
	return nil
}

// closeReferences closes what is open; a file that was not committed is gone.
func (e *evaluation) closeReferences() {
	if e.reading != nil {
		e.reading.f.Close()
	}
	if e.writing != nil {
		e.writing.discard()
	}
}

// compare writes a row of logits to the reference in the making and compares it
// with the one that is read.
func (e *evaluation) compare(row int, logits []float32) (divergence, error) {
	if e.writing != nil {
		if err := e.writing.put(row, logits); err != nil {
			return divergence{}, err
		}
	}
	if e.reading == nil {
		return divergence{}, nil
	}
	want, err := e.reading.get(row)
	if err != nil {
		return divergence{}, err
	}
	return diverge(want, logits), nil
}
