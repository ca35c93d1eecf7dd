package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/datasets/builtin"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/train"
)

func (a *app) modelsCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "models", Short: "Models: list, inspect, export"})
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "The models that ship with the harness", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error { return a.listModels(c) },
		},
		&cobra.Command{
			Use: "inspect MODEL", Short: "Shape, size, classes and history of a model", Args: cobra.ExactArgs(1),
			ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return builtin.Models(), cobra.ShellCompDirectiveDefault
			},
			RunE: func(c *cobra.Command, args []string) error { return a.inspectModel(c, args[0]) },
		},
		a.exportModelCommand(),
	)
	return c
}

// modelRecord describes a model's files.
type modelRecord struct {
	Name      string            `json:"name"`
	Path      string            `json:"path"`
	Hash      string            `json:"sha256"`
	Type      string            `json:"model_type"`
	Layers    int               `json:"layers"`
	Hidden    int               `json:"hidden"`
	Heads     int               `json:"heads"`
	KVHeads   int               `json:"kv_heads"`
	HeadDim   int               `json:"head_dim"`
	FFN       int               `json:"ffn"`
	Vocab     int               `json:"vocab"`
	Positions int               `json:"max_positions"`
	Params    int64             `json:"params"`
	Bytes     int64             `json:"stored_bytes"`
	Classes   int               `json:"classes"`
	Gates     int               `json:"gates"`
	Dataset   string            `json:"dataset"` // that it was trained on; empty = it does not say
	Labels    []string          `json:"labels"`
	Meta      map[string]string `json:"meta"`
}

func readModel(c *cobra.Command, name string) (modelRecord, error) {
	cache, err := sweep.UserCache()
	if err != nil {
		return modelRecord{}, err
	}
	path, err := sweep.FindModel(c.Context(), cache, name)
	if err != nil {
		return modelRecord{}, err
	}
	m, err := model.Load(path)
	if err != nil {
		return modelRecord{}, err
	}
	return modelRecord{
		name, path, m.Hash, m.ModelType, m.NumLayers, m.HiddenSize, m.NumHeads, m.NumKVHeads, m.HeadDim, m.IntermediateSize,
		m.VocabSize, m.MaxPositions, m.Params(), m.StoredBytes(), len(m.Labels), len(m.Gates), train.DatasetOf(m), m.Labels, m.Meta,
	}, nil
}

func (a *app) listModels(c *cobra.Command) error {
	t := table{header: []string{"name", "parameters", "MB", "classes", "trained on"}, right: []int{1, 2, 3}}
	var records []any
	for _, name := range builtin.Models() {
		r, err := readModel(c, name)
		if err != nil {
			return err
		}
		t.rows = append(t.rows, []string{r.Name, strconv.FormatInt(r.Params, 10), megabytes(float64(r.Bytes)), strconv.Itoa(r.Classes), r.Dataset})
		records = append(records, r)
	}
	return a.emit(t, records)
}

func (a *app) inspectModel(c *cobra.Command, name string) error {
	r, err := readModel(c, name)
	if err != nil {
		return err
	}
	t := table{header: []string{"key", "value"}}
	for _, line := range []struct {
		key   string
		value any
	}{
		{"path", r.Path},
		{"sha256", r.Hash},
		{"architecture", r.Type},
		{"layers", r.Layers},
		{"hidden", r.Hidden},
		{"query / key-value heads", fmt.Sprintf("%d / %d of %d", r.Heads, r.KVHeads, r.HeadDim)},
		{"ffn", r.FFN},
		{"vocabulary", r.Vocab},
		{"positions", r.Positions},
		{"parameters", r.Params},
		{"stored MB", megabytes(float64(r.Bytes))},
		{"classes", r.Classes},
		{"gates", r.Gates},
		{"trained on", r.Dataset},
		{"labels", brief(r.Labels, 6)},
	} {
		t.rows = append(t.rows, []string{line.key, fmt.Sprint(line.value)})
	}
	return a.emit(t, []any{r})
}

// brief lists the first names and how many more there are.
func brief(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}
