package model

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// part is a tensor to be written; emit produces exactly its bytes.
type part struct {
	TensorInfo
	emit func(w io.Writer) error
}

// WriteSafetensors writes tensors and free text to a file, atomically: a reader
// sees the old file or the whole new one. The same input gives the same bytes.
func WriteSafetensors(path string, meta map[string]string, tensors []Tensor) error {
	parts := make([]part, len(tensors))
	for i, t := range tensors {
		if want := t.Elements() * dtypeBytes[t.DType]; want != len(t.Data) {
			return fmt.Errorf("writing %s: tensor %s has %d bytes for shape %v of %s, which takes %d", path, t.Name, len(t.Data), t.Shape, t.DType, want)
		}
		parts[i] = part{t.TensorInfo, func(w io.Writer) error {
			_, err := w.Write(t.Data)
			return err
		}}
	}
	return writeAtomic(path, func(w io.Writer) error { return writeParts(w, meta, parts) })
}

// writeParts writes a whole safetensors file. Wide types come first so that
// every tensor is aligned to its own width.
func writeParts(w io.Writer, meta map[string]string, parts []part) error {
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b part) int {
		if d := dtypeBytes[b.DType] - dtypeBytes[a.DType]; d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	header, err := encodeHeader(meta, parts)
	if err != nil {
		return err
	}
	var lead [8]byte
	binary.LittleEndian.PutUint64(lead[:], uint64(len(header)))
	for _, b := range [][]byte{lead[:], header} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := p.emit(w); err != nil {
			return fmt.Errorf("tensor %s: %w", p.Name, err)
		}
	}
	return nil
}

func encodeHeader(meta map[string]string, parts []part) ([]byte, error) {
	var b bytes.Buffer
	field := func(key string, value any) error {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		k, _ := json.Marshal(key)
		v, err := json.Marshal(value)
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
		return err
	}
	if len(meta) > 0 {
		if err := field("__metadata__", meta); err != nil {
			return nil, err
		}
	}
	type jsonEntry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	var at int64
	for _, p := range parts {
		width, ok := dtypeBytes[p.DType]
		if !ok {
			return nil, fmt.Errorf("tensor %s: type %q is not known", p.Name, p.DType)
		}
		end := at + int64(p.Elements())*int64(width)
		shape := p.Shape
		if shape == nil {
			shape = []int{}
		}
		if err := field(p.Name, jsonEntry{p.DType, shape, [2]int64{at, end}}); err != nil {
			return nil, err
		}
		at = end
	}
	header := append(append([]byte{'{'}, b.Bytes()...), '}')
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	return header, nil
}

// explain adds the mend to the errors of writing that a user can do something
// about.
func explain(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the folder cannot be written, choose another one or change its permissions", err)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: its folder is not there, make it first", err)
	}
	return err
}

// writeAtomic writes path as replaceFile does, through a buffer.
func writeAtomic(path string, write func(io.Writer) error) error {
	return replaceFile(path, func(f *os.File) error {
		buf := bufio.NewWriterSize(f, 1<<20)
		if err := write(buf); err != nil {
			return err
		}
		return buf.Flush()
	})
}

// replaceFile writes path through a temporary file beside it, synced and
// renamed into place.
func replaceFile(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, explain(err))
	}
	defer os.Remove(f.Name()) // gone after the rename
	err = write(f)
	for _, step := range []func() error{func() error { return f.Chmod(0o644) }, f.Sync} {
		if err == nil {
			err = step()
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
