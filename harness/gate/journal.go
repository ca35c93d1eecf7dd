package gate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Block is one round of an interleaved series: two trials of either arm in an order
// that a drift of the machine cancels out of.
type Block struct {
	Cell   string `json:"cell"`
	Number int    `json:"block"`
	// Order is ABBA or BAAB.
	Order string `json:"order"`
	// Values are a metric's of the four trials, in their order.
	Values map[string][4]float64 `json:"values"`
	// Redone counts trials, or slices of them, that were not valid and made again.
	Redone int `json:"redone,omitempty"`
}

// Journal keeps the blocks of a series in a file, a line each, so that a series
// that was interrupted goes on. A block is there wholly or not at all.
type Journal struct {
	Path   string
	Blocks []Block
	file   *os.File
}

// SeriesKey addresses a series by everything that decides what it measures.
func SeriesKey(parts ...any) (string, error) {
	raw, err := json.Marshal(parts)
	if err != nil {
		return "", fmt.Errorf("addressing the series: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16]), nil
}

// maxJournal bounds what is read of a journal.
const maxJournal = 64 << 20

// OpenJournal opens the journal of a series under dir. Without resume an old one is
// begun anew.
func OpenJournal(dir, key string, resume bool) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("keeping the series: %w", err)
	}
	j := &Journal{Path: filepath.Join(dir, key+".jsonl")}
	whole := int64(0)
	if resume {
		raw, err := os.ReadFile(j.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the series: %w", err)
		}
		if len(raw) > maxJournal {
			return nil, fmt.Errorf("reading the series: %s is longer than %d bytes; start it anew without --resume", j.Path, maxJournal)
		}
		if j.Blocks, whole, err = parseJournal(raw); err != nil {
			return nil, fmt.Errorf("reading the series: %s: %w; start it anew without --resume", j.Path, err)
		}
	}
	f, err := os.OpenFile(j.Path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err == nil {
		// What a killed program left of a line is cut off.
		if err = f.Truncate(whole); err == nil {
			_, err = f.Seek(whole, 0)
		}
		if err != nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the series: %w", err)
	}
	j.file = f
	return j, nil
}

// parseJournal reads the whole lines of a journal and says where they end.
func parseJournal(raw []byte) (blocks []Block, whole int64, err error) {
	n := 0
	for line := range bytes.Lines(raw) {
		if n++; !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var b Block
		if err := json.Unmarshal(line, &b); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		if b.Order != abba && b.Order != baab {
			return nil, 0, fmt.Errorf("line %d: order %.10q is not %s or %s", n, b.Order, abba, baab)
		}
		blocks, whole = append(blocks, b), whole+int64(len(line))
	}
	return blocks, whole, nil
}

// add appends a block and makes sure that it is on the disk.
func (j *Journal) add(b Block) error {
	line, err := json.Marshal(b)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("keeping the series in %s: %w", j.Path, err)
	}
	j.Blocks = append(j.Blocks, b)
	return nil
}

// Of returns the blocks of a cell.
func (j *Journal) Of(cell string) []Block {
	var out []Block
	for _, b := range j.Blocks {
		if b.Cell == cell {
			out = append(out, b)
		}
	}
	return out
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }
