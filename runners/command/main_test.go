package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// asRunner makes the test program a runner, for tests that need a process.
const asRunner = "COMMAND_TEST_RUNNER"

func TestMain(m *testing.M) {
	if os.Getenv(asRunner) != "" {
		os.Exit(command.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// run runs the runner as a user types it.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = command.Run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// writeModel saves a small random classifier with a vocabulary of bytes.
func writeModel(t *testing.T, seed uint64) string {
	t.Helper()
	pieces := []tokenizer.Piece{
		{Text: "<unk>", Kind: tokenizer.Unknown}, {Text: "<s>", Kind: tokenizer.Control}, {Text: "</s>", Kind: tokenizer.Control},
	}
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
	rng := rand.New(rand.NewPCG(seed, 0))
	matrix := func(rows, cols int) *model.Matrix {
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32(rng.NormFloat64()) / 3
		}
		return &model.Matrix{Rows: rows, Cols: cols, F32: w}
	}
	gains := func() []float32 {
		w := make([]float32, hidden)
		for i := range w {
			w[i] = 1
		}
		return w
	}
	m := &model.Model{
		Config: model.Config{
			ModelType: model.ModelType, HiddenSize: hidden, IntermediateSize: 64, NumLayers: 2, NumHeads: 2, NumKVHeads: 1,
			HeadDim: 16, VocabSize: len(pieces), MaxPositions: 128, RopeTheta: 10000, RMSNormEps: 1e-5,
			BOS: 1, EOS: 2, Labels: []string{"card", "loan"},
		},
		Embed: matrix(len(pieces), hidden), Norm: gains(), Head: matrix(len(pieces), hidden),
		Classifier: matrix(2, hidden), ClassifierBias: make([]float32, 2),
	}
	for range m.NumLayers {
		m.Layers = append(m.Layers, model.Layer{
			Heads: 2, KVHeads: 1, FFN: 64, AttnNorm: gains(), MLPNorm: gains(),
			Q: matrix(32, hidden), K: matrix(16, hidden), V: matrix(16, hidden), O: matrix(hidden, 32),
			Gate: matrix(64, hidden), Up: matrix(64, hidden), Down: matrix(hidden, 64),
		})
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := m.SaveWith(dir, map[string][]byte{"tokenizer.json": vocabulary}); err != nil {
		t.Fatal(err)
	}
	return dir
}

const hidden = 32

func writeItems(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "items.jsonl")
	var b bytes.Buffer
	err := wire.WriteItems(&b, []wire.Item{{Text: "my card", Label: "card"}, {Text: "a loan", Label: "loan"}, {Text: "余额"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
