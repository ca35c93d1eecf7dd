package model_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/runners/model"
)

// writeGGUF exports a model with a made-up vocabulary and returns the file.
func writeGGUF(t *testing.T, m *model.Model, kind string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := model.WriteGGUF(path, m, model.MadeUp(m.VocabSize), kind); err != nil {
		t.Fatal(err)
	}
	return path
}

// distance is the root mean square difference of all matrices, relative to
// want's values.
func distance(got, want map[string][]float32) float64 {
	var diff, sum float64
	for name, w := range want {
		for i, v := range w {
			d := float64(got[name][i] - v)
			diff += d * d
			sum += float64(v) * float64(v)
		}
	}
	return math.Sqrt(diff / sum)
}

// An exported model must be the model, within the error of the type asked for,
// and no further from it than what llama.cpp makes of the same weights.
func TestWriteGGUF(t *testing.T) {
	m := mustLoad(t, golden(t, "small"))
	want := denseAll(m)
	for _, c := range []struct {
		kind string
		rms  float64
		like string // llama.cpp's file of the same kind
	}{
		{"f32", 0, ""},
		{"bf16", 0, ""},
		{"f16", 1e-4, ""},
		{"Q8_0", .0058, "small/model-q8_0.gguf"},
		{"q4_0", .085, "small/model-q4_0.gguf"},
		{"q4_k", .075, ""},
		{"q4_k_m", .075, "small/model-q4_k_m.gguf"},
		{"q6_k", .018, "small/model-q6_k.gguf"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			got := mustLoad(t, writeGGUF(t, m, c.kind))
			e := distance(denseAll(got), want)
			if e > c.rms {
				t.Errorf("it is off by %.4f of its size, allowed %.4f", e, c.rms)
			}
			if c.like != "" {
				theirs := distance(denseAll(mustLoad(t, golden(t, c.like))), want)
				t.Logf("off by %.5f, llama.cpp's by %.5f", e, theirs)
				if e > 1.01*theirs {
					t.Errorf("it is off by %.5f, llama.cpp's by %.5f", e, theirs)
				}
			}
			a, b := m.Config, got.Config
			b.RMSNormEps, b.PAD = a.RMSNormEps, a.PAD // kept in float32; not kept
			if d := cmp.Diff(a, b, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("configuration differs:\n%s", d)
			}
			if d := cmp.Diff(m.Layers[1].MLPNorm, got.Layers[1].MLPNorm); d != "" {
				t.Errorf("gains differ:\n%s", d)
			}
		})
	}
}

// A file that is exported in the type it has must keep its blocks, bit for bit,
// whether it was loaded or only opened.
func TestWriteGGUFKeepsBlocks(t *testing.T) {
	for _, kind := range []string{"q8_0", "q4_0", "q4_k_m", "q6_k"} {
		t.Run(kind, func(t *testing.T) {
			source := golden(t, "small/model-"+kind+".gguf")
			want := tensors(t, source)
			opened, err := model.Open(source)
			if err != nil {
				t.Fatal(err)
			}
			defer opened.Close()
			models := map[string]*model.Model{"opened": opened}
			if kind == "q8_0" || kind == "q4_0" {
				models["loaded"] = mustLoad(t, source)
			}
			for name, m := range models {
				got := tensors(t, writeGGUF(t, m, kind))
				if len(got) != len(want) {
					t.Errorf("%s: %d tensors, want %d", name, len(got), len(want))
				}
				for tensor, b := range want {
					if !bytes.Equal(got[tensor], b) {
						t.Errorf("%s: tensor %s differs", name, tensor)
					}
				}
			}
		})
	}
}

// tensors is every tensor of a GGUF file by name.
func tensors(t *testing.T, path string) map[string][]byte {
	t.Helper()
	g, err := model.OpenGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	all, err := g.TensorBytes()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Integers that a compressed model has already been fitted to are not rounded
// again where the file's type has room for them; factors are multiplied out.
func TestWriteGGUFOfCompressed(t *testing.T) {
	m := mustLoad(t, golden(t, "small")).Clone()
	r := newMaker()
	l := &m.Layers[0]
	l.Q = r.ints(l.Q.Rows, l.Q.Cols, 4, 64)
	l.O = r.ints(l.O.Rows, l.O.Cols, 8, 32)
	l.Gate = r.ints(l.Gate.Rows, l.Gate.Cols, 6, 128)
	l.Up = r.factored(l.Up.Rows, l.Up.Cols, 8)
	l.Down = r.ints(l.Down.Rows, l.Down.Cols, 3, 32)
	for _, c := range []struct {
		kind  string
		exact []*model.Matrix
	}{
		{"q8_0", []*model.Matrix{l.Q, l.O, l.Gate, l.Down}},
		{"q4_0", []*model.Matrix{l.Q, l.Down}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			got := mustLoad(t, writeGGUF(t, m, c.kind)).Layers[0]
			for i, pair := range [][2]*model.Matrix{{l.Q, got.Q}, {l.O, got.O}, {l.Gate, got.Gate}, {l.Down, got.Down}, {l.Up, got.Up}} {
				w := map[string][]float32{"": pair[0].Dense()}
				e := distance(map[string][]float32{"": pair[1].Dense()}, w)
				allowed := .1
				for _, x := range c.exact {
					if x == pair[0] {
						allowed = 0
					}
				}
				if e > allowed {
					t.Errorf("matrix %d is off by %g, allowed %g", i, e, allowed)
				}
			}
		})
	}
}

// A model that the format cannot hold, or a mistyped kind, must be refused
// before anything is written.
func TestWriteGGUFRefuses(t *testing.T) {
	m := mustLoad(t, golden(t, "tiny"))
	pruned := m.Clone()
	pruned.Layers[1] = model.Layer{AttnNorm: m.Layers[1].AttnNorm, Heads: 4, KVHeads: 2, Q: m.Layers[1].Q, K: m.Layers[1].K, V: m.Layers[1].V, O: m.Layers[1].O}
	bad := m.Clone()
	bad.Norm = append([]float32{float32(math.NaN())}, m.Norm[1:]...)
	missing := filepath.Join(t.TempDir(), "no", "m.gguf")
	for _, c := range []struct {
		name        string
		m           *model.Model
		vocabulary  int
		kind, path  string
		want        string
		unsupported bool
	}{
		{"kind", m, 512, "q5_9", "", `kind "q5_9" is not one of bf16, f16, f32, q4_0`, false},
		{"pruned", pruned, 512, "q8_0", "", "layer 1 has lost a block", true},
		{"vocabulary", m, 600, "q8_0", "", "the vocabulary has 600 pieces, the model 512", false},
		{"not a number", bad, 512, "q8_0", "", "output_norm.weight: holds a value that is not finite", false},
		{"no folder", m, 512, "q8_0", missing, "its folder is not there, make it first", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := c.path
			if path == "" {
				path = filepath.Join(dir, "m.gguf")
			}
			err := model.WriteGGUF(path, c.m, model.MadeUp(c.vocabulary), c.kind)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %v, want one with %q and the path", err, c.want)
			}
			if errors.Is(err, model.ErrUnsupported) != c.unsupported {
				t.Errorf("unsupported is %v for %v", !c.unsupported, err)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("it left %v behind", left)
			}
		})
	}
}

// Measurements are repeated on other days and machines: the same shape and seed
// must give the same file, another seed another one.
func TestRandomIsReproducible(t *testing.T) {
	file := func(seed uint64) []byte {
		m, err := model.Random("nano", seed)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(writeGGUF(t, m, "q4_k_m"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a := file(1)
	if !bytes.Equal(a, file(1)) {
		t.Error("two files of one seed differ")
	}
	if bytes.Equal(a, file(2)) {
		t.Error("another seed gives the same file")
	}
}

// The shape that rivals are measured on is that of the public checkpoint.
func TestRandomShapes(t *testing.T) {
	for _, name := range model.Shapes() {
		m, err := model.Random(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "ernie-0.3b" && m.Params() != 360748032 {
			t.Errorf("%s has %d parameters", name, m.Params())
		}
	}
	if _, err := model.Random("ernie-9b", 1); err == nil || !strings.Contains(err.Error(), "ernie-0.1b, ernie-0.3b, nano") {
		t.Errorf("an unknown shape: error %v", err)
	}
}
