package loader

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// format is a kind of table file.
type format string

const (
	formatCSV   format = "csv"
	formatTSV   format = "tsv"
	formatJSONL format = "jsonl"
)

// columns names the two columns that are read.
type columns struct{ text, label string }

// readTable reads the rows of a csv (RFC 4180: quotes, newlines inside quotes),
// tsv (no quoting: a tab always ends a field) or jsonl (one object a line) file.
// The first line of csv and tsv is the header. Rows with an empty text are refused.
func readTable(name string, f format, data []byte, c columns) ([]row, error) {
	data = trimBOM(data)
	if err := checkUTF8(name, data); err != nil {
		return nil, err
	}
	if c.text == c.label {
		return nil, fmt.Errorf("%s: column %s cannot be both text and label; choose with --text-column and --label-column", name, quote(c.text))
	}
	var rows []row
	var err error
	switch f {
	case formatCSV:
		rows, err = readCSV(name, data, c)
	case formatTSV:
		rows, err = readTSV(name, data, c)
	case formatJSONL:
		rows, err = readJSONL(name, data, c)
	default:
		return nil, fmt.Errorf("%s: unknown table format %q: use csv, tsv or jsonl", name, f)
	}
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if strings.TrimSpace(r.text) == "" {
			return nil, fmt.Errorf("%s:%d: empty text", name, r.line)
		}
		if strings.TrimSpace(r.label) == "" {
			return nil, fmt.Errorf("%s:%d: empty label", name, r.line)
		}
	}
	return rows, nil
}

func readCSV(name string, data []byte, c columns) ([]row, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, noHeader(name)
	}
	if err != nil {
		return nil, csvError(name, err, nil, 0)
	}
	ti, li, err := find(name, header, c)
	if err != nil {
		return nil, err
	}
	var rows []row
	width := len(header)
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, csvError(name, err, rec, width)
		}
		line, _ := r.FieldPos(0)
		rows = append(rows, row{strings.Clone(rec[ti]), strings.Clone(rec[li]), line})
	}
}

// csvError puts the line where an editor finds it: before the message.
func csvError(name string, err error, rec []string, width int) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("%s: reading csv: %w", name, err)
	}
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return ragged(name, parse.StartLine, len(rec), width, "; a comma inside a text needs quotes around the text")
	case parse.StartLine != parse.Line:
		return fmt.Errorf("%s:%d: reading csv: %w (the record goes on to line %d)", name, parse.StartLine, parse.Err, parse.Line)
	}
	return fmt.Errorf("%s:%d: reading csv: column %d: %w", name, parse.Line, parse.Column, parse.Err)
}

func noHeader(name string) error { return fmt.Errorf("%s: empty data set: no header", name) }

func ragged(name string, line, have, want int, mend string) error {
	return fmt.Errorf("%s:%d: %d fields, the header has %d%s", name, line, have, want, mend)
}

func readTSV(name string, data []byte, c columns) ([]row, error) {
	var rows []row
	ti, li, width, line := 0, 0, 0, 0
	for raw := range bytes.Lines(data) {
		line++
		text := string(bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r")))
		if text == "" {
			continue
		}
		fields := strings.Split(text, "\t")
		if width == 0 {
			var err error
			if ti, li, err = find(name, fields, c); err != nil {
				return nil, err
			}
			width = len(fields)
			continue
		}
		if len(fields) != width {
			return nil, ragged(name, line, len(fields), width, "")
		}
		rows = append(rows, row{fields[ti], fields[li], line})
	}
	if width == 0 {
		return nil, noHeader(name)
	}
	return rows, nil
}

func readJSONL(name string, data []byte, c columns) ([]row, error) {
	var rows []row
	line := 0
	for raw := range bytes.Lines(data) {
		line++
		text := bytes.TrimSpace(raw)
		if len(text) == 0 {
			continue
		}
		if text[0] != '{' {
			return nil, fmt.Errorf("%s:%d: not a JSON object: each line is one, such as {%q: …, %q: …}", name, line, c.text, c.label)
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			return nil, fmt.Errorf("%s:%d: reading jsonl: %w", name, line, err)
		}
		r := row{line: line}
		var err error
		if r.text, err = field(name, line, object, c.text); err != nil {
			return nil, err
		}
		if r.label, err = field(name, line, object, c.label); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// field returns a string, or a number or truth value as it is written: a label
// may be a number too long for a float.
func field(name string, line int, object map[string]json.RawMessage, key string) (string, error) {
	raw, ok := object[key]
	if !ok {
		keys := make([]string, 0, len(object))
		for k := range object {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return "", fmt.Errorf("%s:%d: %w", name, line, unknownColumn(key, keys))
	}
	switch raw[0] {
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case '{', '[', 'n':
		return "", fmt.Errorf("%s:%d: column %s holds a list, an object or null, not a text", name, line, quote(key))
	}
	return string(raw), nil
}

func find(name string, header []string, c columns) (text, label int, err error) {
	if text = slices.Index(header, c.text); text < 0 {
		return 0, 0, fmt.Errorf("%s: %w", name, unknownColumn(c.text, header))
	}
	if label = slices.Index(header, c.label); label < 0 {
		return 0, 0, fmt.Errorf("%s: %w", name, unknownColumn(c.label, header))
	}
	return text, label, nil
}

func unknownColumn(want string, have []string) error {
	return fmt.Errorf("no column %s: the columns are %s%s; choose with --text-column and --label-column",
		quote(want), quoted(have), nearest(want, have))
}
