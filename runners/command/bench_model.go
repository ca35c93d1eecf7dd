package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// shapeSeed is that of the random models. Files in the cache name it: another
// one makes other files.
const shapeSeed = 1

// paths are the files of the models to run, made first where a shape is asked
// for.
func (j *benchJob) paths(ctx context.Context, log io.Writer) ([]string, error) {
	if len(j.models.values) > 0 {
		return j.models.values, nil
	}
	var out []string
	for _, shape := range j.shapes.values {
		for _, kind := range j.kinds.values {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			path := j.write
			if path == "" {
				dir, err := os.UserCacheDir()
				if err != nil {
					dir = os.TempDir()
				}
				path = filepath.Join(dir, "harness", "shapes", fmt.Sprintf("%s-%s-%d.gguf", shape, strings.ToLower(kind), shapeSeed))
				if _, err := os.Stat(path); err == nil {
					out = append(out, path)
					continue
				}
			}
			fmt.Fprintf(log, "bench: making %s\n", path)
			if err := writeShape(path, shape, kind); err != nil {
				return nil, err
			}
			out = append(out, path)
		}
	}
	return out, nil
}

// writeShape writes a random model with a made-up vocabulary that llama.cpp
// loads.
func writeShape(path, shape, kind string) error {
	m, err := model.Random(shape, shapeSeed)
	if err != nil {
		return wire.Wrap(wire.Harness, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return wire.Wrap(wire.Target, fmt.Errorf("making a model: %w", err))
	}
	if err := model.WriteGGUF(path, m, model.MadeUp(m.VocabSize), kind); err != nil {
		return wire.Wrap(wire.Target, fmt.Errorf("making a model: %w", err))
	}
	return nil
}

// fileTypes are llama.cpp's numbers for how most matrices of a file are stored
// (llama_ftype).
var fileTypes = map[int64]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1",
	14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16",
}

// storage names how the model at path is stored, else says how many bits a
// weight has.
func storage(path string, params, bytes int64) string {
	if g, err := model.OpenGGUF(path); err == nil {
		defer g.Close()
		if n, ok := g.Int("general.file_type"); ok && fileTypes[n] != "" {
			return fileTypes[n]
		}
	}
	return fmt.Sprintf("%.2f bpw", 8*float64(bytes)/float64(max(params, 1)))
}

// size is a number of parameters as people say it.
func size(params int64) string {
	if params < 1e9 {
		return fmt.Sprintf("%.2f M", float64(params)/1e6)
	}
	return fmt.Sprintf("%.2f B", float64(params)/1e9)
}
