package model

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/seed-c6f48606/harness/kernels"
)

// pieceBytes is how much of a tensor is held as raw bytes while it is
// converted, so that loading takes little more than the model itself.
const pieceBytes = 1 << 20

var errNotFinite = errors.New("holds a value that is not finite")

// readPieces feeds n elements of the given width to use, piece by piece.
func readPieces(r io.Reader, n, width int, use func(at int, b []byte) error) error {
	buf := make([]byte, min(n*width, pieceBytes))
	for at := 0; at < n; {
		k := min(n-at, len(buf)/width)
		if _, err := io.ReadFull(r, buf[:k*width]); err != nil {
			return err
		}
		if err := use(at, buf[:k*width]); err != nil {
			return err
		}
		at += k
	}
	return nil
}

// readF32 reads n values of a float type as float32, exactly.
func readF32(r io.Reader, dtype string, n int) ([]float32, error) {
	out := make([]float32, n)
	var bad uint32
	check := func(f float32) float32 {
		if math.Float32bits(f)&0x7f800000 == 0x7f800000 {
			bad = 1
		}
		return f
	}
	var use func(at int, b []byte) error
	width := 2
	switch dtype {
	case "F32":
		width = 4
		use = func(at int, b []byte) error {
			for i := range len(b) / 4 {
				out[at+i] = check(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
			}
			return nil
		}
	case "F16":
		use = func(at int, b []byte) error {
			for i := range len(b) / 2 {
				out[at+i] = check(kernels.F16ToF32(binary.LittleEndian.Uint16(b[2*i:])))
			}
			return nil
		}
	case "BF16":
		use = func(at int, b []byte) error {
			for i := range len(b) / 2 {
				out[at+i] = check(kernels.BF16ToF32(binary.LittleEndian.Uint16(b[2*i:])))
			}
			return nil
		}
	default:
		return nil, unsupportedf("type %s is not supported here (supported: F32, F16, BF16)", dtype)
	}
	if err := readPieces(r, n, width, use); err != nil {
		return nil, err
	}
	if bad != 0 {
		return nil, errNotFinite
	}
	return out, nil
}

// readU16 reads n 16-bit words; exponent is the mask whose full setting marks
// a value that is not finite.
func readU16(r io.Reader, n int, exponent uint16) ([]uint16, error) {
	out := make([]uint16, n)
	bad := false
	err := readPieces(r, n, 2, func(at int, b []byte) error {
		for i := range len(b) / 2 {
			v := binary.LittleEndian.Uint16(b[2*i:])
			bad = bad || v&exponent == exponent
			out[at+i] = v
		}
		return nil
	})
	if err == nil && bad {
		err = errNotFinite
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

const (
	bf16Exponent = 0x7f80
	f16Exponent  = 0x7c00
)

// readDense reads a rows×cols matrix in the storage closest to the file's:
// BF16 stays, F32 and F16 become F32.
func readDense(r io.Reader, dtype string, rows, cols int) (*Matrix, error) {
	m := &Matrix{Rows: rows, Cols: cols}
	var err error
	if dtype == "BF16" {
		m.BF16, err = readU16(r, rows*cols, bf16Exponent)
	} else {
		m.F32, err = readF32(r, dtype, rows*cols)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
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
