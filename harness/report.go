package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// runFlags name a stored run.
type runFlags struct{ store, run string }

func (f *runFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.store, "store", store.Default, "database of runs: a file, or postgres://USER@HOST/DATABASE")
	c.Flags().StringVar(&f.run, "run", store.Last, "id of the run, a beginning of it, its tag, or last")
}

func (f *runFlags) read(c *cobra.Command) (*sweep.Record, []stat.Row, error) {
	s, err := store.OpenExisting(c.Context(), f.store)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close() //nolint:errcheck // nothing was written
	return f.readFrom(c, s)
}

func (f *runFlags) readFrom(c *cobra.Command, s *store.Store) (*sweep.Record, []stat.Row, error) {
	r, err := sweep.Skim(c.Context(), s, f.run)
	if err != nil {
		return nil, nil, err
	}
	return r, r.Searched(), nil
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

func writeReport(path string, r *sweep.Record, rows []stat.Row) error {
	return replaceFile(path, func(w io.Writer) error { return r.Report(w, rows) })
}

// replaceFile writes a file whole or not at all. What is written may be larger than
// memory.
func replaceFile(path string, write func(io.Writer) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".harness-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(temp.Name()) // gone after the rename
	out := bufio.NewWriterSize(temp, 1<<16)
	err = write(out)
	for _, step := range []func() error{out.Flush, func() error { return temp.Chmod(0o644) }, temp.Sync, temp.Close} {
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
