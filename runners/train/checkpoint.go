package train

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"
)

// checkpointMagic opens a checkpoint: magic, length of the JSON header as
// uint64, header, weights, moments, squares and average as little-endian
// float32, SHA-256 of all before it.
const checkpointMagic = "HTRAIN01"

// checkpointHeader says which run a checkpoint belongs to and how far it was.
type checkpointHeader struct {
	Recipe     Recipe        `json:"recipe"`
	Seed       uint64        `json:"seed"`
	Data       string        `json:"data"` // hash of the data set
	Parameters int           `json:"parameters"`
	Average    bool          `json:"average"`
	Limit      time.Duration `json:"limit_ns,omitempty"` // of training, 0 = none
	State      progressState `json:"state"`
}

// checkpointPath is where the run into dir keeps its state.
func checkpointPath(dir string) string { return filepath.Clean(dir) + ".checkpoint" }

// tensors lists the vectors of a checkpoint in file order.
func (t *trainer) tensors() [][]float32 {
	out := [][]float32{t.weights.flat, t.adam.moment, t.adam.square}
	if t.adam.average != nil {
		out = append(out, t.adam.average)
	}
	return out
}

func (t *trainer) header(data string) checkpointHeader {
	return checkpointHeader{
		Recipe: t.recipe, Seed: t.seed, Data: data, Parameters: len(t.weights.flat),
		Average: t.adam.average != nil, Limit: t.schedule.limit, State: t.progressState,
	}
}

// save writes the checkpoint: complete under its name, or not at all.
func (t *trainer) save(path, data string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saving checkpoint %s: %w", path, err)
		}
	}()
	head, err := json.Marshal(t.header(data))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	if _, err = w.WriteString(checkpointMagic); err != nil {
		return err
	}
	if err = binary.Write(w, binary.LittleEndian, uint64(len(head))); err != nil {
		return err
	}
	if _, err = w.Write(head); err != nil {
		return err
	}
	for _, x := range t.tensors() {
		if err = writeFloats(w, x); err != nil {
			return err
		}
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if _, err = f.Write(sum.Sum(nil)); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// load restores the state of a run with the same recipe, seed and data.
func (t *trainer) load(path, data string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("resuming from checkpoint %s: %w", path, err)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	r := &hashedReader{r: bufio.NewReaderSize(f, 1<<20), sum: sum}
	head, err := readHeader(r)
	if err != nil {
		return err
	}
	want := t.header(data)
	switch {
	case head.Recipe != want.Recipe:
		return errors.New("it belongs to another recipe; give that recipe or another --out")
	case head.Seed != want.Seed:
		return fmt.Errorf("it was made with seed %d, not %d", head.Seed, want.Seed)
	case head.Data != want.Data:
		return errors.New("it was made on other data")
	case head.Parameters != want.Parameters || head.Average != want.Average:
		return fmt.Errorf("it holds %d parameters, not %d", head.Parameters, want.Parameters)
	}
	for _, x := range t.tensors() {
		if err := readFloats(r, x); err != nil {
			return err
		}
	}
	digest := sum.Sum(nil)
	var stored [sha256.Size]byte
	if _, err := io.ReadFull(r.r, stored[:]); err != nil {
		return err
	}
	if [sha256.Size]byte(digest) != stored {
		return errors.New("its checksum is wrong: the file is damaged; start again without resuming")
	}
	if t.schedule.limit == 0 {
		t.schedule.limit = head.Limit // a resumed run keeps the bound it was begun with
	}
	t.progressState = head.State
	return nil
}

func readHeader(r io.Reader) (checkpointHeader, error) {
	var head checkpointHeader
	magic := make([]byte, len(checkpointMagic))
	if _, err := io.ReadFull(r, magic); err != nil {
		return head, err
	}
	if string(magic) != checkpointMagic {
		return head, errors.New("it is not a checkpoint of this version")
	}
	var size uint64
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return head, err
	}
	if size > 1<<20 {
		return head, fmt.Errorf("its header claims %d bytes", size)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return head, err
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return head, err
	}
	return head, nil
}

type hashedReader struct {
	r   io.Reader
	sum hash.Hash
}

func (h *hashedReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.sum.Write(p[:n])
	return n, err
}

// floatPiece is the number of values converted at once.
const floatPiece = 4096

func writeFloats(w io.Writer, x []float32) error {
	for ; len(x) > 0; x = x[min(floatPiece, len(x)):] {
		if err := binary.Write(w, binary.LittleEndian, x[:min(floatPiece, len(x))]); err != nil {
			return err
		}
	}
	return nil
}

func readFloats(r io.Reader, x []float32) error {
	for ; len(x) > 0; x = x[min(floatPiece, len(x)):] {
		if err := binary.Read(r, binary.LittleEndian, x[:min(floatPiece, len(x))]); err != nil {
			return err
		}
	}
	return nil
}
