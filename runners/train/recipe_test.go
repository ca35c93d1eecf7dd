package train

import (
	"strings"
	"testing"
)

// A committed recipe that does not load breaks the default command.
func TestCommittedRecipes(t *testing.T) {
	names := Recipes()
	if len(names) == 0 {
		t.Fatal("no recipes")
	}
	for _, name := range names {
		r, err := NamedRecipe(name)
		if err != nil {
			t.Error(err)
		} else if r.Name != name {
			t.Errorf("recipe file %s is named %q inside", name, r.Name)
		}
	}
	if _, err := NamedRecipe("huge"); err == nil || !strings.Contains(err.Error(), "nano") {
		t.Errorf("unknown recipe: %v", err)
	}
}

func TestRecipeErrorsNameTheLimit(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"layerz: 3", "layerz"},
		{"layers: 0", "layers: 0 is outside 1 to 64"},
		{"layers: many", "layers: many"},
		{"heads: 4\nkv_heads: 3", "kv_heads: 3 does not divide heads 4"},
		{"head_dim: 33", "such as 34"},
		{"dropout: 1.5", "dropout: 1.5 is outside 0 to 0.9"},
		{"learning_rate: .nan", "learning_rate"},
		{"epochs: 5\nlm_epochs: 5", "lm_epochs: 5 is outside 0 to 4"},
		{"batch: 0", "batch: 0"},
	} {
		if _, err := ParseRecipe([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: error %v, want one with %q", tc.text, err, tc.want)
		}
	}
	if _, err := ParseRecipe(nil); err != nil {
		t.Errorf("an empty recipe is the default: %v", err)
	}
}

func FuzzParseRecipe(f *testing.F) {
	f.Add([]byte("layers: 2"))
	f.Add([]byte("{vocab: 1e9}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := ParseRecipe(data); err == nil && r.Validate() != nil {
			t.Errorf("accepted an invalid recipe %+v", r)
		}
	})
}
