//go:build e2e

package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// quickClasses are those of the quick model and its data.
var quickClasses = []string{"balance", "card", "loan"}

// writeQuick writes a classifier of random weights, and texts for it: of an emulated
// core, which answers with the smallest in milliseconds, only what is stored matters,
// not what is predicted.
func writeQuick(t *testing.T, dir string, hidden, ffn, layers int) (folder, train, test string) {
	t.Helper()
	const headDim = 32
	pieces := []tokenizer.Piece{{Text: "<unk>", Kind: tokenizer.Unknown}, {Text: "<s>", Kind: tokenizer.Control}, {Text: "</s>", Kind: tokenizer.Control}}
	for i := range 256 {
		pieces = append(pieces, tokenizer.Piece{Text: fmt.Sprintf("<0x%02X>", i), Kind: tokenizer.Byte})
	}
	tok, err := tokenizer.New(pieces, tokenizer.Options{BOS: 1, EOS: 2})
	if err != nil {
		t.Fatal(err)
	}
	vocabulary, err := json.Marshal(tok)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 0))
	matrix := func(rows, cols int) *model.Matrix {
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32(rng.NormFloat64() / math.Sqrt(float64(hidden)))
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
	m := &model.Model{
		Config: model.Config{
			ModelType: model.ModelType, HiddenSize: hidden, IntermediateSize: ffn, NumLayers: layers, NumHeads: 2, NumKVHeads: 1,
			HeadDim: headDim, VocabSize: len(pieces), MaxPositions: 128, RopeTheta: 10000, RMSNormEps: 1e-5,
			TieWordEmbeddings: true, BOS: 1, EOS: 2, Labels: quickClasses,
		},
		Embed: matrix(len(pieces), hidden), Norm: ones(hidden),
		Classifier: matrix(len(quickClasses), hidden), ClassifierBias: make([]float32, len(quickClasses)),
	}
	for range m.NumLayers {
		m.Layers = append(m.Layers, model.Layer{
			Heads: 2, KVHeads: 1, FFN: ffn, AttnNorm: ones(hidden), MLPNorm: ones(hidden),
			Q: matrix(2*headDim, hidden), K: matrix(headDim, hidden), V: matrix(headDim, hidden), O: matrix(hidden, 2*headDim),
			Gate: matrix(ffn, hidden), Up: matrix(ffn, hidden), Down: matrix(hidden, ffn),
		})
	}
	folder = filepath.Join(dir, "quick")
	if err := m.SaveWith(folder, map[string][]byte{"tokenizer.json": vocabulary}); err != nil {
		t.Fatal(err)
	}
	return folder, writeTexts(t, filepath.Join(dir, "train.csv"), 8), writeTexts(t, filepath.Join(dir, "test.csv"), 4)
}

// writeTexts writes labelled texts of one length, so that trials settle soon.
func writeTexts(t *testing.T, path string, perClass int) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := [][]string{{"text", "label"}}
	for i := range perClass {
		for _, class := range quickClasses {
			rows = append(rows, []string{fmt.Sprintf("%-8s %s %d", class, filepath.Base(path)[:4], 10+i), class})
		}
	}
	if err := csv.NewWriter(f).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return path
}
