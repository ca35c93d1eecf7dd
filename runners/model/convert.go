package model

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// pieceBytes is how much of a tensor is held as raw bytes while it is written.
const pieceBytes = 1 << 20

// span is a tensor's place in a file.
type span struct {
	file     io.ReaderAt
	at, size int64
}

// vector reads n values of a float type as float32, exactly.
func (s span) vector(dtype string, n int) ([]float32, error) {
	kind, err := floatKind(dtype)
	if err != nil {
		return nil, err
	}
	b := make([]byte, s.size)
	if _, err := s.file.ReadAt(b, s.at); err != nil {
		return nil, err
	}
	out := make([]float32, n)
	return out, codings[kind].floats(b, out)
}

// matrix describes rows of a float type that begin at byte skip; label names
// them in errors.
func (s span) matrix(label, dtype string, skip int64, rows, cols int) (*Matrix, error) {
	kind, err := floatKind(dtype)
	if err != nil {
		return nil, err
	}
	return storedMatrix(rows, cols, &blockRows{
		kind: kind, coding: codings[kind], label: label, file: s.file, at: s.at + skip, rows: rows, cols: cols,
	}), nil
}

// floatKind is a float type by its name, which both formats share.
func floatKind(dtype string) (ggmlType, error) {
	switch dtype {
	case "F32":
		return ggmlF32, nil
	case "F16":
		return ggmlF16, nil
	case "BF16":
		return ggmlBF16, nil
	}
	return 0, unsupportedf("type %s is not supported here (supported: F32, F16, BF16)", dtype)
}

func emitF32(v []float32) func(io.Writer) error {
	return func(w io.Writer) error {
		var buf []byte
		for len(v) > 0 {
			n := min(len(v), pieceBytes/4)
			buf = buf[:0]
			for _, f := range v[:n] {
				if math.Float32bits(f)&0x7f800000 == 0x7f800000 {
					return errNotFinite
				}
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(f))
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
			v = v[n:]
		}
		return nil
	}
}

func emitU16(v []uint16, exponent uint16) func(io.Writer) error {
	return func(w io.Writer) error {
		var buf []byte
		for len(v) > 0 {
			n := min(len(v), pieceBytes/2)
			buf = buf[:0]
			for _, h := range v[:n] {
				if h&exponent == exponent {
					return errNotFinite
				}
				buf = binary.LittleEndian.AppendUint16(buf, h)
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
			v = v[n:]
		}
		return nil
	}
}

// intShape is what the file's metadata say about an integer matrix.
type intShape struct {
	Rows  int `json:"rows"`
	Cols  int `json:"cols"`
	Bits  int `json:"bits"`
	Group int `json:"group"`
}

// matricesKey is the metadata key that holds a JSON object from matrix name to
// intShape.
const matricesKey = "harness.matrices"

func parseIntShapes(text string) (map[string]intShape, error) {
	if text == "" {
		return nil, nil
	}
	var shapes map[string]intShape
	if err := json.Unmarshal([]byte(text), &shapes); err != nil {
		return nil, fmt.Errorf("metadata %s: %w", matricesKey, err)
	}
	return shapes, nil
}
