package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
)

// TestStoredLikeLoaded guards models that are packed straight from their file:
// their logits are those of the model in memory.
func TestStoredLikeLoaded(t *testing.T) {
	dir := golden(t)
	for _, name := range []string{"model-q8_0.gguf", "model-q4_0.gguf", "model.safetensors"} {
		path := filepath.Join(dir, "small", name)
		open, err := model.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		ids := tokens(open.VocabSize, 4, 21)
		want := allLogits(t, loadGolden(t, path), Options{Threads: 1}, ways[0], ids)
		for _, threads := range []int{1, 3} {
			if got := allLogits(t, open, Options{Threads: threads}, ways[0], ids); !slices.Equal(got[0], want[0]) {
				t.Errorf("%s: other logits when packed from the file by %d threads", name, threads)
			}
		}
	}
}

// TestBrokenFileIsAnError guards a user whose file ends early: a message, no
// engine and no panic.
func TestBrokenFileIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "model.gguf")
	whole, err := os.ReadFile(filepath.Join(golden(t), "small", "model-q8_0.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := os.Truncate(file, int64(len(whole))/2); err != nil {
		t.Fatal(err)
	}
	_, err = New(m, Options{Threads: 2})
	wantError(t, err, "packing the model: ")
}

// TestKVFormats guards the choice of the cache: what each holds and how far its
// logits are from those with f32 keys.
func TestKVFormats(t *testing.T) {
	sh := regular(inBits(8, 32))
	sh.classes = 0
	m := random(sh, 1)
	ids := tokens(sh.vocab, 2, 60)
	want := allLogits(t, m, Options{Threads: 1, KV: "f32"}, ways[0], ids)
	bytes := int64(1 << 40)
	for _, c := range []struct {
		kv    string
		limit float64
	}{{"f32", 0}, {"q16", 0.04}, {"f16", 0.04}, {"q8", 0.07}} {
		for _, w := range ways {
			got := allLogits(t, m, Options{Threads: 2, KV: c.kv}, w, ids)
			if d := deviate(got[0], want[0], sh.vocab, 1); d.rms > c.limit {
				t.Errorf("%s, %s: root mean square error %.4f, limit %.3f", c.kv, w.name, d.rms, c.limit)
			}
		}
		e := engineOf(t, m, Options{Threads: 1, KV: c.kv})
		s := e.NewSequence()
		s.Reserve(64)
		if err := e.Forward(t.Context(), []Step{{Seq: s, Tokens: ids[0]}}, 0, ignore); err != nil {
			t.Fatal(err)
		}
		if s.Bytes() >= bytes {
			t.Errorf("%s holds %d bytes, the format before held %d", c.kv, s.Bytes(), bytes)
		}
		bytes = s.Bytes()
	}
	_, err := New(m, Options{KV: "f8"})
	wantError(t, err, `keys and values as "f8": use f32, f16, q16 or q8`)
}
