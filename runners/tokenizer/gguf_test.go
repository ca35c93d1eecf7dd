package tokenizer_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// An exported model is of use elsewhere only if text becomes the same ids there:
// a vocabulary comes back from a GGUF file as it was.
func TestGGUFRoundTrip(t *testing.T) {
	texts := utterances(500)
	tok := train(t, texts, 800)
	m, err := model.Random("nano", 1)
	if err != nil {
		t.Fatal(err)
	}
	words, lost := tok.GGUF()
	if len(lost) > 0 {
		t.Errorf("the file cannot say %v", lost)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := model.WriteGGUF(path, m, words, "q4_0"); err != nil {
		t.Fatal(err)
	}
	got, err := tokenizer.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.VocabSize() != m.VocabSize || got.BOS() != tok.BOS() || got.EOS() != tok.EOS() {
		t.Errorf("%d pieces, begin %d, end %d", got.VocabSize(), got.BOS(), got.EOS())
	}
	for _, text := range append(texts, "  two  tables, une café for 3 ☕ <unused1000>", "") {
		if a, b := tok.Encode(text), got.Encode(text); !slices.Equal(a, b) {
			t.Errorf("%q is %v, want %v", text, b, a)
		}
	}
}
