package targets

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// The edits below find their lines by the syntax tree and leave every other byte
// as it is. Each is read back before it counts.

var errFlow = errors.New("the targets are written on one line in braces or brackets; write them as a list with one dash a target")

// Add appends an entry. It returns the new inventory; Save writes it.
func (v *Inventory) Add(t Target) (*Inventory, error) {
	if err := t.Validate(); err != nil {
		return nil, fmt.Errorf("target %s: %w", cut(t.Name), err)
	}
	for i, o := range v.Targets {
		if o.Name == t.Name {
			return nil, fmt.Errorf("target %s is in %s on line %d already; harness targets remove %s first", cut(t.Name), v.Path, v.line(i, "name"), t.Name)
		}
	}
	raw, err := yaml.MarshalWithOptions([]Target{t}, yaml.Indent(2), yaml.IndentSequence(false))
	if err != nil {
		return nil, fmt.Errorf("writing target %s: %w", cut(t.Name), err)
	}
	entry := splitLines(raw)
	lines := splitLines(v.text)
	seq := v.list()
	switch {
	case seq != nil && len(seq.Values) > 0 && seq.IsFlowStyle, v.body != nil && v.body.IsFlowStyle:
		return nil, fmt.Errorf("adding target %s: %w", cut(t.Name), errFlow)
	case seq != nil && len(seq.Values) > 0:
		indent := seq.Entries[0].Start.Position.Column - 1
		at := v.endOf(len(seq.Entries)-1, lines)
		lines = splice(lines, at, at, indented(entry, indent))
	default:
		// Nothing listed yet: the line "targets:" is written anew, its comment kept.
		if kv, ok := v.key("targets"); ok {
			at := lineOf(kv.Key) - 1
			head := "targets:" + comment(lines[at])
			lines = splice(lines, at, at+1, append([]string{head}, indented(entry, 2)...))
		} else {
			lines = append(append(lines, "targets:"), indented(entry, 2)...)
		}
	}
	return v.reread(lines, append(append([]Target(nil), v.Targets...), t))
}

// Remove takes an entry away, with the comment lines directly above it.
func (v *Inventory) Remove(name string) (*Inventory, error) {
	if _, err := v.Find(name); err != nil {
		return nil, err
	}
	seq := v.list()
	if seq == nil || seq.IsFlowStyle {
		return nil, fmt.Errorf("removing target %s: %w", cut(name), errFlow)
	}
	lines := splitLines(v.text)
	var left []Target
	from, to := 0, 0
	for i, t := range v.Targets {
		if t.Name != name {
			left = append(left, t)
			continue
		}
		from, to = seq.Entries[i].Start.Position.Line-1, v.endOf(i, lines)
		kv, _ := v.key("targets")
		for from > lineOf(kv.Key) && isComment(lines[from-1]) {
			from--
		}
	}
	lines = splice(lines, from, to, nil)
	if len(left) == 0 {
		kv, _ := v.key("targets")
		at := lineOf(kv.Key) - 1
		lines[at] = "targets: []" + comment(lines[at])
	}
	return v.reread(lines, left)
}

// Pin sets the host key of an entry.
func (v *Inventory) Pin(name, hostKey string) (*Inventory, error) {
	all := append([]Target(nil), v.Targets...)
	for i := range all {
		if all[i].Name != name {
			continue
		}
		all[i].HostKey = hostKey
		if err := all[i].Validate(); err != nil {
			return nil, fmt.Errorf("target %s: %w", cut(name), err)
		}
		seq := v.list()
		m, ok := seq.Values[i].(*ast.MappingNode)
		if !ok || m.IsFlowStyle || seq.IsFlowStyle {
			return nil, fmt.Errorf("pinning the key of target %s: %w", cut(name), errFlow)
		}
		lines := splitLines(v.text)
		first := m.Values[0].Key.GetToken().Position
		line := strings.Repeat(" ", first.Column-1) + "host_key: " + hostKey
		if old, ok := child(m, "host_key"); ok {
			p := old.Key.GetToken().Position
			at := p.Line - 1
			lines[at] = lines[at][:p.Column-1] + "host_key: " + hostKey + comment(lines[at])
		} else if after, ok := child(m, "name"); ok {
			at := lineOf(after.Value)
			lines = splice(lines, at, at, []string{line})
		}
		return v.reread(lines, all)
	}
	_, err := v.Find(name)
	return nil, err
}

// Save writes the inventory where it belongs: whole or not at all.
func (v *Inventory) Save() error {
	dir := filepath.Dir(v.Path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the inventory: %w; name another place with --targets FILE", err)
	}
	path := v.Path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path, dir = real, filepath.Dir(real) // a link stays a link
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	temp, err := os.CreateTemp(dir, ".targets-*.yaml")
	if err != nil {
		return fmt.Errorf("writing the inventory: %w; name another place with --targets FILE", err)
	}
	defer os.Remove(temp.Name()) // gone after the rename
	_, err = temp.Write(v.text)
	if err := errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("writing the inventory: %w", err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("writing the inventory: %w", err)
	}
	return nil
}

// reread parses edited lines and refuses an edit that did not do what it should.
func (v *Inventory) reread(lines []string, want []Target) (*Inventory, error) {
	text := []byte(strings.Join(lines, "\n") + "\n")
	n, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("editing %s would break it (line %w); edit it by hand", v.Path, err)
	}
	if len(n.Targets)+len(want) > 0 && !reflect.DeepEqual(n.Targets, want) {
		return nil, fmt.Errorf("editing %s would change other entries than the one meant; edit it by hand", v.Path)
	}
	n.Path = v.Path
	return n, nil
}

func (v *Inventory) key(name string) (*ast.MappingValueNode, bool) {
	if v.body == nil {
		return nil, false
	}
	return child(v.body, name)
}

// endOf is the index after the last line of entry i: blank and comment lines
// before the next entry or key are not its own.
func (v *Inventory) endOf(i int, lines []string) int {
	seq := v.list()
	end := len(lines)
	if i+1 < len(seq.Entries) {
		end = seq.Entries[i+1].Start.Position.Line - 1
	} else {
		for _, kv := range v.body.Values {
			if l := lineOf(kv.Key) - 1; l > seq.Entries[i].Start.Position.Line-1 && l < end {
				end = l
			}
		}
	}
	start := seq.Entries[i].Start.Position
	for end > start.Line {
		l := lines[end-1]
		inside := isComment(l) && len(l)-len(strings.TrimLeft(l, " ")) >= start.Column
		if strings.TrimSpace(l) != "" && !isComment(l) || inside {
			break
		}
		end--
	}
	return end
}

func isComment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

// comment is the comment that ends a line, with a space before it.
func comment(line string) string {
	if _, c, ok := strings.Cut(line, " #"); ok {
		return " #" + c
	}
	return ""
}

func splitLines(text []byte) []string {
	text = bytes.TrimRight(text, "\n")
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\n")
}

func indented(lines []string, by int) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.Repeat(" ", by) + l
	}
	return out
}

// splice replaces lines[from:to].
func splice(lines []string, from, to int, by []string) []string {
	out := append([]string(nil), lines[:from]...)
	out = append(out, by...)
	return append(out, lines[to:]...)
}
