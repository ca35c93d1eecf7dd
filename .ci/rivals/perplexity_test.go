package main

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
)

func logitBytes(rows ...[]float32) []byte {
	var out []byte
	for _, v := range slices.Concat(rows...) {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func TestPerplexity(t *testing.T) {
	flat := []float32{7, 7, 7, 7}
	if got := perplexity(logitBytes(flat, flat, flat), 4, []int32{0, 3, 1}); math.Abs(got-4) > 1e-12 {
		t.Errorf("of a uniform guess among 4: %v", got)
	}
	// The row after the last token predicts nothing; large logits must not overflow.
	sure := logitBytes([]float32{0, 1000, 0, 0}, []float32{0, 0, 0, 1000}, []float32{9, 0, 0, 0})
	if got := perplexity(sure, 4, []int32{0, 1, 3}); got != 1 {
		t.Errorf("of a sure guess: %v", got)
	}
	if got, want := perplexity(logitBytes([]float32{0, float32(math.Log(3))}, flat[:2]), 2, []int32{0, 0}), 4.0; math.Abs(got-want) > 1e-6 {
		t.Errorf("at probability 1/4: %v", got)
	}
}

// fakeLogits answers for the runner with flat logits of 8 classes and for a rival
// with a perplexity of 8.08.
func fakeLogits(_ context.Context, _ string, argv []string) (outcome, error) {
	i := slices.Index(argv, "--out")
	if i < 0 {
		return outcome{Stdout: []byte(`{"n_tokens": 3, "perplexity": 8.08}`)}, nil
	}
	info := model.TensorInfo{Name: "logits.text", DType: "F32", Shape: []int{3, 8}}
	return outcome{}, model.WriteSafetensors(argv[i+1], nil, []model.Tensor{{TensorInfo: info, Data: make([]byte, 4*3*8)}})
}

func TestPerplexities(t *testing.T) {
	able := fakeProgram("llama.cpp")
	able.perplexity = func(_ context.Context, file, tokens string, _ int) (command, error) {
		return command{Argv: []string{"llama", file, tokens}}, nil
	}
	s := session{Programs: []program{fakeProgram("ours"), able, fakeProgram("other")}, Dir: t.TempDir(), execute: fakeLogits}
	text := trained{Files: []modelFile{{Name: "nano", Path: "nano.gguf"}}, Tokens: []int32{1, 2, 3}}
	got := s.perplexities(context.Background(), "runner", text)
	if len(got) != 3 || math.Abs(got[0].Perplexity-8) > 1e-9 || got[1].Difference == nil || math.Abs(*got[1].Difference-0.01) > 1e-9 {
		t.Fatalf("%+v", got)
	}
	if !strings.HasPrefix(got[2].Error, "not measured") || got[2].Difference != nil {
		t.Errorf("a program without: %+v", got[2])
	}
	list, err := os.ReadFile(s.Dir + "/tokens.txt")
	if err != nil || string(list) != "1\n2\n3\n" {
		t.Errorf("the rival was given %q, %v", list, err)
	}

	text.Tokens = []int32{1, 2} // both answer for 3
	for _, r := range s.perplexities(context.Background(), "runner", text)[:2] {
		if !strings.HasPrefix(r.Error, "failed: ") {
			t.Errorf("%s computed other tokens: %+v", r.Program, r)
		}
	}
	s.execute = func(context.Context, string, []string) (outcome, error) {
		return outcome{}, errors.New("signal: killed")
	}
	for _, r := range s.perplexities(context.Background(), "runner", text)[:2] {
		if r.Error != "failed: signal: killed" {
			t.Errorf("%s crashed: %+v", r.Program, r)
		}
	}
}

// The text must not be one that the model was trained on, and the ids its own.
func TestExport(t *testing.T) {
	got, err := export("../../datasets/builtin/models/service-nano", t.TempDir(), []string{"q8_0", "q4_0"}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tokens) != 100 || len(got.Files) != 2 || got.Files[1].Name != "service-nano q4_0" {
		t.Errorf("%d tokens, files %+v", len(got.Tokens), got.Files)
	}
	for _, f := range got.Files {
		m, err := model.Load(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if int(slices.Max(got.Tokens)) >= m.VocabSize {
			t.Errorf("token %d of a vocabulary of %d", slices.Max(got.Tokens), m.VocabSize)
		}
	}
	if _, err := export(t.TempDir(), t.TempDir(), nil, 1); err == nil {
		t.Error("an empty folder was exported")
	}
}
