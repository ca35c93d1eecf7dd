package builtin

import (
	"embed"
	"io/fs"
)

//go:embed all:models
var modelFiles embed.FS

// Names of the models that ship with the harness.
const (
	ServiceNano = "service-nano"  // trained on the built-in data, the default model
	ClincNano   = "clinc150-nano" // trained on CLINC150, in scope
)

// Model returns the folder of a shipped model: config.json, model.safetensors,
// tokenizer.json and its card. It is false for a name that does not ship.
func Model(name string) (fs.FS, bool) {
	dir, err := fs.Sub(modelFiles, "models/"+name)
	if err != nil {
		return nil, false
	}
	if _, err := fs.Stat(dir, "config.json"); err != nil {
		return nil, false
	}
	return dir, true
}

// Models returns the names of the models that ship, sorted.
func Models() []string {
	entries, err := modelFiles.ReadDir("models")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if _, ok := Model(e.Name()); ok {
			out = append(out, e.Name())
		}
	}
	return out
}
