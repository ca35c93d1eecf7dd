package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/lab"
	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// priorities by name.
var priorities = map[string]int{"urgent": queue.Urgent, "high": queue.High, "normal": queue.Normal, "low": queue.Low}

func (a *app) labSubmitCommand(f *labFlags) *cobra.Command {
	var boards []string
	var title, priority string
	var watch bool
	c := &cobra.Command{
		Use: "submit PLAN", Short: "Submit a sweep to the lab", Args: cobra.ExactArgs(1),
		Long: `PLAN is a recipe file as harness sweep --recipe takes it. --target names boards of
the lab (harness lab status). Model and data are looked at here and named by their
hashes; the controllers must find the same under the same names. Files are taken
only from below the folder that the lab's operator named. The results are the
lab's until harness lab fetch makes a run of them.`,
		Example: "  harness lab submit plan.yaml --target pi5,nano1\n  harness lab submit plan.yaml --target pi5 --priority low --watch",
		RunE: func(c *cobra.Command, args []string) error {
			rank, ok := priorities[priority]
			if !ok {
				return fmt.Errorf("--priority %q: must be urgent, high, normal or low", priority)
			}
			plan, err := labPlan(args[0], boards)
			if err != nil {
				return err
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			cache, err := sweep.UserCache()
			if err != nil {
				return err
			}
			if _, err := sweep.Prepare(c.Context(), cache, &plan); err != nil {
				return err
			}
			if title == "" {
				title = plan.Model + " on " + plan.Data.Spec
			}
			s, err := client.Submit(c.Context(), lab.Submission{ID: queue.NewSweepID(), Title: title, Priority: rank, Plan: plan})
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, s.ID)
			if watch {
				return a.watch(c.Context(), client, s.ID)
			}
			a.say("%d trials; follow them with harness lab watch %s", s.Total, s.ID)
			return nil
		},
	}
	c.Flags().StringSliceVar(&boards, "target", nil, "boards of the lab to measure on (default those of the plan)")
	c.Flags().StringVar(&title, "title", "", "what others see it by (default model and data set)")
	c.Flags().StringVar(&priority, "priority", "normal", "urgent (admins), high, normal or low")
	c.Flags().BoolVar(&watch, "watch", false, "follow it until it is over")
	complete(c, "priority", "urgent", "high", "normal", "low")
	return c
}

// labPlan reads a recipe for boards of a lab, of which this machine knows no more
// than the names.
func labPlan(path string, boards []string) (sweep.Plan, error) {
	file, err := readRecipeFile(path)
	if err != nil {
		return sweep.Plan{}, errors.New(strings.Replace(err.Error(), "--recipe", "PLAN", 1))
	}
	p := sweep.Default()
	if file.hasAxes() {
		p = sweep.Reference()
	}
	file.apply(&p)
	if p.Targets = file.Target; len(boards) > 0 {
		p.Targets = boards
	}
	if len(p.Targets) == 0 {
		return p, errors.New("name boards of the lab with --target or the plan's target: harness lab status lists them")
	}
	for _, name := range p.Targets {
		if name == sweep.Local {
			return p, errors.New("--target local: every machine is local to itself; name the board as harness lab status does")
		}
	}
	p.Cores = nil
	if file.Threads == nil {
		p.Threads = nil
	}
	return p, p.Validate()
}

func (a *app) labFetchCommand(f *labFlags) *cobra.Command {
	var location, report string
	c := &cobra.Command{
		Use: "fetch SWEEP", Short: "Make a run of a sweep's results, here", Args: cobra.ExactArgs(1),
		Long: `Stores the trials of a sweep that is done as a run of its own, evaluates the
quality of its artefacts on this machine, and prints the table and report of
harness sweep.`,
		Example: "  harness lab fetch 3f2a9c0d1e4b5a697788\n  harness lab fetch 3f2a9c0d1e4b5a697788 --store postgres://harness@db/harness",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			if report != "" {
				if err := writable("report", report); err != nil {
					return err
				}
			}
			s, err := store.Open(c.Context(), location)
			if err != nil {
				return err
			}
			defer s.Close()
			cache, err := sweep.UserCache()
			if err != nil {
				return err
			}
			launch, err := sweep.Self()
			if err != nil {
				return err
			}
			bar := a.progress()
			stop, ctx, release := interrupts(c.Context(), bar)
			defer release()
			id, err := lab.Fetch(ctx, client, args[0], "harness "+strings.Join(a.args, " "), sweep.Options{
				Store: s, Cache: cache, Launch: launch, Progress: bar, Stop: stop, Command: "harness " + strings.Join(a.args, " "),
			})
			bar.Close()
			if err != nil {
				return err
			}
			_, err = a.show(ctx, s, id, &sweepFlags{store: location, report: report})
			return err
		},
	}
	c.Flags().StringVar(&location, "store", store.Default, "database of runs")
	c.Flags().StringVar(&report, "report", "report.html", "HTML report to write, \"\" for none")
	return c
}
