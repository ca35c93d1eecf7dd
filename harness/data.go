package main

import (
	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/datasets/builtin"
	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// dataFlags name a data set; several commands have them.
type dataFlags struct{ data sweep.Data }

func (d *dataFlags) add(c *cobra.Command, spec string) {
	f := c.Flags()
	f.StringVar(&d.data.Spec, "dataset", spec, "builtin, a name of `harness datasets list`, a folder as published, or csv:PATH, tsv:PATH, jsonl:PATH")
	f.StringVar(&d.data.TextColumn, "text-column", "", "column of the texts of a table (default text)")
	f.StringVar(&d.data.LabelColumn, "label-column", "", "column of the labels of a table (default label)")
	f.StringVar(&d.data.TestFile, "test-file", "", "test split of a table, with the same columns")
	f.BoolVar(&d.data.OOS, "oos", false, "CLINC150 with its out-of-scope class: 151 classes instead of 150")
	names := []string{"builtin", "csv:", "tsv:", "jsonl:"}
	for _, e := range loader.Catalog() {
		names = append(names, e.Name)
	}
	complete(c, "dataset", names...)
}

// apply puts the flags that were given into p.
func (d *dataFlags) apply(c *cobra.Command, p *sweep.Data) {
	for _, s := range []struct {
		flag string
		set  func()
	}{
		{"dataset", func() { p.Spec = d.data.Spec }},
		{"text-column", func() { p.TextColumn = d.data.TextColumn }},
		{"label-column", func() { p.LabelColumn = d.data.LabelColumn }},
		{"test-file", func() { p.TestFile = d.data.TestFile }},
		{"oos", func() { p.OOS = d.data.OOS }},
	} {
		if c.Flags().Changed(s.flag) {
			s.set()
		}
	}
}

// load reads the data set of the flags.
func (d *dataFlags) load() (*loader.Set, error) { return loader.Load(d.data.Spec, d.data.Options()) }

func completeModel(c *cobra.Command) { complete(c, "model", builtin.Models()...) }
