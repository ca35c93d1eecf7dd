package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-c6f48606/harness/datasets/builtin"
	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// Files says which files plans may name beside built-in models and catalogued data
// sets: those below one folder of the operator's, or none.
type Files struct {
	Dir string // absolute; "" = none
}

// NewFiles returns the files below a folder, which must be there; none for "".
func NewFiles(dir string) (Files, error) {
	if dir == "" {
		return Files{}, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Files{}, fmt.Errorf("--files %s: %w", dir, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return Files{}, fmt.Errorf("--files %s: must be a folder: %w", dir, err)
	}
	return Files{abs}, root.Close()
}

// FileError is a file that plans may not name. It tells nothing of the file.
type FileError struct {
	What string // of the plan
	Dir  string // below which it would be; "" = nowhere
}

func (e *FileError) Error() string {
	if e.Dir == "" {
		return fmt.Sprintf("%s: a lab takes built-in models, and the built-in and catalogued data sets by name (harness models, harness datasets); for files its operator names a folder with harness lab serve --files DIR and harness lab work --files DIR", e.What)
	}
	return fmt.Sprintf("%s: must be a built-in or catalogued name, or the absolute path of a file or folder below %s, from which no link leads out", e.What, e.Dir)
}

// Check refuses a plan that names a file that it may not, with a [*FileError]. A
// file that is not there is no matter of this check: the server may be elsewhere
// than the controllers.
func (f Files) Check(p sweep.Plan) error {
	if _, ok := builtin.Model(p.Model); !ok {
		if err := f.check("model", p.Model); err != nil {
			return err
		}
	}
	spec := p.Data.Spec
	if kind, path, ok := strings.Cut(spec, ":"); ok && (kind == "csv" || kind == "tsv" || kind == "jsonl") {
		if err := f.check("data set", path); err != nil {
			return err
		}
	} else if _, ok := loader.Lookup(spec); !ok && spec != "builtin" {
		if err := f.check("data set", spec); err != nil {
			return err
		}
	}
	if p.Data.TestFile != "" {
		return f.check("test file", p.Data.TestFile)
	}
	return nil
}

func (f Files) check(what, path string) error {
	refused := &FileError{what, f.Dir}
	if f.Dir == "" || !filepath.IsAbs(path) {
		return refused
	}
	name, err := filepath.Rel(f.Dir, path)
	if err != nil || !filepath.IsLocal(name) {
		return refused
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return refused
	}
	defer root.Close() //nolint:errcheck // it was read
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return refused
	}
	// What is read of a folder lies in it, and beside a model's file lie its
	// configuration and tokenizer.
	if !info.IsDir() {
		name = filepath.Dir(name)
	}
	dir, err := root.Open(name)
	if err != nil {
		return refused
	}
	defer dir.Close() //nolint:errcheck // it was read
	beside, err := dir.Readdirnames(-1)
	if err != nil {
		return refused
	}
	for _, b := range beside {
		info, err := root.Stat(filepath.Join(name, b))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a link into nothing
		}
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			return refused
		}
	}
	return nil
}
