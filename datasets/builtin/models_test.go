package builtin

import (
	"io/fs"
	"testing"
)

// A model that ships is complete, with the card its licence asks for.
func TestShippedModelsAreComplete(t *testing.T) {
	for _, name := range Models() {
		dir, ok := Model(name)
		if !ok {
			t.Errorf("%s is listed and not there", name)
			continue
		}
		for _, file := range []string{"config.json", "model.safetensors", "tokenizer.json", "README.md"} {
			if info, err := fs.Stat(dir, file); err != nil || info.Size() == 0 {
				t.Errorf("%s: %s is missing or empty (%v)", name, file, err)
			}
		}
	}
}

func TestUnknownModelIsNoModel(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../grammar", "/etc", "no-such", "README.md", ClincNano + "/config.json"} {
		if _, ok := Model(name); ok {
			t.Errorf("%q is taken for a shipped model", name)
		}
	}
}
