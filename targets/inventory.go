package targets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// FileName is the inventory's name in the working folder and in the user's
// configuration folder.
const FileName = "targets.yaml"

// maxFile bounds an inventory in bytes; 1,000 entries take a fifth of it.
const maxFile = 1 << 20

// file is the inventory as it is written.
type file struct {
	Targets []Target `yaml:"targets" json:"targets" doc:"the machines that a sweep may use"`
}

// Inventory is a file of targets. The zero value is an empty one without a file.
type Inventory struct {
	// Path is where it is or will be written.
	Path    string
	Targets []Target

	text []byte
	body *ast.MappingNode // nil = nothing but comments
}

// Locate says where the inventory is: the path asked for, else targets.yaml in
// the working folder, else in the user's configuration folder, where a new one is
// made too.
func Locate(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	if _, err := os.Stat(FileName); err == nil {
		return FileName, nil
	}
	base := os.Getenv("XDG_CONFIG_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding the inventory: %w; name it with --targets FILE", err)
		}
		base = filepath.Join(home, ".config")
	}
	return filepath.Join(base, "harness", FileName), nil
}

// Load reads an inventory. A file that is not there is an empty inventory.
func Load(path string) (*Inventory, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Inventory{Path: path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the inventory: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the inventory: %w", err)
	}
	v, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	v.Path = path
	return v, nil
}

// LineError is a fault of the inventory with its line, from 1.
type LineError struct {
	Line int
	Text string
}

func (e *LineError) Error() string { return fmt.Sprintf("%d: %s", e.Line, e.Text) }

// Parse reads an inventory and checks every entry. Errors are *LineError.
func Parse(text []byte) (*Inventory, error) {
	if len(text) > maxFile {
		return nil, &LineError{1, fmt.Sprintf("the inventory is longer than %d bytes", maxFile)}
	}
	if line := tooDeep(text); line > 0 {
		return nil, &LineError{line, fmt.Sprintf("lists or records stand more than %d deep in each other; an inventory needs three", maxNesting)}
	}
	v := &Inventory{text: text}
	tree, err := parser.ParseBytes(text, parser.ParseComments)
	if err != nil {
		return nil, lineError(err)
	}
	switch len(tree.Docs) {
	case 0:
		return v, nil
	case 1:
	default:
		return nil, &LineError{1, "holds several YAML documents; keep one"}
	}
	switch body := tree.Docs[0].Body.(type) {
	case nil, *ast.CommentGroupNode, *ast.NullNode:
		return v, nil
	case *ast.MappingNode:
		v.body = body
	default:
		return nil, &LineError{lineOf(body), "must begin with targets: and list one entry a target"}
	}
	if err := weigh(v.body); err != nil {
		return nil, err
	}
	if err := unknownKeys(v.body, reflect.TypeOf(file{})); err != nil {
		return nil, err
	}
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, lineError(err)
	}
	v.Targets = f.Targets
	return v, v.check()
}

// maxNesting bounds brackets, braces and dashes within each other, for which the
// YAML library takes quadratic time and a stack without a limit.
const maxNesting = 32

// tooDeep returns the line that nests deeper, 0 where none does. Brackets in texts
// count too, which does no harm where they are closed.
func tooDeep(text []byte) int {
	open, n := 0, 0
	for line := range bytes.Lines(text) {
		n++
		dashes := 0
		begun := false
		for i, c := range line {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			case '-', '?', ':':
				if !begun && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '\t') {
					dashes++
				} else {
					begun = true
				}
			case ' ', '\t':
			default:
				begun = true
			}
			if open > maxNesting || dashes > maxNesting {
				return n
			}
		}
	}
	return 0
}

// check validates every entry and looks for names used twice.
func (v *Inventory) check() error {
	first := map[string]int{}
	for i, t := range v.Targets {
		var p *Problem
		if err := t.Validate(); errors.As(err, &p) {
			return &LineError{v.line(i, p.Key), fmt.Sprintf("target %s: %s", cut(t.Name), p)}
		}
		if j, twice := first[t.Name]; twice {
			return &LineError{v.line(i, "name"), fmt.Sprintf("target %s: the name is used on line %d already", cut(t.Name), v.line(j, "name"))}
		}
		first[t.Name] = i
	}
	return nil
}

// Find returns the entry of a name.
func (v *Inventory) Find(name string) (Target, error) {
	var names []string
	for _, t := range v.Targets {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	switch n := Nearest(name, names); {
	case n != "":
		return Target{}, fmt.Errorf("target %s is not in %s; the nearest: %s", cut(name), v.Path, n)
	case len(names) == 0:
		return Target{}, fmt.Errorf("target %s is not known: %s has no entry; harness targets add NAME ADDRESS makes one", cut(name), v.Path)
	}
	return Target{}, fmt.Errorf("target %s is not in %s; harness targets list shows what is", cut(name), v.Path)
}

// Select resolves what --target takes: names, and label=NAME for every target of
// a label. Order is kept and each target comes once. The local machine is an
// entry with no more than its name.
func (v *Inventory) Select(specs ...string) ([]Target, error) {
	var all []Target
	add := func(t Target) {
		if !slices.ContainsFunc(all, func(o Target) bool { return o.Name == t.Name }) {
			all = append(all, t)
		}
	}
	for _, s := range specs {
		label, labelled := strings.CutPrefix(s, "label=")
		switch {
		case s == Local:
			add(Target{Name: Local})
		case labelled:
			before := len(all)
			var known []string
			found := false
			for _, t := range v.Targets {
				known = append(known, t.Labels...)
				if slices.Contains(t.Labels, label) {
					found = true
					add(t)
				}
			}
			if len(all) == before && !found {
				return nil, fmt.Errorf("no target has the label %s%s", cut(label), near(label, known))
			}
		default:
			t, err := v.Find(s)
			if err != nil {
				return nil, err
			}
			add(t)
		}
	}
	return all, nil
}
