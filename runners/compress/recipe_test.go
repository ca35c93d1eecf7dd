package compress

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A user who asks for a value that cannot work loses a sweep's time unless the
// answer names value, limit and what would work.
func TestValidateNamesTheNearest(t *testing.T) {
	with := func(f func(*Recipe)) Recipe {
		r := Default()
		f(&r)
		return r
	}
	tests := []struct {
		name   string
		recipe Recipe
		want   string // empty: valid
	}{
		{"default", Default(), ""},
		{"zero values mean defaults", Recipe{Bits: 4, RankRatio: 1}, ""},
		{"bits 9", with(func(r *Recipe) { r.Bits = 9 }), "bits 9: must be one of 16, 8, 6, 5, 4, 3, 2; the nearest that can: 8"},
		{"bits 1", with(func(r *Recipe) { r.Bits = 1 }), "nearest that can: 2"},
		{"bits 32", with(func(r *Recipe) { r.Bits = 32 }), "nearest that can: 16"},
		{"rank 1.2", with(func(r *Recipe) { r.RankRatio = 1.2 }), "rank-ratio 1.2: must be from 0.01 to 1 (1 = dense); the nearest that can: 1"},
		{"rank 0", with(func(r *Recipe) { r.RankRatio = 0 }), "nearest that can: 0.01"},
		{"rank NaN", with(func(r *Recipe) { r.RankRatio = math.NaN() }), "rank-ratio NaN: must be"},
		{"prune 1", with(func(r *Recipe) { r.PruneRatio = 1 }), "prune-ratio 1: must be from 0 (dense) to 0.9; the nearest that can: 0.9"},
		{"prune -0.5", with(func(r *Recipe) { r.PruneRatio = -0.5 }), "nearest that can: 0"},
		{"group 48", with(func(r *Recipe) { r.GroupSize = 48 }), "group-size 48: must be one of 32, 64, 128, 256; the nearest that can: 32"},
		{"group -1", with(func(r *Recipe) { r.GroupSize = -1 }), "nearest that can: 32"},
		{"algorithm", with(func(r *Recipe) { r.Algorithm = "gptq" }), `algorithm "gptq": must be rtn`},
		{"samples", with(func(r *Recipe) { r.CalibSamples = -3 }), "calib-samples -3: must be from 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.recipe.Validate()
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var usage *UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want a usage error with %q", err, tt.want)
			}
		})
	}
}

// Two recipes that share a key share an artefact on disk: a key too coarse
// serves the wrong weights, one too fine builds the same ones twice.
func TestKeySeparatesWhatDiffers(t *testing.T) {
	base := Recipe{Bits: 4, GroupSize: 32, RankRatio: 1, Data: "d"}
	seen := map[string]string{base.Key("p"): "base"}
	change := func(name string, f func(*Recipe), parent string) {
		r := base
		f(&r)
		k := r.Key(parent)
		if other, dup := seen[k]; dup {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[k] = name
	}
	change("parent", func(*Recipe) {}, "q")
	change("bits", func(r *Recipe) { r.Bits = 3 }, "p")
	change("group", func(r *Recipe) { r.GroupSize = 64 }, "p")
	change("rank", func(r *Recipe) { r.RankRatio = 0.5 }, "p")
	change("prune", func(r *Recipe) { r.PruneRatio = 0.25 }, "p")
	change("samples", func(r *Recipe) { r.CalibSamples = 100 }, "p")
	change("seed", func(r *Recipe) { r.Seed = 1 }, "p")
	change("data", func(r *Recipe) { r.Data = "e" }, "p")

	full := base
	full.Algorithm, full.CalibSamples = DefaultAlgorithm, DefaultCalibSamples
	if diff := cmp.Diff(base.Key("p"), full.Key("p")); diff != "" {
		t.Errorf("spelled-out defaults changed the key: %s", diff)
	}
	a, b := base, base
	a.Bits, b.Bits, b.GroupSize = 16, 16, 64
	if a.Key("p") != b.Key("p") {
		t.Error("the group size, without effect at 16 bits, changed the key")
	}
}
