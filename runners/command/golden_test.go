package command_test

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
func golden(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("HARNESS_SHARED")
	if dir == "" {
		at, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
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

// floats reads an F32 tensor and its width.
func floats(t *testing.T, f *model.Safetensors, name string) (values []float32, width int) {
	t.Helper()
	tensor, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	if tensor.DType != "F32" || len(tensor.Shape) != 2 {
		t.Fatalf("%s is %s of shape %v", name, tensor.DType, tensor.Shape)
	}
	values = make([]float32, len(tensor.Data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(tensor.Data[4*i:]))
	}
	return values, tensor.Shape[1]
}

// compare returns the largest and the root mean square error of logits, and how
// many rows choose another token though the right one leads by 2e-3.
func compare(got, want []float32, vocab int) (greatest, rms float64, flips int) {
	var squares float64
	for i := range want {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		greatest = max(greatest, d)
		squares += d * d
	}
	for at := 0; at < len(want); at += vocab {
		row, first := want[at:][:vocab], 0
		for i, v := range row {
			if v > row[first] {
				first = i
			}
		}
		lead, chosen := math.Inf(1), 0
		for i, v := range row {
			if i != first {
				lead = min(lead, float64(row[first]-v))
			}
			if got[at+i] > got[at+chosen] {
				chosen = i
			}
		}
		if chosen != first && lead > 2e-3 {
			flips++
		}
	}
	return greatest, math.Sqrt(squares / float64(len(want))), flips
}

// TestLogitsOfGoldenModels guards what the runner promises of every file format
// and every way to feed it: the logits of a float64 reference, within the
// tolerances published with the models.
func TestLogitsOfGoldenModels(t *testing.T) {
	dir := golden(t)
	for _, m := range []struct {
		path, format string
		rms          float64 // at sequence 3 with int8 activations; 0 = f32 arithmetic
	}{
		{"tiny", "f32", 0},
		{"tiny/model.safetensors", "f32", 0},
		{"tiny/model-fused.safetensors", "f32", 0},
		{"tiny/model-f32.gguf", "f32", 0},
		{"tiny/model-q8_0.gguf", "q8_0", 0.077},
		{"tiny/model-q4_0.gguf", "q4_0", 0.072},
		{"small", "f32", 0},
		{"small/model-q8_0.gguf", "q8_0", 0.099},
		{"small/model-q4_0.gguf", "q4_0", 0.094},
		{"small/model-q4_k_m.gguf", "q4_k_m", 0.101},
		{"small/model-q6_k.gguf", "q6_k", 0.141},
	} {
		tokens := filepath.Join(dir, strings.SplitN(m.path, "/", 2)[0], "expected.safetensors")
		want, err := model.OpenSafetensors(tokens)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { want.Close() })
		for _, way := range [][]string{nil, {"--chunk", "7"}, {"--chunk", "1"}, {"--mixed"}} {
			for _, precision := range [][]string{{"--exact"}, nil} {
				flags := slices.Concat(way, precision)
				t.Run(m.path+" "+strings.Join(flags, " "), func(t *testing.T) {
					out := filepath.Join(t.TempDir(), "out.safetensors")
					args := append([]string{"logits", "--model", filepath.Join(dir, m.path), "--tokens", tokens, "--out", out}, flags...)
					if status, stdout, stderr := run(t, args...); status != 0 || stdout+stderr != "" {
						t.Fatalf("exit status %d, printed %q and %q", status, stdout, stderr)
					}
					limit := m.rms
					if precision != nil {
						limit = 0
					}
					checkLogits(t, want, out, m.format, limit)
				})
			}
		}
	}
}

// checkLogits compares a written file with the reference logits of a format. rms
// is the limit at sequence 3 with int8 activations; 0 means f32 arithmetic.
func checkLogits(t *testing.T, want *model.Safetensors, out, format string, rms float64) {
	t.Helper()
	const exact = 1e-3
	got, err := model.OpenSafetensors(out)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if n := len(got.Names()); n != 5 {
		t.Errorf("wrote %d tensors for 5 sequences: %v", n, got.Names())
	}
	compared := 0
	for i := range 5 {
		name := fmt.Sprintf("logits.%s.%d", format, i)
		if _, ok := want.Info(name); !ok {
			continue
		}
		compared++
		w, vocab := floats(t, want, name)
		g, _ := floats(t, got, fmt.Sprintf("logits.%d", i))
		if len(g) != len(w) {
			t.Fatalf("sequence %d: %d logits, want %d", i, len(g), len(w))
		}
		greatest, spread, flips := compare(g, w, vocab)
		switch {
		case rms == 0 && (greatest > exact || flips > 0):
			t.Errorf("sequence %d: largest error %.2g, limit %g; %d wrong best tokens", i, greatest, exact, flips)
		case rms > 0 && i == 3 && spread > rms:
			t.Errorf("sequence 3: root mean square error %.4f, limit %.3f", spread, rms)
		}
	}
	if compared < 3 {
		t.Errorf("only %d sequences have reference logits", compared)
	}
}
