package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Options says how to read a data set. The zero value reads published sets as
// their papers use them and tables by the columns "text" and "label". An option
// that a data set has no use for is refused, not ignored.
type Options struct {
	TextColumn  string // of a table; default the published column, else "text"
	LabelColumn string // of a table; default the published column, else "label"
	TestFile    string // test split of a table file, of the same columns
	OOS         bool   // CLINC150: with the out-of-scope class, 151 classes instead of 150
	CacheDir    string // default Cache()
}

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
			if path == "" {
				return nil, fmt.Errorf("no file named: write %s:PATH", f)
			}
			return loadTable(f, path, o)
		}
	}
	if spec == "builtin" {
		if o.OOS {
			return nil, errors.New("--oos is CLINC150's choice; the built-in data always have their out-of-scope class")
		}
		if err := o.noTable("the built-in data are generated"); err != nil {
			return nil, err
		}
		return loadBuiltin(), nil
	}
	if e, ok := Lookup(spec); ok {
		return loadEntry(e, o)
	}
	info, err := os.Stat(spec)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no such file or folder, and not a known name (%s)%s", strings.Join(names(), ", "), nearest(spec, names()))
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

// noTable refuses the options that only a table has.
func (o Options) noTable(why string) error {
	for _, f := range []struct{ flag, value string }{
		{"--text-column", o.TextColumn}, {"--label-column", o.LabelColumn}, {"--test-file", o.TestFile},
	} {
		if f.value != "" {
			return fmt.Errorf("%s %s does not apply: %s, no table", f.flag, f.value, why)
		}
	}
	return nil
}

func names() []string {
	out := []string{"builtin"}
	for _, e := range Catalog() {
		out = append(out, e.Name)
	}
	return out
}

// loadFolder reads a folder as published: CLINC150's json, or train and test
// tables of one extension.
func loadFolder(dir string, o Options) (*Set, error) {
	for _, name := range []string{"data_full.json", "data_small.json"} {
		if path := filepath.Join(dir, name); exists(path) {
			return loadCLINC(path, o)
		}
	}
	for _, f := range []format{formatCSV, formatTSV, formatJSONL} {
		train := filepath.Join(dir, "train."+string(f))
		if !exists(train) {
			continue
		}
		name := filepath.Base(dir)
		if abs, err := filepath.Abs(dir); err == nil {
			name = filepath.Base(abs) // the folder may be "."
		}
		return loadTables(f, name, [3]string{
			train, optional(dir, f, "val", "valid", "validation", "dev"), first(o.TestFile, optional(dir, f, "test")),
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

func loadTable(f format, path string, o Options) (*Set, error) {
	return loadTables(f, stem(path), [3]string{path, "", o.TestFile}, o)
}

// loadTables reads train, val and test files ("" = none). The published train
// file of a catalogued set is known under any path and brings its columns,
// source and licence; beside another test file the set gets a name of its own.
func loadTables(f format, name string, paths [3]string, o Options) (*Set, error) {
	if o.OOS {
		return nil, errors.New("--oos is CLINC150's choice; a table has the classes of its label column")
	}
	var data [3][]byte
	for i, path := range paths {
		if path == "" {
			continue
		}
		var err error
		if data[i], err = readFile(path); err != nil {
			return nil, err
		}
	}
	e := recognise(data[0])
	published := columns{first(e.TextColumn, "text"), first(e.LabelColumn, "label")}
	c := columns{first(o.TextColumn, published.text), first(o.LabelColumn, published.label)}
	var parts [3]part
	for i, path := range paths {
		if path == "" {
			continue
		}
		kind := f
		if i > 0 {
			kind = formatOf(path, f)
		}
		rows, err := readTable(path, kind, data[i], c)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("%s: empty data set: no rows", path)
		}
		parts[i] = part{path, rows}
	}
	if e.Name != "" {
		name = e.Name
		if data[2] != nil && (len(e.Files) < 2 || hashOf(data[2]) != e.Files[1].SHA256) {
			name += "+" + stem(paths[2])
		}
	}
	s, err := build(name, parts[0], parts[1], parts[2])
	if err != nil {
		return nil, err
	}
	reading := ""
	if c != published {
		reading = fmt.Sprintf("columns %q %q", c.text, c.label)
	}
	s.Source, s.License, s.Cite, s.Hash = first(e.Source, paths[0]), e.License, e.Cite, fingerprint(data, reading)
	return s, nil
}

// formatOf lets a second file be of another format than the train file when its
// extension says so.
func formatOf(path string, f format) format {
	switch e := format(strings.TrimPrefix(filepath.Ext(path), ".")); e {
	case formatCSV, formatTSV, formatJSONL:
		return e
	}
	return f
}

func loadCLINC(path string, o Options) (*Set, error) {
	if err := o.noTable("this is CLINC150's json with splits of its own"); err != nil {
		return nil, err
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	train, val, test, err := readCLINC(path, data, o.OOS)
	if err != nil {
		return nil, err
	}
	e := recognise(data)
	s, err := build(first(e.Name, stem(path)), train, val, test)
	if err != nil {
		return nil, err
	}
	reading := ""
	if o.OOS {
		s.Name += "+" + oosLabel
		reading = oosLabel
	}
	s.Source, s.License, s.Cite, s.Hash = first(e.Source, path), e.License, e.Cite, fingerprint([3][]byte{data}, reading)
	return s, nil
}

func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
