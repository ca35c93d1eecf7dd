//go:build unfinished

package sweep

import "io/fs"

func builtinModel(string) (fs.FS, bool) { return nil, false }

func builtinModels() []string { return nil }
