package command_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// What a person reads at the board must be the model's own likeliest text, not
// an artefact of decoding it piece by piece.
func TestGenerateIsGreedy(t *testing.T) {
	dir := writeModel(t, 3)
	status, stdout, stderr := run(t, "generate", "--model", dir, "--prompt", "where is my card", "--tokens", "24", "--exact", "--threads", "1")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	m, err := model.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(m, engine.Options{Threads: 1, Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	// The slow way: the whole text anew for each token.
	ids := append([]int32{tok.BOS()}, tok.Encode("where is my card")...)
	prompt := len(ids)
	for len(ids) < prompt+24 {
		var next int32
		steps := []engine.Step{{Seq: e.NewSequence(), Tokens: ids}}
		err := e.Forward(t.Context(), steps, 0, func(_, _ int, logits []float32) {
			next = 0
			for i, v := range logits {
				if v > logits[next] {
					next = int32(i)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if next == tok.EOS() {
			break
		}
		ids = append(ids, next)
	}
	want := strings.TrimPrefix(tok.Decode(ids), tok.Decode(ids[:prompt])) + "\n"
	if stdout != want || len(want) < 8 {
		t.Errorf("wrote %q, want %q", stdout, want)
	}
	speeds := fmt.Sprintf(`^prefill: %d tokens, [0-9.]+ tok/s\ndecode: %d tokens, [0-9.]+ tok/s\n$`, prompt, len(ids)-prompt-1)
	if !regexp.MustCompile(speeds).MatchString(stderr) {
		t.Errorf("said %q, want %s", stderr, speeds)
	}
}

// A text worth showing to someone else must come again with its seed.
func TestGenerateWithATemperature(t *testing.T) {
	dir := writeModel(t, 3)
	text := func(seed string) string {
		status, stdout, stderr := run(t, "generate", "--model", dir, "--prompt", "a", "--tokens", "24", "--temperature", "1.5", "--seed", seed)
		if status != 0 {
			t.Fatalf("exit status %d: %s", status, stderr)
		}
		return stdout
	}
	first := text("1")
	if again := text("1"); again != first {
		t.Errorf("the same seed gave %q and %q", first, again)
	}
	if other := text("2"); other == first {
		t.Errorf("two seeds gave %q", first)
	}
}

// The model has 128 positions: a text ends there, not in an error.
func TestGenerateEndsAtTheModelsLimit(t *testing.T) {
	status, stdout, stderr := run(t, "generate", "--model", writeModel(t, 3), "--prompt", "a", "--tokens", "9999")
	if status != 0 || stdout == "" {
		t.Errorf("exit status %d, wrote %q: %s", status, stdout, stderr)
	}
}
