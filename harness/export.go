package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

var (
	exports       = []string{"jsonl", "csv", "parquet", "gobench", "bundle"}
	sampleExports = []string{"jsonl", "csv", "parquet"}
)

// exportFlags are the flags of harness export.
type exportFlags struct {
	from        runFlags
	out, format string
	samples     bool
}

func (a *app) exportCommand() *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export",
		Short: "A stored run as tidy rows, raw samples, Go benchmarks or an evidence bundle",
		Long: `Writes a stored run:

  jsonl, csv, parquet   tidy rows, one a metric and cell; with --samples one row
                        an inference instead, of every trial with its verdict
  gobench               one line a valid trial, as benchstat and other tools for
                        Go benchmarks read them
  bundle                everything behind the figures in one archive: plan,
                        machines, raw samples, events, hashes; see harness replay`,
		Example: `  harness export > rows.jsonl
  harness export --run 20261124 --format csv --out rows.csv
  harness export --samples --format parquet --out samples.parquet
  harness export --format gobench --out new.txt && benchstat old.txt new.txt
  harness export --format bundle --out run.tar`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.export(c, f) },
	}
	f.from.add(c)
	c.Flags().StringVar(&f.format, "format", "jsonl", strings.Join(exports, ", "))
	c.Flags().StringVar(&f.out, "out", "", "file to write (default: standard output)")
	c.Flags().BoolVar(&f.samples, "samples", false, "raw samples instead of figures")
	complete(c, "format", exports...)
	return c
}

func (a *app) export(c *cobra.Command, f exportFlags) error {
	switch {
	case !slices.Contains(exports, f.format):
		return fmt.Errorf("--format %q: must be one of %s", f.format, strings.Join(exports, ", "))
	case f.samples && !slices.Contains(sampleExports, f.format):
		return fmt.Errorf("--samples with --format %s: must be one of %s; a bundle has the samples anyhow", f.format, strings.Join(sampleExports, ", "))
	}
	if f.out != "" {
		if err := writable("out", f.out); err != nil {
			return err
		}
	}
	s, err := store.OpenExisting(c.Context(), f.from.store)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // nothing was written
	write, err := f.writer(c, s)
	if err != nil {
		return err
	}
	if f.out != "" {
		return replaceFile(f.out, write)
	}
	out := bufio.NewWriter(a.out)
	if err := write(out); err != nil {
		return err
	}
	return out.Flush()
}

// writer reads what is needed before a byte is written, so that a run that is not
// there leaves no empty file.
func (f exportFlags) writer(c *cobra.Command, s *store.Store) (func(io.Writer) error, error) {
	ctx := c.Context()
	if f.samples {
		run, err := s.Run(ctx, f.from.run)
		return func(w io.Writer) error { return writeSamples(ctx, w, f.format, s, run.ID) }, err
	}
	r, rows, err := f.from.readFrom(c, s)
	return func(w io.Writer) error { return writeRun(ctx, w, f.format, s, r, rows) }, err
}

func writeRun(ctx context.Context, w io.Writer, format string, s *store.Store, r *sweep.Record, rows []stat.Row) error {
	switch format {
	case "csv":
		return writeRowsCSV(w, rows)
	case "parquet":
		return writeRowsParquet(w, rows)
	case "gobench":
		return writeBenchmarks(w, r, rows)
	case "bundle":
		return r.WriteBundle(ctx, w, s, rows)
	}
	return writeJSONLines(w, rows)
}
