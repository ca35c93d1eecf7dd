package tokenizer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// A vocabulary imported from another format and saved as ours must keep its
// ids.
func TestSaveKeepsGoldenIds(t *testing.T) {
	dir := t.TempDir()
	if err := mustLoad(t, golden(t, goldenVocab)).Save(dir); err != nil {
		t.Fatal(err)
	}
	tok := mustLoad(t, dir)
	texts, want := goldenCases(t)
	for i, text := range texts {
		if d := cmp.Diff(want[i], tok.Encode(text)); d != "" {
			t.Errorf("%q:\n%s", text, d)
		}
	}
	if tok.VocabSize() != 32000 || tok.BOS() != 1 || tok.EOS() != 2 {
		t.Errorf("%d pieces, BOS %d, EOS %d", tok.VocabSize(), tok.BOS(), tok.EOS())
	}
}

// A model folder from elsewhere may lack a vocabulary or hold one we do not
// read; the error must say what to put there.
func TestLoadRefuses(t *testing.T) {
	valid, err := train(t, utterances(50), 400).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	change := func(from, to string) []byte { return []byte(strings.Replace(string(valid), from, to, 1)) }
	for _, c := range []struct {
		name, file string
		content    []byte
		want       string
	}{
		{"nothing", "README", nil, "holds neither tokenizer.json nor tokenizer.model"},
		{"Hugging Face", "tokenizer.json", []byte(`{"version":"1.0","model":{"type":"BPE"}}`), "put the model's tokenizer.model beside it"},
		{"cut off", "tokenizer.json", valid[:len(valid)/2], "perhaps cut off"},
		{"newer", "tokenizer.json", change(`"version":1`, `"version":2`), "this program reads 1"},
		{"lost kind", "tokenizer.json", change(`"kinds":"u`, `"kinds":"`), "kinds"},
		{"no unknown, no bytes", "tokenizer.json", []byte(`{"format":"harness-bpe","version":1,"bos":-1,"eos":-1,"kinds":"n","pieces":["a"],"scores":[0]}`), "neither an unknown piece"},
		{"special outside", "tokenizer.json", change(`"eos":2`, `"eos":99999`), "outside the vocabulary"},
		{"empty", "tokenizer.model", nil, "empty"},
		{"no protobuf", "tokenizer.model", []byte("hello, no vocabulary"), "SentencePiece"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, c.file), c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := tokenizer.Load(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v, want one with %q and the path", err, c.want)
			}
		})
	}
}

// The random golden models carry a vocabulary too; it must be found through
// any path that names the model.
func TestLoadBesideModel(t *testing.T) {
	tok := mustLoad(t, golden(t, "tiny/model-q8_0.gguf"))
	if tok.VocabSize() != 512 {
		t.Errorf("%d pieces", tok.VocabSize())
	}
	dir := t.TempDir()
	if err := tok.Save(filepath.Join(dir, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(dir, "model.safetensors")
	if err := model.WriteSafetensors(weights, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, weights).VocabSize(); got != 512 {
		t.Errorf("%d pieces through the weights", got)
	}
	if _, err := tokenizer.Load(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing path: error %v", err)
	}
}

// BenchmarkGoldenEncode is the speed on English text with a real vocabulary of
// 32,000 pieces.
func BenchmarkGoldenEncode(b *testing.B) {
	tok := mustLoad(b, golden(b, goldenVocab))
	text, err := os.ReadFile(golden(b, "../data/text_en_shakespeare/tinyshakespeare.txt"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	var ids []int32
	for b.Loop() {
		ids = tok.AppendEncode(ids[:0], string(text))
	}
	b.ReportMetric(float64(len(ids))*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
