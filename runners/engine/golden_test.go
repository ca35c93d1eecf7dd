package engine

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
)

// golden returns the folder of reference models, or skips.
func golden(t testing.TB) string {
	dir := os.Getenv("HARNESS_SHARED")
	if dir == "" {
		at, err := os.Getwd()
		for err == nil {
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				break
			}
			if at == filepath.Dir(at) {
				t.Fatal("no go.mod above the test")
			}
			at = filepath.Dir(at)
		}
		dir = filepath.Join(at, "..", "shared")
	}
	dir = filepath.Join(dir, "golden")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("reference models are not here (HARNESS_SHARED): %v", err)
	}
	return dir
}

// reference is token sequences and their float64 logits for one stored format.
type reference struct {
	tokens [][]int32
	logits [][]float32 // [tokens][vocab]
	ids    []int       // numbers in the file
}

func loadReference(t testing.TB, dir, format string) reference {
	t.Helper()
	f, err := model.OpenSafetensors(filepath.Join(dir, "expected.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r reference
	for i := range 5 {
		if _, ok := f.Info(fmt.Sprintf("logits.%s.%d", format, i)); !ok {
			continue
		}
		tokens, err := f.Tensor(fmt.Sprintf("tokens.%d", i))
		if err != nil {
			t.Fatal(err)
		}
		logits, err := f.Tensor(fmt.Sprintf("logits.%s.%d", format, i))
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]int32, len(tokens.Data)/4)
		for j := range ids {
			ids[j] = int32(binary.LittleEndian.Uint32(tokens.Data[4*j:]))
		}
		want := make([]float32, len(logits.Data)/4)
		for j := range want {
			want[j] = math.Float32frombits(binary.LittleEndian.Uint32(logits.Data[4*j:]))
		}
		r.tokens, r.logits = append(r.tokens, ids), append(r.logits, want)
		r.ids = append(r.ids, i)
	}
	if len(r.tokens) < 3 {
		t.Fatalf("%s has %d sequences of format %s", dir, len(r.tokens), format)
	}
	return r
}

func loadGolden(t testing.TB, path string) *model.Model {
	t.Helper()
	m, err := model.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// deviation of logits from a reference.
type deviation struct {
	greatest, rms float64
	flips         int // rows whose best token differs though it leads by more than margin
}

func deviate(got, want []float32, vocab int, margin float32) deviation {
	var d deviation
	var sum float64
	for i := range want {
		diff := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(diff) {
			diff = math.Inf(1)
		}
		d.greatest = max(d.greatest, diff)
		sum += diff * diff
	}
	d.rms = math.Sqrt(sum / float64(len(want)))
	for i := 0; i < len(want); i += vocab {
		best, second := top(want[i:][:vocab])
		found, _ := top(got[i:][:vocab])
		if found != best && want[i+best]-want[i+second] > margin {
			d.flips++
		}
	}
	return d
}

func top(x []float32) (first, second int) {
	first, second = 0, 1
	if x[1] > x[0] {
		first, second = 1, 0
	}
	for i := 2; i < len(x); i++ {
		switch {
		case x[i] > x[first]:
			first, second = i, first
		case x[i] > x[second]:
			second = i
		}
	}
	return first, second
}

// way is a manner of feeding sequences to the engine.
type way struct {
	name  string
	chunk int
	mixed bool
}

var ways = []way{{"whole", 0, false}, {"chunk 7", 7, false}, {"chunk 1", 1, false}, {"mixed batch", 0, true}}

// allLogits returns the logits of every sequence fed in that way.
func allLogits(t testing.TB, m *model.Model, o Options, w way, tokens [][]int32) [][]float32 {
	t.Helper()
	o.Chunk = w.chunk
	e, err := New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	vocab := m.Config.VocabSize
	all := make([][]float32, len(tokens))
	for i := range tokens {
		all[i] = make([]float32, len(tokens[i])*vocab)
	}
	if w.mixed {
		mixedLogits(t, e, tokens, all)
		return all
	}
	for i := range tokens {
		steps := []Step{{Seq: e.NewSequence(), Tokens: tokens[i], All: true}}
		err := e.Forward(t.Context(), steps, 0, func(_, pos int, logits []float32) {
			copy(all[i][pos*vocab:], logits)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// mixedLogits starts the sequences one call after another, so that single
// tokens of some ride with long prompts of others.
func mixedLogits(t testing.TB, e *Engine, tokens [][]int32, all [][]float32) {
	t.Helper()
	vocab := e.Config().VocabSize
	seqs := make([]*Sequence, len(tokens))
	for i := range seqs {
		seqs[i] = e.NewSequence()
	}
	for call := 0; ; call++ {
		var steps []Step
		var who []int
		for i := range tokens {
			left := tokens[i][seqs[i].Len():]
			n := min(len(left), 1)
			if seqs[i].Len() == 0 {
				n = (len(left) + 1) / 2
			}
			if i > call || n == 0 {
				continue
			}
			steps, who = append(steps, Step{Seq: seqs[i], Tokens: left[:n], All: true}), append(who, i)
		}
		if len(steps) == 0 {
			return
		}
		err := e.Forward(t.Context(), steps, 0, func(step, pos int, logits []float32) {
			copy(all[who[step]][pos*vocab:], logits)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestGoldenExact guards the promise that a model's f32 logits are those of the
// architecture, whatever the file format and however the tokens arrive.
func TestGoldenExact(t *testing.T) {
	dir := golden(t)
	for _, c := range []struct{ model, format string }{
		{"tiny", "f32"},
		{"tiny/model-fused.safetensors", "f32"},
		{"tiny/model-f32.gguf", "f32"},
		{"tiny/model-q8_0.gguf", "q8_0"},
		{"tiny/model-q4_0.gguf", "q4_0"},
		{"small", "f32"},
		{"small/model-q8_0.gguf", "q8_0"},
		{"small/model-q4_0.gguf", "q4_0"},
		{"small/model-q4_k_m.gguf", "q4_k_m"},
		{"small/model-q6_k.gguf", "q6_k"},
	} {
		ref := loadReference(t, filepath.Join(dir, strings.SplitN(c.model, "/", 2)[0]), c.format)
		for _, w := range ways {
			for _, exact := range []bool{true, false} {
				if !exact && c.format != "f32" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/exact=%v", c.model, w.name, exact), func(t *testing.T) {
					m := loadGolden(t, filepath.Join(dir, c.model))
					got := allLogits(t, m, Options{Threads: 2, Exact: exact}, w, ref.tokens)
					var worst float64
					for i := range got {
						d := deviate(got[i], ref.logits[i], m.Config.VocabSize, 2e-3)
						worst = max(worst, d.greatest)
						if d.greatest > 1e-3 || d.flips > 0 {
							t.Errorf("sequence %d: largest error %.2g (limit 1e-3), %d wrong best tokens", ref.ids[i], d.greatest, d.flips)
						}
					}
					t.Logf("largest error %.2g", worst)
				})
			}
		}
	}
}

// TestGoldenInt8 guards that integer weights on int8 activations stay as close
// to the exact logits as a known engine does.
func TestGoldenInt8(t *testing.T) {
	dir := golden(t)
	for _, c := range []struct {
		model, format string
		rms           float64 // limit at sequence 3
	}{
		{"tiny", "q8_0", 0.077},
		{"tiny", "q4_0", 0.072},
		{"small", "q8_0", 0.099},
		{"small", "q4_0", 0.094},
		{"small", "q4_k_m", 0.101},
		{"small", "q6_k", 0.141},
	} {
		ref := loadReference(t, filepath.Join(dir, c.model), c.format)
		for _, w := range ways {
			t.Run(fmt.Sprintf("%s/%s/%s", c.model, c.format, w.name), func(t *testing.T) {
				m, err := model.Open(filepath.Join(dir, c.model, "model-"+c.format+".gguf"))
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				got := allLogits(t, m, Options{Threads: 2}, w, ref.tokens)
				third := slices.Index(ref.ids, 3)
				d := deviate(got[third], ref.logits[third], m.Config.VocabSize, 2e-3)
				if d.rms > c.rms {
					t.Errorf("root mean square error %.4f, limit %.3f", d.rms, c.rms)
				}
				t.Logf("root mean square error %.4f (limit %.3f), largest %.3f", d.rms, c.rms, d.greatest)
			})
		}
	}
}
