package model_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/model"
)

func mustLoad(t testing.TB, path string) *model.Model {
	t.Helper()
	m, err := model.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// denseAll is every matrix of a model in float32.
func denseAll(m *model.Model) map[string][]float32 {
	all := map[string][]float32{}
	for name, w := range m.Matrices {
		all[name] = w.Dense()
	}
	return all
}

// A user who loads the public checkpoint in another file format must get the
// same model.
func TestSameModelFromEveryFile(t *testing.T) {
	want := mustLoad(t, golden(t, "tiny"))
	if want.NumLayers != 3 || want.HeadDim != 32 || want.Embed.Kind() != model.KindBF16 {
		t.Fatalf("tiny: %d layers, head_dim %d, embedding %v", want.NumLayers, want.HeadDim, want.Embed.Kind())
	}
	for _, name := range []string{"tiny/model.safetensors", "tiny/model-fused.safetensors", "tiny/model-f32.gguf"} {
		t.Run(name, func(t *testing.T) {
			got := mustLoad(t, golden(t, name))
			if d := cmp.Diff(denseAll(want), denseAll(got)); d != "" {
				t.Errorf("weights differ:\n%.2000s", d)
			}
			if d := cmp.Diff(want.Norm, got.Norm); d != "" {
				t.Errorf("final norm differs:\n%s", d)
			}
			a, b := want.Config, got.Config
			if math.Abs(a.RMSNormEps-b.RMSNormEps) < 1e-12 {
				b.RMSNormEps = a.RMSNormEps // GGUF keeps it in float32
			}
			if d := cmp.Diff(a, b); d != "" {
				t.Errorf("configuration differs:\n%s", d)
			}
		})
	}
}

// A model that was saved and loaded must be the model.
func TestSaveLoadRoundTrip(t *testing.T) {
	m := mustLoad(t, golden(t, "tiny"))
	dir := t.TempDir() + "/new"
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	got := mustLoad(t, dir)
	if d := cmp.Diff(denseAll(m), denseAll(got)); d != "" {
		t.Errorf("weights differ:\n%.2000s", d)
	}
	if d := cmp.Diff(m.Config, got.Config); d != "" {
		t.Errorf("configuration differs:\n%s", d)
	}
	if got.Meta["parent_sha256"] != m.Hash || m.Hash == "" {
		t.Errorf("parent_sha256 is %q, want %q", got.Meta["parent_sha256"], m.Hash)
	}
}
