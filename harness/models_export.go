package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

func (a *app) exportModelCommand() *cobra.Command {
	var e modelExport
	c := &cobra.Command{
		Use:   "export --model M --out FILE.gguf",
		Short: "Write a model as a GGUF file, for llama.cpp and its kin",
		Long: `Writes the language model and its vocabulary as a GGUF file. Matrices that
compression has rounded to integers keep them where the type has room for them;
factored ones are multiplied out. A classifier and gates have no place in the
format and stay behind; layers that pruning made unequal cannot be written.`,
		Example: `  harness models export --model service-nano --out nano.gguf
  harness models export --model ./my-model --type q4_k_m --out my-model-q4_k_m.gguf`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.exportModel(c, e) },
	}
	c.Flags().StringVar(&e.model, "model", "", "model: a built-in name, a folder or a file")
	c.Flags().StringVar(&e.out, "out", "", "file to write")
	c.Flags().StringVar(&e.kind, "type", "q8_0", "how weights are stored: "+strings.Join(model.GGUFKinds(), ", "))
	c.Flags().BoolVar(&e.overwrite, "overwrite", false, "replace a file that is there already")
	// The flags exist, so these cannot fail.
	_ = c.MarkFlagRequired("model")
	_ = c.MarkFlagRequired("out")
	complete(c, "type", model.GGUFKinds()...)
	return c
}

// modelExport is what the flags say.
type modelExport struct {
	model, out, kind string
	overwrite        bool
}

// check refuses what cannot work before the model is read.
func (e *modelExport) check() error {
	known := false
	for _, k := range model.GGUFKinds() {
		known = known || strings.EqualFold(k, e.kind)
	}
	if !known {
		return fmt.Errorf("--type %q: must be one of %s", e.kind, strings.Join(model.GGUFKinds(), ", "))
	}
	if err := writable("out", e.out); err != nil {
		return err
	}
	if _, err := os.Stat(e.out); err == nil && !e.overwrite {
		return fmt.Errorf("--out %s: is there already; name another file, or replace it with --overwrite", e.out)
	}
	return nil
}

func (a *app) exportModel(c *cobra.Command, e modelExport) (err error) {
	if err := e.check(); err != nil {
		return err
	}
	cache, err := sweep.UserCache()
	if err != nil {
		return err
	}
	path, err := sweep.FindModel(c.Context(), cache, e.model)
	if err != nil {
		return err
	}
	m, err := model.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	tok, err := tokenizer.Load(path)
	if err != nil {
		return err
	}
	words, lost := tok.GGUF()
	for _, what := range lost {
		fmt.Fprintf(a.err, "warning: the file cannot say %s: other programs may split some texts otherwise\n", what)
	}
	if m.Classifier != nil {
		fmt.Fprintf(a.err, "warning: the classifier of %d labels has no place in GGUF and is left out\n", len(m.Labels))
	}
	if len(m.Gates) > 0 {
		fmt.Fprintf(a.err, "warning: %d gates have no place in GGUF and are left out\n", len(m.Gates))
	}
	if err := model.WriteGGUF(e.out, m, words, e.kind); err != nil {
		return err
	}
	return a.printExported(e)
}

func (a *app) printExported(e modelExport) (err error) {
	m, err := model.Open(e.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	record := struct {
		Out   string  `json:"out"`
		Type  string  `json:"type"`
		Bytes int64   `json:"stored_bytes"`
		Bits  float64 `json:"bits_per_weight"`
	}{e.out, strings.ToLower(e.kind), m.StoredBytes(), 8 * float64(m.StoredBytes()) / float64(m.Params())}
	return a.emit(table{
		header: []string{"file", "type", "stored MB", "bits a weight"}, right: []int{2, 3},
		rows: [][]string{{record.Out, record.Type, megabytes(float64(record.Bytes)), fmt.Sprintf("%.2f", record.Bits)}},
	}, []any{record})
}
