package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Item is one labelled text of a data set, a line of an items file.
type Item struct {
	Text string `json:"text"`
	// Label is the class's name; empty means none.
	Label string `json:"label,omitempty"`
}

// MaxItem is the limit of a line of an items file in bytes.
const MaxItem = 1 << 20

// WriteItems writes items as JSON lines.
func WriteItems(w io.Writer, items []Item) error {
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	for i := range items {
		if err := enc.Encode(&items[i]); err != nil {
			return fmt.Errorf("writing item %d: %w", i, err)
		}
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("writing items: %w", err)
	}
	return nil
}

// ReadItems reads JSON lines of Item. Blank lines are skipped; no item at all,
// an item without text and a line beyond MaxItem are errors that name the line.
func ReadItems(r io.Reader) ([]Item, error) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, MaxItem)
	var items []Item
	line := 0
	for scan.Scan() {
		line++
		raw := bytes.TrimSpace(scan.Bytes())
		if len(raw) == 0 {
			continue
		}
		var it Item
		if err := json.Unmarshal(raw, &it); err != nil {
			return nil, fmt.Errorf("reading items: line %d: %w", line, err)
		}
		if it.Text == "" {
			return nil, fmt.Errorf("reading items: line %d has no text", line)
		}
		items = append(items, it)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("reading items: line %d: %w", line+1, err)
	}
	if len(items) == 0 {
		return nil, errors.New("reading items: the file has no item")
	}
	return items, nil
}
