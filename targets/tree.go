package targets

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// lineOf is the line of a node, from 1.
func lineOf(n ast.Node) int {
	if tok := n.GetToken(); tok != nil && tok.Position != nil {
		return tok.Position.Line
	}
	return 1
}

var yamlPosition = regexp.MustCompile(`^\[(\d+):\d+\] `)

// lineError turns an error of the YAML library into one line with its number.
func lineError(err error) error {
	text := yaml.FormatError(err, false, false)
	if m := yamlPosition.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits by the expression
		text, _, _ = strings.Cut(text[len(m[0]):], "\n")
		return &LineError{n, plain(text)}
	}
	text, _, _ = strings.Cut(text, "\n")
	return &LineError{1, plain(text)}
}

var goType = regexp.MustCompile(` into Go (?:struct field \S*|value) of type \S+`)

// plain says what the file's author knows instead of this program's types.
func plain(text string) string {
	if goType.MatchString(text) {
		return strings.Replace(goType.ReplaceAllString(text, ""), "cannot unmarshal", "a value of another type is needed here than", 1)
	}
	return text
}

// unknownKeys refuses keys that the record does not have.
func unknownKeys(n ast.Node, t reflect.Type) error {
	t = element(t)
	if t.Kind() != reflect.Struct {
		return nil
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		return unknownKeys(n.Value, t)
	case *ast.SequenceNode:
		for _, item := range n.Values {
			if err := unknownKeys(item, t); err != nil {
				return err
			}
		}
	case *ast.MappingNode:
		known := fields(t)
		for _, kv := range n.Values {
			key := keyOf(kv)
			var names []string
			var found *field
			for i, f := range known {
				names = append(names, f.name)
				if f.name == key {
					found = &known[i]
				}
			}
			switch {
			case found != nil:
				if err := unknownKeys(kv.Value, found.typ); err != nil {
					return err
				}
			case kv.Key.IsMergeKey():
			default:
				hint := near(key, names)
				if hint == "" {
					hint = "; known are " + strings.Join(names, ", ")
				}
				return &LineError{lineOf(kv.Key), fmt.Sprintf("key %s is not known%s", cut(key), hint)}
			}
		}
	}
	return nil
}

func keyOf(kv *ast.MappingValueNode) string {
	if tok := kv.Key.GetToken(); tok != nil {
		return tok.Value
	}
	return ""
}

// child returns the value of a mapping's key.
func child(n ast.Node, key string) (*ast.MappingValueNode, bool) {
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return nil, false
	}
	for _, kv := range m.Values {
		if keyOf(kv) == key {
			return kv, true
		}
	}
	return nil, false
}

// list returns the sequence of entries, nil where there is none yet.
func (v *Inventory) list() *ast.SequenceNode {
	if v.body == nil {
		return nil
	}
	kv, ok := child(v.body, "targets")
	if !ok {
		return nil
	}
	s, _ := kv.Value.(*ast.SequenceNode)
	return s
}

// line is the line of a key of entry i, or of the nearest thing above it.
func (v *Inventory) line(i int, key string) int {
	s := v.list()
	if s == nil || i >= len(s.Values) {
		return 1
	}
	n := s.Values[i]
	line := lineOf(n)
	if i < len(s.Entries) && s.Entries[i].Start != nil {
		line = s.Entries[i].Start.Position.Line
	}
	for part := range strings.SplitSeq(key, ".") {
		name, index, indexed := strings.Cut(part, "[")
		kv, ok := child(n, name)
		if !ok {
			return line
		}
		n, line = kv.Value, lineOf(kv.Key)
		if indexed {
			at, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			items, ok := n.(*ast.SequenceNode)
			if err != nil || !ok || at >= len(items.Values) {
				return line
			}
			n = items.Values[at]
			// A mapping's own token is its first colon.
			line = lineOf(n)
		}
	}
	return line
}
