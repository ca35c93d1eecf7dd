package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/virtual"
)

// blocks returns the fenced blocks of a page by their language.
func blocks(t *testing.T, path, language string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, part := range strings.Split(string(raw), "```") {
		name, text, _ := strings.Cut(part, "\n")
		if i%2 == 1 && name == language {
			out = append(out, text)
		}
	}
	return out
}

// TestDocumentedCommands: a command copied from a page must exist, with its flags.
func TestDocumentedCommands(t *testing.T) {
	for _, path := range []string{"README.md", "docs/boards.md", "docs/nightly.md", "docs/store.md"} {
		found := 0
		for _, block := range blocks(t, path, "") {
			for line := range strings.Lines(block) {
				line, _, _ = strings.Cut(line, " #")
				words := strings.Fields(strings.TrimPrefix(line, "go run ./"))
				if len(words) == 0 || words[0] != "harness" {
					continue
				}
				found++
				a := &app{out: discard{}, err: discard{}}
				c, rest, err := a.root().Find(words[1:])
				if err != nil || !c.Runnable() {
					t.Errorf("%s: %s: no such command (%v)", path, strings.TrimSpace(line), err)
					continue
				}
				err = c.ParseFlags(rest)
				if err == nil && c.Args != nil {
					err = c.Args(c, c.Flags().Args())
				}
				if err != nil {
					t.Errorf("%s: %s: %v", path, strings.TrimSpace(line), err)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s shows no command: its blocks are not understood", path)
		}
	}
}

// TestDocumentedInventory: an example that is refused, or a key that no example
// shows, sends its reader into the code.
func TestDocumentedInventory(t *testing.T) {
	shown, limits := 0, 0
	dir := t.TempDir()
	for i, block := range blocks(t, "docs/boards.md", "yaml") {
		if !strings.HasPrefix(block, "targets:") {
			recipe := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
			if err := os.WriteFile(recipe, []byte(block), 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := readRecipeFile(recipe)
			if err != nil || f.Limits == nil {
				t.Errorf("the recipe is not one with limits: %v", err)
			}
			limits++
			continue
		}
		if _, err := targets.Parse([]byte(block)); err != nil {
			t.Errorf("docs/boards.md: line %v of the block", err)
		}
		raw, err := targets.Schema()
		if err != nil {
			t.Fatal(err)
		}
		var schema any
		if err := json.Unmarshal(raw, &schema); err != nil {
			t.Fatal(err)
		}
		for _, key := range keysOf(schema) {
			if !strings.Contains(block, key+": ") && !strings.Contains(block, key+":\n") {
				t.Errorf("docs/boards.md: no example has the key %s", key)
			}
		}
		shown++
	}
	if shown != 1 || limits != 1 {
		t.Errorf("%d inventories and %d recipes are shown, want one of each", shown, limits)
	}
}

// keysOf lists the names of a schema's properties at every depth.
func keysOf(node any) []string {
	var out []string
	m, ok := node.(map[string]any)
	if !ok {
		return nil
	}
	if p, ok := m["properties"].(map[string]any); ok {
		for name, value := range p {
			out = append(append(out, name), keysOf(value)...)
		}
	}
	return append(out, keysOf(m["items"])...)
}

// TestDocumentedLimits: a page with another limit than the program's is believed.
func TestDocumentedLimits(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "boards.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	v := reflect.ValueOf(wire.DefaultLimits())
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		value := strconv.FormatFloat(v.Field(i).Convert(reflect.TypeFor[float64]()).Float(), 'g', -1, 64)
		var row string
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "| ") && strings.Contains(line, "`"+name+"`") {
				row = strings.NewReplacer(",", " ", ";", " ").Replace(line)
			}
		}
		if !strings.Contains(row, " "+value+" ") {
			t.Errorf("docs/boards.md: the row of %s does not say %s: %s", name, value, row)
		}
	}
	for _, name := range append(virtual.FaultKinds(), virtual.Kinds()...) {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/boards.md does not name %s", name)
		}
	}
}
