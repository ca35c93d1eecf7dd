package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/store"
)

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "The database of runs: list, tag, merge, prune, compact",
	}
	group(c)
	c.AddCommand(a.storeListCommand(), a.storeTagCommand(), a.storeMergeCommand(), a.storePruneCommand(), a.storeCompactCommand(), a.storeMigrateCommand())
	return c
}

func storeFlag(c *cobra.Command, location *string) {
	c.Flags().StringVar(location, "store", store.Default, "database of runs: a file, or postgres://USER@HOST/DATABASE")
}

// withStore opens an existing store for a command.
func withStore(ctx context.Context, location string, do func(*store.Store) error) error {
	s, err := store.OpenExisting(ctx, location)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// storedRun is a run as it is listed.
type storedRun struct {
	Run     string      `json:"run"`
	Started time.Time   `json:"started"`
	State   store.State `json:"state"`
	Model   string      `json:"model"`
	Dataset string      `json:"dataset"`
	Commit  string      `json:"commit"`
	Tags    []string    `json:"tags"`
}

func (a *app) storeListCommand() *cobra.Command {
	var location string
	c := &cobra.Command{
		Use: "list", Short: "The runs of a store, oldest first, with their tags", Args: cobra.NoArgs,
		Example: "  harness store list\n  harness store list --store postgres://lab@db/harness -o jsonl",
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c.Context(), location, func(s *store.Store) error { return a.listRuns(c.Context(), s) })
		},
	}
	storeFlag(c, &location)
	return c
}

func (a *app) listRuns(ctx context.Context, s *store.Store) error {
	runs, err := s.Runs(ctx)
	if err != nil {
		return err
	}
	tags, err := s.Tags(ctx)
	if err != nil {
		return err
	}
	t := table{header: []string{"run", "started", "state", "model", "dataset", "tags"}}
	var records []any
	for _, r := range runs {
		x := storedRun{r.ID, r.Started, r.State, r.Model, r.Dataset, r.Commit, []string{}}
		for _, tag := range tags {
			if tag.Run == r.ID {
				x.Tags = append(x.Tags, tag.Name)
			}
		}
		records = append(records, x)
		t.rows = append(t.rows, []string{r.ID, r.Started.Format("2006-01-02 15:04:05"), string(r.State), r.Model, r.Dataset, strings.Join(x.Tags, " ")})
	}
	return a.emit(t, records)
}

func (a *app) storeTagCommand() *cobra.Command {
	var location string
	var move, remove bool
	c := &cobra.Command{
		Use: "tag RUN NAME", Short: "Name a run, such as the baseline of a gate; prune can keep what has a name",
		Example: "  harness store tag last release-1.4\n  harness store tag 20261124 main --move\n  harness store tag --remove release-1.3",
		Args: func(c *cobra.Command, args []string) error {
			if remove {
				return cobra.ExactArgs(1)(c, args)
			}
			return cobra.ExactArgs(2)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			return withStore(c.Context(), location, func(s *store.Store) error {
				if remove {
					return s.RemoveTag(c.Context(), args[0])
				}
				id, err := s.SetTag(c.Context(), args[0], args[1], move)
				if err == nil && !a.quiet {
					fmt.Fprintf(a.out, "%s names run %s\n", args[1], id)
				}
				return err
			})
		},
	}
	storeFlag(c, &location)
	c.Flags().BoolVar(&move, "move", false, "take the name away from another run")
	c.Flags().BoolVar(&remove, "remove", false, "remove the name given instead")
	return c
}

func (a *app) storeMergeCommand() *cobra.Command {
	var location string
	c := &cobra.Command{
		Use: "merge FROM", Short: "Copy the runs of another store into this one",
		Long: `Copies the runs of the store FROM, and what runs have that are in both, into
--store. It may be repeated: what is there already is left alone. A run of which
the two stores say different things is refused with what differs, and left as it
is; the others are merged. A run that is still being measured is left out.`,
		Example: "  harness store merge harness.db --store postgres://lab@db/harness\n  harness store merge laptop.db --store lab.db",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			from, err := store.OpenExisting(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer from.Close() //nolint:errcheck // nothing was written
			to, err := store.Open(c.Context(), location)
			if err != nil {
				return err
			}
			merged, err := store.Merge(c.Context(), from, to)
			return errors.Join(a.emitMerged(merged, err), to.Close())
		},
	}
	storeFlag(c, &location)
	return c
}

func (a *app) emitMerged(merged []store.Merged, err error) error {
	t := table{header: []string{"run", "merged", "trials"}, right: []int{2}}
	var records []any
	refused := 0
	for _, m := range merged {
		what := "nothing new"
		switch {
		case m.Err != nil:
			refused++
			what = "refused: " + m.Err.Error()
		case m.Skipped != "":
			what = "left out: " + m.Skipped
		case m.New:
			what = "new"
		case m.Trials > 0:
			what = "went on"
		}
		t.rows = append(t.rows, []string{m.Run, what, strconv.Itoa(m.Trials)})
		records = append(records, struct {
			Run    string `json:"run"`
			Merged string `json:"merged"`
			Trials int    `json:"trials"`
		}{m.Run, what, m.Trials})
	}
	if len(merged) > 0 {
		if e := a.emit(t, records); e != nil {
			return e
		}
	}
	if refused > 0 {
		err = errors.Join(fmt.Errorf("%s refused; nothing of them was changed", counted(refused, "run")), err)
	}
	return err
}

func (a *app) storePruneCommand() *cobra.Command {
	var location, age string
	var keep store.Retention
	var dryRun, compact bool
	c := &cobra.Command{
		Use: "prune --keep AGE", Short: "Remove old runs",
		Long: `Removes whole runs that nothing was stored of for longer than --keep. Tagged ones
stay unless --keep-tagged=false, those of a nightly's history among them; a run
that is being measured always stays. A run once removed is not brought back by a
merge. The file does not shrink before harness store compact, or with --compact.`,
		Example: "  harness store prune --keep 90d --dry-run\n  harness store prune --keep 26w --keep-last 10 --compact",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := days(age)
			if err != nil {
				return fmt.Errorf("--keep %q: %w", age, err)
			}
			if keep.Last < 0 {
				return fmt.Errorf("--keep-last %d: must be 0 or more", keep.Last)
			}
			keep.Before = time.Now().Add(-d)
			return withStore(c.Context(), location, func(s *store.Store) error {
				gone, err := s.Prune(c.Context(), keep, dryRun)
				if e := a.emitPruned(gone, dryRun); err == nil {
					err = e
				}
				if err == nil && compact && !dryRun && len(gone) > 0 {
					err = a.compact(c.Context(), s)
				}
				return err
			})
		},
	}
	storeFlag(c, &location)
	c.Flags().StringVar(&age, "keep", "", "age up to which runs stay, such as 90d, 12w or 36h (required)")
	c.Flags().IntVar(&keep.Last, "keep-last", 0, "so many of the newest runs stay whatever their age")
	c.Flags().BoolVar(&keep.Tagged, "keep-tagged", true, "runs with a tag stay")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be removed")
	c.Flags().BoolVar(&compact, "compact", false, "give the room back afterwards")
	if err := c.MarkFlagRequired("keep"); err != nil {
		panic(err) // the flag is above
	}
	return c
}

func (a *app) emitPruned(gone []store.Pruned, dryRun bool) error {
	t := table{header: []string{"run", "last changed", "trials", "samples", "MB", "tags"}, right: []int{2, 3, 4}}
	var records []any
	for _, p := range gone {
		t.rows = append(t.rows, []string{
			p.Run.ID, p.Changed.Format("2006-01-02 15:04:05"), strconv.Itoa(p.Trials), strconv.FormatInt(p.Samples, 10), megabytes(float64(p.Bytes)), strings.Join(p.Tags, " "),
		})
		records = append(records, struct {
			Run     string    `json:"run"`
			Changed time.Time `json:"changed"`
			Trials  int       `json:"trials"`
			Samples int64     `json:"samples"`
			Bytes   int64     `json:"bytes"`
		}{p.Run.ID, p.Changed, p.Trials, p.Samples, p.Bytes})
	}
	if len(gone) > 0 || a.format != "table" {
		if err := a.emit(t, records); err != nil {
			return err
		}
	}
	if a.format == "table" && !a.quiet {
		verb := "removed"
		if dryRun {
			verb = "would be removed"
		}
		fmt.Fprintf(a.out, "%s %s\n", counted(len(gone), "run"), verb)
	}
	return nil
}

func (a *app) storeCompactCommand() *cobra.Command {
	var location string
	c := &cobra.Command{
		Use: "compact", Short: "Give the room of removed runs back", Args: cobra.NoArgs,
		Example: "  harness store compact",
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c.Context(), location, func(s *store.Store) error { return a.compact(c.Context(), s) })
		},
	}
	storeFlag(c, &location)
	return c
}

func (a *app) compact(ctx context.Context, s *store.Store) error {
	before, err := s.SizeBytes(ctx)
	if err != nil {
		return err
	}
	if err := s.Compact(ctx); err != nil {
		return err
	}
	after, err := s.SizeBytes(ctx)
	if err == nil && !a.quiet {
		fmt.Fprintf(a.err, "%s: %s MB, was %s MB\n", s.Name(), megabytes(float64(after)), megabytes(float64(before)))
	}
	return err
}

func (a *app) storeMigrateCommand() *cobra.Command {
	var location string
	var to int
	c := &cobra.Command{
		Use: "migrate --to VERSION", Short: "Bring the schema to a version, such as for an older harness", Args: cobra.NoArgs,
		Long: `Every command brings an older store up to date by itself. This one also takes
versions back, for a harness that refuses a store of a newer one: it names the
version that it can read. What only the newer version can say (such as tags) is
lost; samples are not.`,
		Example: "  harness store migrate --to 2",
		RunE: func(c *cobra.Command, _ []string) error {
			if to < 1 {
				return fmt.Errorf("--to %d: the first version is 1", to)
			}
			if err := withStore(c.Context(), location, func(*store.Store) error { return nil }); err != nil {
				return err
			}
			return store.Migrate(c.Context(), location, to)
		},
	}
	storeFlag(c, &location)
	c.Flags().IntVar(&to, "to", 0, "version of the schema (required)")
	if err := c.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag is above
	}
	return c
}

// days reads a duration that may be in days or weeks.
func days(text string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			n, err := strconv.ParseUint(number, 10, 16)
			if err != nil {
				return 0, errors.New("must be a whole number of days or weeks, such as 90d or 12w")
			}
			return time.Duration(n) * unit, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New("must be an age such as 90d, 12w or 36h")
	}
	return d, nil
}
