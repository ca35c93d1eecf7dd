package tokenizer_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// golden returns the path of a file of the shared golden data and skips the
// test where they are absent.
func golden(t testing.TB, name string) string {
	t.Helper()
	shared := os.Getenv("HARNESS_SHARED")
	if shared == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				t.Skip("no go.mod above the test, so no shared golden data")
			}
			dir = filepath.Dir(dir)
		}
		shared = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(shared, "golden", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("golden data absent: %v (set HARNESS_SHARED)", err)
	}
	return path
}

const goldenVocab = "tokenizer/ggml-vocab-llama-spm.gguf"

func mustLoad(t testing.TB, path string) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// goldenCases reads the texts and the ids llama.cpp gives them.
func goldenCases(t testing.TB) (texts []string, ids [][]int32) {
	t.Helper()
	in, err := os.ReadFile(golden(t, goldenVocab+".inp"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(golden(t, goldenVocab+".out"))
	if err != nil {
		t.Fatal(err)
	}
	const end = "\n__ggml_vocab_test__\n"
	texts = strings.Split(strings.TrimSuffix(string(in), end), end)
	for line := range strings.Lines(string(out)) {
		var row []int32
		for _, f := range strings.Fields(line) {
			id, err := strconv.ParseInt(f, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, int32(id))
		}
		ids = append(ids, row)
	}
	if len(texts) != len(ids) {
		t.Fatalf("%d texts, %d lines of ids", len(texts), len(ids))
	}
	return texts, ids
}

// Ids that differ from the ones a model was trained with make its answers
// nonsense.
func TestGoldenIds(t *testing.T) {
	tok := mustLoad(t, golden(t, goldenVocab))
	texts, want := goldenCases(t)
	for i, text := range texts {
		if d := cmp.Diff(want[i], tok.Encode(text)); d != "" {
			t.Errorf("%q:\n%s", text, d)
		}
		if got := tok.Decode(want[i]); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}
