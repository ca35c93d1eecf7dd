package measure

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// labels are the classes of the test classifier.
var labels = []string{"card", "loan", "余额"}

// writeModel saves a small random model with a byte vocabulary; without classes
// it predicts tokens only.
func writeModel(t testing.TB, seed uint64, classes []string) string {
	t.Helper()
	pieces := []tokenizer.Piece{{Text: "<unk>", Kind: tokenizer.Unknown}, {Text: "<s>", Kind: tokenizer.Control}, {Text: "</s>", Kind: tokenizer.Control}}
	for i := range 256 {
		pieces = append(pieces, tokenizer.Piece{Text: "<0x" + string("0123456789ABCDEF"[i/16]) + string("0123456789ABCDEF"[i%16]) + ">", Kind: tokenizer.Byte})
	}
	tok, err := tokenizer.New(pieces, tokenizer.Options{BOS: 1, EOS: 2})
	if err != nil {
		t.Fatal(err)
	}
	vocabulary, err := json.Marshal(tok)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	matrix := func(rows, cols int) *model.Matrix {
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32(rng.NormFloat64()) / 4
		}
		return &model.Matrix{Rows: rows, Cols: cols, F32: w}
	}
	ones := func(n int) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = 1
		}
		return w
	}
	const hidden, ffn, headDim = 32, 64, 16
	m := &model.Model{
		Config: model.Config{
			ModelType: model.ModelType, HiddenSize: hidden, IntermediateSize: ffn, NumLayers: 2, NumHeads: 2, NumKVHeads: 1,
			HeadDim: headDim, VocabSize: len(pieces), MaxPositions: 64, RopeTheta: 10000, RMSNormEps: 1e-5,
			TieWordEmbeddings: true, BOS: 1, EOS: 2, Labels: classes,
		},
		Embed: matrix(len(pieces), hidden), Norm: ones(hidden),
	}
	for range m.NumLayers {
		m.Layers = append(m.Layers, model.Layer{
			Heads: 2, KVHeads: 1, FFN: ffn, AttnNorm: ones(hidden), MLPNorm: ones(hidden),
			Q: matrix(2*headDim, hidden), K: matrix(headDim, hidden), V: matrix(headDim, hidden), O: matrix(hidden, 2*headDim),
			Gate: matrix(ffn, hidden), Up: matrix(ffn, hidden), Down: matrix(hidden, ffn),
		})
	}
	if len(classes) > 0 {
		m.Classifier, m.ClassifierBias = matrix(len(classes), hidden), make([]float32, len(classes))
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := m.SaveWith(dir, map[string][]byte{"tokenizer.json": vocabulary}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func quiet(string, int, int) {}

// load opens a session on a model of writeModel.
func load(t testing.TB, dir string, machine Machine) *Session {
	t.Helper()
	s, err := Load(t.Context(), wire.Load{Model: dir, Threads: 1, Exact: true}, machine, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

var testItems = []wire.Item{
	{Text: "where is my card", Label: "card"},
	{Text: "a loan please", Label: "loan"},
	{Text: "查询余额", Label: "余额"},
	{Text: "hello"},
	{Text: "lost it", Label: "card"},
}

func writeItems(t testing.TB, items []wire.Item) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "items.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := wire.WriteItems(f, items); err != nil {
		t.Fatal(err)
	}
	return path
}

// tree writes files below a fresh root.
func tree(t testing.TB, files ...map[string]string) Machine {
	t.Helper()
	m := fstest.MapFS{}
	for _, layer := range files {
		for name, text := range layer {
			m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		}
	}
	root := t.TempDir()
	if err := os.CopyFS(root, m); err != nil {
		t.Fatal(err)
	}
	return Machine{Root: root}
}

func ptr[T any](v T) *T { return &v }
