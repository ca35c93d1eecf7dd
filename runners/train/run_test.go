package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/runners/model"
)

// toySet asks for one of three things in a few words.
func toySet(n int) *loader.Set {
	s := &loader.Set{Name: "toy", Labels: []string{"balance", "card", "transfer"}, License: "CC0-1.0", Source: "made up", Hash: "toy"}
	verbs := []string{"show me", "please check", "what about", "i want", "now"}
	things := [][]string{{"balance", "money left", "account state"}, {"card", "plastic", "visa"}, {"transfer", "wire", "sending cash"}}
	for i := range n {
		c := i % 3
		it := loader.Item{Text: fmt.Sprintf("%s my %s %d", verbs[i%5], things[c][i/3%3], i%7), Label: c}
		if i%10 == 9 {
			s.Test = append(s.Test, it)
		} else {
			s.Train = append(s.Train, it)
		}
	}
	return s
}

func toyRecipe(t *testing.T) Recipe {
	t.Helper()
	r, err := ParseRecipe([]byte("{name: toy, vocab: 320, layers: 2, hidden: 32, ffn: 48, heads: 4, kv_heads: 2, head_dim: 8, epochs: 16, lm_epochs: 1, batch: 16, eval_every: 1, learning_rate: 0.005, ema: 0.9, dropout: 0.1, head_dropout: 0.1, holdout: 0.1, max_tokens: 32}"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A user who trains on easy data and gets a model that does not know it, or a
// folder that cannot be loaded, has nothing.
func TestRunLearnsAndSaves(t *testing.T) {
	set, dir := toySet(300), filepath.Join(t.TempDir(), "out")
	var phases []string
	res, err := Run(t.Context(), set, toyRecipe(t), Options{OutDir: dir, Seed: 3, Progress: func(p Progress) {
		if !slices.Contains(phases, p.Phase) {
			phases = append(phases, p.Phase)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Test.MacroF1(); got < .95 {
		t.Errorf("macro-F1 %.3f on the toy test, want at least 0.95", got)
	}
	if res.Val == nil || res.Val.N() == 0 {
		t.Error("no validation split was held out of train")
	}
	if res.Perplexity < 1 || res.Perplexity > 60 {
		t.Errorf("perplexity %.1f: the language-model head learnt nothing", res.Perplexity)
	}
	if want := []string{"vocabulary", "language model", "classifier", "test"}; !slices.Equal(phases, want) {
		t.Errorf("progress went through %v, want %v", phases, want)
	}
	m, err := model.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Labels, set.Labels) {
		t.Errorf("labels %v, want %v", m.Labels, set.Labels)
	}
	card, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CC0-1.0", "made up", "seed 3", "macro-F1", "Floor on the same test split"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("model card lacks %q", want)
		}
	}
	if _, err := os.Stat(checkpointPath(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Error("a finished run leaves its checkpoint behind")
	}
}

// An interrupted hour must not be lost, and must not come out differently.
func TestResumedRunIsBitEqual(t *testing.T) {
	set, recipe := toySet(120), toyRecipe(t)
	recipe.Epochs = 4
	dir := t.TempDir()
	whole, parts := filepath.Join(dir, "whole"), filepath.Join(dir, "parts")
	if _, err := Run(t.Context(), set, recipe, Options{OutDir: whole, Seed: 5, Workers: 1}); err != nil {
		t.Fatal(err)
	}
	for sitting := 0; ; sitting++ {
		ctx, cancel := context.WithCancel(t.Context())
		// The second epoch of a sitting is cut short, so a run of four takes a few.
		_, err := Run(ctx, set, recipe, Options{OutDir: parts, Seed: 5, Workers: 3, Resume: sitting > 0, CheckpointEvery: time.Nanosecond, Progress: func(p Progress) {
			if p.Phase != "test" && p.Epoch > float64(sitting)+.5 {
				cancel()
			}
		}})
		cancel()
		if err == nil {
			if sitting == 0 {
				t.Fatal("the run was never interrupted")
			}
			break
		}
		if !errors.Is(err, ErrInterrupted) || sitting > 10 {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"model.safetensors", "tokenizer.json", "config.json"} {
		a, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(parts, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("%s differs after interruptions and on another number of workers", name)
		}
	}
}

// A checkpoint of another run, or a damaged one, would give a model that is
// not what its card says.
func TestCheckpointRefused(t *testing.T) {
	set, recipe := toySet(60), toyRecipe(t)
	dir := filepath.Join(t.TempDir(), "out")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := Run(ctx, set, recipe, Options{OutDir: dir, Seed: 5, Progress: func(p Progress) {
		if p.Step > 0 {
			cancel()
		}
	}}); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("cancelled run: %v", err)
	}
	other := recipe
	other.Dropout = .3
	moved := *set
	moved.Hash = "another"
	for _, tc := range []struct {
		name   string
		set    *loader.Set
		recipe Recipe
		o      Options
		want   string
	}{
		{"not resumed", set, recipe, Options{OutDir: dir, Seed: 5}, "--resume"},
		{"other seed", set, recipe, Options{OutDir: dir, Seed: 6, Resume: true}, "seed 5"},
		{"other recipe", set, other, Options{OutDir: dir, Seed: 5, Resume: true}, "another recipe"},
		{"other data", &moved, recipe, Options{OutDir: dir, Seed: 5, Resume: true}, "other data"},
		{"none", set, recipe, Options{OutDir: dir + "x", Seed: 5, Resume: true}, "nothing to resume"},
	} {
		if _, err := Run(t.Context(), tc.set, tc.recipe, tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
	path := checkpointPath(dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, data := range map[string][]byte{"flipped": flipped, "cut": whole[:len(whole)/2], "empty": nil, "header": whole[:12]} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), set, recipe, Options{OutDir: dir, Seed: 5, Resume: true}); err == nil || !strings.Contains(err.Error(), "resuming from checkpoint") {
			t.Errorf("%s checkpoint: %v", name, err)
		}
	}
}

// A time limit must end the run in time with a schedule that reached its end.
func TestTimeLimitShortensTheSchedule(t *testing.T) {
	recipe := toyRecipe(t)
	recipe.Epochs, recipe.LMEpochs = 10000, 100
	dir, began := filepath.Join(t.TempDir(), "out"), time.Now()
	var last Progress
	res, err := Run(t.Context(), toySet(120), recipe, Options{OutDir: dir, TimeLimit: 700 * time.Millisecond, Progress: func(p Progress) { last = p }})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Shortened || res.Epochs >= 10000 {
		t.Errorf("result says %.0f epochs, shortened %v", res.Epochs, res.Shortened)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a limit of 0.7 s took %s", took)
	}
	if last.Loss == 0 {
		t.Error("the classifier's part of the schedule was cut off")
	}
}

// Data that cannot be learnt from is refused before an hour is spent on it.
func TestBadDataRefused(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(*loader.Set)
		want string
	}{
		{"empty", func(s *loader.Set) { s.Train = nil }, "no train items"},
		{"one class", func(s *loader.Set) { s.Labels = s.Labels[:1] }, "at least 2"},
		{"class without items", func(s *loader.Set) { s.Labels = append(s.Labels, "refund") }, `class "refund" has no train item`},
		{"label out of range", func(s *loader.Set) { s.Test[0].Label = 9 }, "label 9 is outside the 3 classes"},
	} {
		set := toySet(60)
		tc.set(set)
		_, err := Run(t.Context(), set, toyRecipe(t), Options{OutDir: filepath.Join(t.TempDir(), "out")})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
}
