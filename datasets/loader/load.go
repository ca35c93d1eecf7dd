package loader

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Options says how to read a data set. The zero value reads published sets as
// their papers use them and tables by the columns "text" and "label".
type Options struct {
	TextColumn  string // of a table; default the published column, else "text"
	LabelColumn string // of a table; default the published column, else "label"
	TestFile    string // test split of a table file, of the same columns
	OOS         bool   // CLINC150: with the out-of-scope class, 151 classes instead of 150
	CacheDir    string // default Cache()
}

// maxFile bounds the files that are read into memory.
const maxFile = 1 << 30

// Load reads a data set. spec is one of
//
//   - "builtin", the generated customer-service task,
//   - a name of the Catalog, found in the cache or in the shared data folder,
//   - a folder as published (CLINC150, or train and test as csv, tsv or jsonl),
//   - a CLINC150 json file,
//   - csv:PATH, tsv:PATH or jsonl:PATH, a table with named columns.
//
// Errors are usage errors: they name the file and line and say what would do.
func Load(spec string, o Options) (*Set, error) {
	if spec == "" {
		return nil, errors.New("empty data set name: use builtin, a catalogued name, a folder, or csv:PATH, tsv:PATH, jsonl:PATH")
	}
	s, err := load(spec, o)
	if err != nil {
		return nil, fmt.Errorf("loading data set %s: %w", spec, err)
	}
	return s, nil
}

func load(spec string, o Options) (*Set, error) {
	if kind, path, ok := strings.Cut(spec, ":"); ok {
		switch f := format(kind); f {
		case formatCSV, formatTSV, formatJSONL:
			return loadTable(f, path, o)
		}
	}
	if spec == "builtin" {
		return loadBuiltin(), nil
	}
	if e, ok := Lookup(spec); ok {
		return loadEntry(e, o)
	}
	info, err := os.Stat(spec)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no such file or folder, and not a known name (%s)", strings.Join(names(), ", "))
	}
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return loadFolder(spec, o)
	}
	if filepath.Ext(spec) == ".json" {
		return loadCLINC(spec, o)
	}
	return nil, fmt.Errorf("unknown kind of file: write csv:%s, tsv:%s or jsonl:%s, or name a CLINC150 .json", spec, spec, spec)
}

func names() []string {
	out := []string{"builtin"}
	for _, e := range Catalog() {
		out = append(out, e.Name)
	}
	return out
}

// loadFolder reads a folder as published: CLINC150's json, or train and test
// tables of one extension. A folder with a catalogued name has that entry's
// columns, licence and source.
func loadFolder(dir string, o Options) (*Set, error) {
	if path := filepath.Join(dir, "data_full.json"); exists(path) {
		return loadCLINC(path, o)
	}
	if path := filepath.Join(dir, "data_small.json"); exists(path) {
		return loadCLINC(path, o)
	}
	for _, f := range []format{formatCSV, formatTSV, formatJSONL} {
		train := filepath.Join(dir, "train."+string(f))
		if !exists(train) {
			continue
		}
		return loadTables(f, filepath.Base(filepath.Clean(dir)), [3]string{
			train, optional(dir, f, "val", "valid", "validation", "dev"), testOr(o, optional(dir, f, "test")),
		}, o)
	}
	return nil, fmt.Errorf("%s: no data_full.json and no train.csv, train.tsv or train.jsonl in this folder", dir)
}

func optional(dir string, f format, stems ...string) string {
	for _, s := range stems {
		if path := filepath.Join(dir, s+"."+string(f)); exists(path) {
			return path
		}
	}
	return ""
}

func testOr(o Options, path string) string {
	if o.TestFile != "" {
		return o.TestFile
	}
	return path
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func loadTable(f format, path string, o Options) (*Set, error) {
	base := filepath.Base(path)
	return loadTables(f, strings.TrimSuffix(base, filepath.Ext(base)), [3]string{path, "", o.TestFile}, o)
}

// loadTables reads train, val and test files ("" = none) of one format.
func loadTables(f format, name string, paths [3]string, o Options) (*Set, error) {
	sum := sha256.New()
	var data [3][]byte
	for i, path := range paths {
		if path == "" {
			continue
		}
		var err error
		if data[i], err = readFile(path); err != nil {
			return nil, err
		}
		sum.Write(data[i])
	}
	e := recognise(data[0])
	c := columns{first(o.TextColumn, e.TextColumn, "text"), first(o.LabelColumn, e.LabelColumn, "label")}
	var parts [3]part
	for i, path := range paths {
		if path == "" {
			continue
		}
		rows, err := readTable(path, formatOf(path, f), data[i], c)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("%s: empty data set: a header and no rows", path)
		}
		parts[i] = part{path, rows}
	}
	s, err := build(first(e.Name, name), parts[0], parts[1], parts[2])
	if err != nil {
		return nil, err
	}
	s.Source, s.License = first(e.Source, paths[0]), e.License
	s.Hash = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}

// formatOf lets a test file be of another format than the train file when its
// extension says so.
func formatOf(path string, f format) format {
	switch e := format(strings.TrimPrefix(filepath.Ext(path), ".")); e {
	case formatCSV, formatTSV, formatJSONL:
		if path != "" && e != f {
			return e
		}
	}
	return f
}

// recognise returns the catalogue's entry whose train file these bytes are, else
// an empty one, so that a published file is known under any path.
func recognise(data []byte) Entry {
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	for _, e := range Catalog() {
		if e.Files[0].SHA256 == hash {
			return e
		}
	}
	return Entry{}
}

func loadCLINC(path string, o Options) (*Set, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	train, val, test, err := readCLINC(path, data, o.OOS)
	if err != nil {
		return nil, err
	}
	e := recognise(data)
	s, err := build(first(e.Name, strings.TrimSuffix(filepath.Base(path), ".json")), train, val, test)
	if err != nil {
		return nil, err
	}
	if o.OOS {
		s.Name += "+" + oosLabel
	}
	sum := sha256.Sum256(data)
	s.Source, s.License, s.Hash = first(e.Source, path), e.License, hex.EncodeToString(sum[:])
	return s, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, more than the limit of %d", path, info.Size(), int64(maxFile))
	}
	return os.ReadFile(path)
}

func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
