package command_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/model"
)

// writeTokens writes a tokens file for `runner logits`.
func writeTokens(t *testing.T, name, dtype string, shape []int, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.safetensors")
	err := model.WriteSafetensors(path, nil, []model.Tensor{{TensorInfo: model.TensorInfo{Name: name, DType: dtype, Shape: shape}, Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// change copies a model with one of its files changed.
func change(t *testing.T, dir, name string, edit func([]byte) []byte) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "changed")
	if err := os.CopyFS(out, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(out, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, name), edit(raw), 0o644); err != nil {
		t.Fatal(err)
	}
	return out
}

// A script decides by the exit status, a person by the message: 1 is for what the
// user can change in the command, 3 for what is wrong on the board.
func TestWrongUse(t *testing.T) {
	dir := writeModel(t, 1)
	good := writeTokens(t, "tokens.a", "I32", []int{2}, []byte{1, 0, 0, 0, 70, 0, 0, 0})
	out := filepath.Join(t.TempDir(), "out.safetensors")
	cut := change(t, dir, "model.safetensors", func(b []byte) []byte { return b[:len(b)/2] })
	llama := change(t, dir, "config.json", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("ernie4_5"), []byte("llama")) })
	speechless := change(t, dir, "tokenizer.json", func([]byte) []byte { return []byte("{}") })
	logits := func(model, tokens string, more ...string) []string {
		return append([]string{"logits", "--model", model, "--tokens", tokens, "--out", out}, more...)
	}
	tests := []struct {
		name   string
		args   []string
		status int
		text   []string
	}{
		{"no such command", []string{"dance"}, 1, []string{`unknown command "dance"`}},
		{"no such flag", []string{"info", "--modell", "x"}, 1, []string{"--modell", "see runner info --help"}},
		{"an argument", []string{"serve", "now"}, 1, []string{`"now"`}},
		{"no flags", []string{"logits"}, 1, []string{"model", "out", "tokens"}},
		{"output", []string{"info", "-o", "xml"}, 1, []string{`--output "xml"`, "table or json"}},

		{"no model", logits(dir+"x", good), 3, []string{"opening model", dir + "x"}},
		{"cut model", logits(cut, good), 3, []string{cut, "truncated"}},
		{"another architecture", logits(llama, good), 1, []string{"llama", "ernie4_5"}},
		{"bits 9", logits(dir, good, "--bits", "9"), 1, []string{"bits 9", "16, 8, 6, 5, 4, 3, 2", "nearest that can: 8"}},
		{"group size", logits(dir, good, "--bits", "4", "--group-size", "33"), 1, []string{"group-size 33", "32"}},
		{"threads", logits(dir, good, "--threads", "-1"), 1, []string{"threads is -1"}},
		{"chunk", logits(dir, good, "--chunk", "0"), 1, []string{"--chunk 0"}},
		{"threshold", logits(dir, good, "--threshold", "2"), 1, []string{"threshold"}},
		{"no tokens file", logits(dir, good+"x"), 3, []string{good + "x"}},
		{"no tokens in it", logits(dir, writeTokens(t, "other", "I32", []int{1}, make([]byte, 4))), 3, []string{"no tensor tokens.*", "found other"}},
		{"tokens of another type", logits(dir, writeTokens(t, "tokens.a", "F32", []int{1}, make([]byte, 4))), 3, []string{"tokens.a is F32", "write I32"}},
		{"a token outside", logits(dir, writeTokens(t, "tokens.a", "I32", []int{1}, []byte{0, 9, 0, 0})), 1, []string{"token 0 is 2304", "the vocabulary has 259"}},
		{"nowhere to write", []string{"logits", "--model", dir, "--tokens", good, "--out", filepath.Join(dir, "no", "such")}, 3, []string{"no such file"}},

		{"tokens to write", []string{"generate", "--model", dir, "--prompt", "a", "--tokens", "0"}, 1, []string{"--tokens 0"}},
		{"temperature", []string{"generate", "--model", dir, "--prompt", "a", "--temperature", "-1"}, 1, []string{"--temperature -1 is outside [0, 100]"}},
		{"a long prompt", []string{"generate", "--model", dir, "--prompt", strings.Repeat("a", 200)}, 1, []string{"the limit is 128"}},
		{"a broken tokenizer", []string{"generate", "--model", speechless, "--prompt", "a"}, 3, []string{"loading the tokenizer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := run(t, tt.args...)
			if status != tt.status || stdout != "" {
				t.Errorf("exit status %d, want %d; wrote %q", status, tt.status, stdout)
			}
			for _, text := range tt.text {
				if !strings.Contains(stderr, text) {
					t.Errorf("said %q, want %q in it", stderr, text)
				}
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "runner: ") {
				t.Errorf("said %q, want one line", stderr)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a file was written")
			}
		})
	}
}

func TestAnInterruptIsNoFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	args := []string{"generate", "--model", writeModel(t, 1), "--prompt", "a"}
	if status := command.Run(ctx, args, strings.NewReader(""), &out, &errs); status != 130 {
		t.Errorf("exit status %d: %s", status, errs.String())
	}
}
