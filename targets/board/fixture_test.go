package board

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

// unescape turns the two notations of a fixture into the bytes that text cannot hold.
func unescape(t testing.TB, s string) string {
	t.Helper()
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], `\0`):
			out.WriteByte(0)
			i++
		case strings.HasPrefix(s[i:], `\x`) && i+4 <= len(s):
			var b byte
			if _, err := fmt.Sscanf(s[i+2:i+4], "%02x", &b); err != nil {
				t.Fatalf("fixture %q: %v", s[i:i+4], err)
			}
			out.WriteByte(b)
			i += 3
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}

// fixture unpacks a board's tree. Files below commands are the answers of its tools.
func fixture(t testing.TB, name string) Source {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		data := string(f.Data)
		if strings.HasPrefix(f.Name, "proc/device-tree/") {
			data = strings.TrimSuffix(unescape(t, data), "\n")
		}
		files[f.Name] = data
	}
	return withTools(treeOf(t, files))
}

// withTools answers for the tools of the board below root.
func withTools(root string) Source {
	return Source{Root: root, Tool: func(_ context.Context, argv ...string) ([]byte, error) {
		b, err := os.ReadFile(filepath.Join(root, "commands", strings.Join(argv, " ")))
		if err != nil {
			return nil, exec.ErrNotFound
		}
		return b, nil
	}}
}

func treeOf(t testing.TB, files map[string]string) string {
	t.Helper()
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	root := t.TempDir()
	if err := os.CopyFS(root, m); err != nil {
		t.Fatal(err)
	}
	return root
}
