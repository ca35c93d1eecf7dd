package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// runFlags name a stored run.
type runFlags struct{ store, run string }

func (f *runFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.store, "store", store.Default, "database file of runs")
	c.Flags().StringVar(&f.run, "run", store.Last, "id of the run, a beginning of it, or last")
}

func (f *runFlags) read(c *cobra.Command) (*sweep.Record, []stat.Row, error) {
	s, err := store.OpenExisting(c.Context(), f.store)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	r, err := sweep.Read(c.Context(), s, f.run)
	if err != nil {
		return nil, nil, err
	}
	return r, r.Rows(), nil
}

func (a *app) reportCommand() *cobra.Command {
	var from runFlags
	var out string
	c := &cobra.Command{
		Use:   "report",
		Short: "Print a stored run's table and write its HTML report",
		Example: `  harness report
  harness report --run 20261124 --out yesterday.html`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return fmt.Errorf("--out \"\": name the HTML file to write, such as report.html")
			}
			if err := writable("out", out); err != nil {
				return err
			}
			r, rows, err := from.read(c)
			if err != nil {
				return err
			}
			if err := a.emitRun(r, rows); err != nil {
				return err
			}
			if err := writeReport(out, r, rows); err != nil {
				return err
			}
			if a.format == "table" {
				fmt.Fprintf(a.out, "\nrun %s, report %s\n", r.Run.ID, out)
			}
			return nil
		},
	}
	from.add(c)
	c.Flags().StringVar(&out, "out", "report.html", "HTML file to write")
	return c
}

var exports = []string{"jsonl", "csv"}

func (a *app) exportCommand() *cobra.Command {
	var from runFlags
	var out, form string
	c := &cobra.Command{
		Use:   "export",
		Short: "A stored run as tidy rows, one a metric and cell",
		Example: `  harness export > rows.jsonl
  harness export --run 20261124 --format csv --out rows.csv`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(exports, form) {
				return fmt.Errorf("--format %q: must be one of %s", form, strings.Join(exports, ", "))
			}
			_, rows, err := from.read(c)
			if err != nil {
				return err
			}
			if out == "" {
				return writeRows(a.out, form, rows)
			}
			if err := writable("out", out); err != nil {
				return err
			}
			return replaceFile(out, func(w io.Writer) error { return writeRows(w, form, rows) })
		},
	}
	from.add(c)
	c.Flags().StringVar(&form, "format", "jsonl", "jsonl or csv")
	c.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	complete(c, "format", exports...)
	return c
}

func writeRows(w io.Writer, form string, rows []stat.Row) error {
	if form == "csv" {
		return writeRowsCSV(w, rows)
	}
	return writeJSONLines(w, rows)
}

func writeReport(path string, r *sweep.Record, rows []stat.Row) error {
	return replaceFile(path, func(w io.Writer) error { return r.Report(w, rows) })
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, write func(io.Writer) error) error {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".harness-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(temp.Name()) // gone after the rename
	_, err = temp.Write(text.Bytes())
	for _, step := range []func() error{func() error { return temp.Chmod(0o644) }, temp.Sync, temp.Close} {
		if e := step(); err == nil {
			err = e
		}
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// writable refuses a file's place before an hour is spent.
func writable(flag, path string) error {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return fmt.Errorf("--%s %s: is a folder; name a file in it", flag, path)
	} else if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("--%s %s: is a link or a device, which would be replaced; name a plain file", flag, path)
	}
	if err := tryFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("--%s %s: its folder cannot be written: %w; name a writable place", flag, path, err)
	}
	return nil
}

// tryFolder makes a file in a folder and removes it.
func tryFolder(dir string) error {
	f, err := os.CreateTemp(dir, ".harness-*")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}
