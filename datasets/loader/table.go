package loader

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
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
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if line := invalidUTF8(data); line > 0 {
		return nil, fmt.Errorf("%s:%d: invalid UTF-8: convert the file first, for example iconv -f GB18030 -t UTF-8", name, line)
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
		if r.label == "" {
			return nil, fmt.Errorf("%s:%d: empty label", name, r.line)
		}
	}
	return rows, nil
}

// invalidUTF8 returns the first line that is not UTF-8, 0 for none.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return 0
	}
	line := 1
	for l := range bytes.Lines(data) {
		if !utf8.Valid(l) {
			return line
		}
		line++
	}
	return line
}

func readCSV(name string, data []byte, c columns) ([]row, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: empty file: no header", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: reading csv header: %w", name, err)
	}
	ti, li, err := find(name, header, c)
	if err != nil {
		return nil, err
	}
	var rows []row
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: reading csv: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		rows = append(rows, row{strings.Clone(rec[ti]), strings.Clone(rec[li]), line})
	}
}

func readTSV(name string, data []byte, c columns) ([]row, error) {
	var rows []row
	ti, li, width, line := 0, 0, 0, 0
	for raw := range bytes.Lines(data) {
		line++
		text := strings.TrimRight(string(raw), "\r\n")
		if text == "" && line > 1 {
			continue
		}
		fields := strings.Split(text, "\t")
		if line == 1 {
			var err error
			if ti, li, err = find(name, fields, c); err != nil {
				return nil, err
			}
			width = len(fields)
			continue
		}
		if len(fields) != width {
			return nil, fmt.Errorf("%s:%d: %d fields, the header has %d", name, line, len(fields), width)
		}
		rows = append(rows, row{fields[ti], fields[li], line})
	}
	if line == 0 {
		return nil, fmt.Errorf("%s: empty file: no header", name)
	}
	return rows, nil
}

func readJSONL(name string, data []byte, c columns) ([]row, error) {
	var rows []row
	in := bufio.NewReader(bytes.NewReader(data))
	for line := 1; ; line++ {
		raw, err := in.ReadBytes('\n')
		if text := bytes.TrimSpace(raw); len(text) > 0 {
			var object map[string]any
			if err := json.Unmarshal(text, &object); err != nil {
				return nil, fmt.Errorf("%s:%d: reading jsonl: %w", name, line, err)
			}
			r := row{line: line}
			if r.text, err = field(name, line, object, c.text); err != nil {
				return nil, err
			}
			if r.label, err = field(name, line, object, c.label); err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
		if err != nil {
			return rows, nil
		}
	}
}

// field returns a string, or a number or truth value as it is written.
func field(name string, line int, object map[string]any, key string) (string, error) {
	switch v := object[key].(type) {
	case string:
		return v, nil
	case float64, bool:
		return fmt.Sprint(v), nil
	case nil:
		keys := make([]string, 0, len(object))
		for k := range object {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return "", fmt.Errorf("%s:%d: %w", name, line, unknownColumn(key, keys))
	default:
		return "", fmt.Errorf("%s:%d: column %q holds a list or an object, not a text", name, line, key)
	}
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
	return fmt.Errorf("no column %q: the columns are %s; choose with --text-column and --label-column", want, strings.Join(have, ", "))
}
