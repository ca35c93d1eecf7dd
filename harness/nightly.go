package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

func (a *app) nightlyCommand() *cobra.Command {
	var schedule string
	var check bool
	c := &cobra.Command{
		Use:   "nightly PLAN.yaml",
		Short: "Sweep, gate, report and notify: once, or on a schedule",
		Long: `Carries out a plan: sweeps its cells, compares them with the baseline, writes the report,
the history page and files for CI, tells whom the plan names, and tags the run. The keys
of a plan are in docs/nightly.md.

Secrets come from the environment only: HARNESS_WEBHOOK, HARNESS_SMTP_USER,
HARNESS_SMTP_PASSWORD.

With --schedule it stays and starts a night whenever one is due; a night that fails does
not end it. An interrupt finishes the running trial and saves; once, the exit status is the
gate's.`,
		Example: `  harness nightly plan.yaml
  harness nightly plan.yaml --check
  harness nightly plan.yaml --schedule "0 2 * * *"`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := readPlan(args[0])
			if err != nil {
				return err
			}
			switch {
			case check && schedule != "":
				return errors.New("--check reads the plan and ends; leave out --schedule")
			case check:
				fmt.Fprintf(a.out, "%s: in order; baseline %s, store %s\n", args[0], p.Gate.Baseline, p.Store)
				return nil
			case schedule == "":
				return a.night(c.Context(), p)
			}
			s, err := gate.ParseSchedule(schedule)
			if err != nil {
				return fmt.Errorf("--schedule: %w", err)
			}
			return a.nights(c.Context(), args[0], s)
		},
	}
	c.Flags().StringVar(&schedule, "schedule", "", "stay, and start a night at these times of this machine: minute hour day month weekday")
	c.Flags().BoolVar(&check, "check", false, "read the plan, say whether it is in order, and end")
	return c
}

// readPlan reads a plan and the sweep's part of it.
func readPlan(path string) (gate.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return gate.Plan{}, fmt.Errorf("plan: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 2<<20))
	if err != nil {
		return gate.Plan{}, fmt.Errorf("plan %s: %w", path, err)
	}
	p, err := gate.ParsePlan(text)
	if err != nil {
		return p, fmt.Errorf("plan %s: %w", path, err)
	}
	recipe, done, err := recipeOf(p)
	if err != nil {
		return p, fmt.Errorf("plan %s: %w", path, err)
	}
	defer done()
	if recipe != "" {
		if _, err := readRecipeFile(recipe); err != nil {
			return p, fmt.Errorf("plan %s: sweep: %w", path, err)
		}
	}
	return p, nil
}

// recipeOf writes the sweep's part to a file that done removes; "" where there is none.
func recipeOf(p gate.Plan) (path string, done func(), err error) {
	text, err := p.Recipe()
	if err != nil || text == nil {
		return "", func() {}, err
	}
	dir, err := os.MkdirTemp("", "harness-nightly-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "sweep.yaml")
	return path, func() { os.RemoveAll(dir) }, os.WriteFile(path, text, 0o600)
}

// nights starts a night whenever one is due. The plan is read anew every time, so that
// an edited one counts.
func (a *app) nights(ctx context.Context, path string, s gate.Schedule) error {
	ctx, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer release()
	for {
		due := s.Next(time.Now())
		fmt.Fprintf(a.err, "the next night is due at %s\n", due.Format(time.RFC3339))
		if !waitUntil(ctx, due) {
			return nil // a service that is told to end has ended well
		}
		p, err := readPlan(path)
		if err == nil {
			// The sweep hears the signal itself, and finishes its trial.
			err = a.night(context.WithoutCancel(ctx), p)
		}
		var code exitCode
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &code):
			fmt.Fprintf(a.err, "the night ended with status %d\n", int(code))
		case err != nil:
			fmt.Fprintln(a.err, note(store.Fault, err.Error()))
		}
	}
}

// waitUntil waits by the time of day, which a machine that slept has moved on; false
// if ctx ends before.
func waitUntil(ctx context.Context, due time.Time) bool {
	for {
		left := time.Until(due.Round(0))
		if left <= 0 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(min(left, time.Minute)):
		}
	}
}

// night carries out a plan and tells of it, also of what failed.
func (a *app) night(ctx context.Context, p gate.Plan) error {
	r, message, err := a.nightly(ctx, p)
	if err != nil && ctx.Err() == nil && !errors.Is(err, sweep.ErrInterrupted) {
		message = gate.Message{Status: gate.Failed, Branch: p.Branch, Time: time.Now(), Text: "harness: the night failed: " + err.Error(), Regressed: []gate.MessageEntry{}}
	}
	if message.Status != "" {
		if told := p.Notify.Notify(context.WithoutCancel(ctx), message, os.Getenv); told != nil {
			fmt.Fprintln(a.err, note(store.Warning, "not everybody was told: "+told.Error()))
		}
	}
	if err != nil || r == nil {
		return err
	}
	return verdict(r, p.Gate.Strict)
}

// nightly sweeps, gates and writes the pages. r is nil where there was nothing to
// compare with.
func (a *app) nightly(ctx context.Context, p gate.Plan) (r *gate.Result, m gate.Message, err error) {
	policy, err := p.Policy()
	if err != nil {
		return nil, m, err
	}
	baseline, err := gate.ParseBaseline(p.Gate.Baseline)
	if err != nil {
		return nil, m, err
	}
	for key, path := range map[string]string{"history": p.Files.History, "junit": p.Files.JUnit, "sarif": p.Files.SARIF, "markdown": p.Files.Markdown} {
		if path != "" {
			if err := writable("files."+key, path); err != nil {
				return nil, m, err
			}
		}
	}
	id, err := a.sweepNight(ctx, p)
	if err != nil {
		return nil, m, err
	}
	s, err := store.Open(ctx, p.Store)
	if err != nil {
		return nil, m, err
	}
	defer s.Close() //nolint:errcheck // what was written is there
	run, err := sweep.Read(ctx, s, id)
	if err != nil {
		return nil, m, err
	}
	if _, err := s.SetTag(ctx, id, p.Branch+"/"+id, true); err != nil {
		return nil, m, err
	}
	r, err = judge(ctx, s, run, baseline, policy)
	switch {
	case errors.Is(err, gate.ErrNoBaseline):
		fmt.Fprintln(a.err, note(store.Info, err.Error()+"; this night is the first of its kind"))
		r, m = nil, gate.Message{Status: gate.Unclear, Run: id, Branch: p.Branch, Commit: run.Run.Commit, Time: run.Run.Started, Text: "harness: the first night, nothing to compare with", Regressed: []gate.MessageEntry{}}
	case err != nil:
		return nil, m, err
	default:
		if p.Gate.Live {
			f := &gateFlags{policy: policy, rule: gate.ConfirmRule(policy.MarginPct), most: p.Gate.MaxSeries, repo: p.Gate.Repo}
			if err := a.confirm(ctx, f, run, r); err != nil {
				why := err.Error()
				if errors.Is(err, sweep.ErrInterrupted) {
					why = sweep.ErrInterrupted.Error() // a night cannot be resumed
				}
				r.Notes = append(r.Notes, "suspects were not measured live: "+why)
			}
		}
		r.Sort()
		m = gate.Tell(p.Branch, r)
		if p.Gate.Strict && m.Status == gate.Passed && r.Count(stat.CannotTell) > 0 {
			m.Status = gate.Unclear
		}
		if err := a.emitResult(r); err != nil {
			return r, m, err
		}
		if err := writeOutputs(r, p.Files.JUnit, p.Files.SARIF, p.Files.Markdown); err != nil {
			return r, m, err
		}
	}
	if err := settle(ctx, s, id, p.Branch, r == nil || r.Count(stat.Regressed) == 0); err != nil {
		return r, m, err
	}
	if err := forget(ctx, s, p.Branch, time.Now().Add(-p.Keep)); err != nil {
		return r, m, err
	}
	if p.Files.History == "" {
		return r, m, nil
	}
	nights, err := readNights(ctx, s, p.Branch)
	if err != nil {
		return r, m, err
	}
	return r, m, replaceFile(p.Files.History, func(w io.Writer) error { return gate.WriteHistory(w, p.Branch, nights, policy) })
}

// sweepNight runs the plan's sweep and returns the run's id. A run of which some
// targets were lost is judged by what it has.
func (a *app) sweepNight(ctx context.Context, p gate.Plan) (string, error) {
	recipe, done, err := recipeOf(p)
	if err != nil {
		return "", err
	}
	defer done()
	args := []string{"sweep", "--store", p.Store, "--report", p.Files.Report, "-o", "jsonl"}
	if recipe != "" {
		args = append(args, "--recipe", recipe)
	}
	if p.Budget > 0 {
		args = append(args, "--budget", p.Budget.String())
	}
	if a.quiet {
		args = append(args, "--quiet")
	}
	var rows bytes.Buffer
	code := run(ctx, args, a.in, &rows, a.err)
	var first struct{ Run string }
	known := json.NewDecoder(&rows).Decode(&first) == nil && first.Run != ""
	switch {
	case code == exitInterrupted:
		return "", sweep.ErrInterrupted
	case known && (code == exitDone || code == exitTarget):
		return first.Run, nil
	case code == exitNoValid:
		return "", errNoValid
	case code == exitDone:
		return "", errors.New("the sweep gave no row")
	}
	return "", exitCode(code) // it has said why
}

// nightTags are the beginnings of the tags of a branch's nights.
func nightTags(branch string) []string { return []string{branch + "/", branch + gate.BadNights + "/"} }

// isNight says that a tag is of a branch's night.
func isNight(tag, branch string) bool {
	return slices.ContainsFunc(nightTags(branch), func(prefix string) bool { return strings.HasPrefix(tag, prefix) })
}

// settle makes a night that passed the branch's newest good one, and takes one that
// regressed out of the baseline: a regression would else become what is measured against.
func settle(ctx context.Context, s *store.Store, id, branch string, passed bool) error {
	if passed {
		_, err := s.SetTag(ctx, id, branch, true)
		return err
	}
	if _, err := s.SetTag(ctx, id, branch+gate.BadNights+"/"+id, true); err != nil {
		return err
	}
	return s.RemoveTag(ctx, branch+"/"+id)
}

// forget takes the tags of nights before a time away, so that they may be pruned.
func forget(ctx context.Context, s *store.Store, branch string, before time.Time) error {
	tags, err := s.Tags(ctx)
	if err != nil {
		return err
	}
	for _, t := range tags {
		if isNight(t.Name, branch) && t.At.Before(before) {
			if err := s.RemoveTag(ctx, t.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxNights bounds the nights of a history page.
const maxNights = 90

// readNights reads the nights of a branch, the oldest first, one at a time.
func readNights(ctx context.Context, s *store.Store, branch string) ([]gate.Night, error) {
	tags, err := s.Tags(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, t := range tags {
		if isNight(t.Name, branch) {
			ids = append(ids, t.Run)
		}
	}
	slices.Sort(ids) // ids begin with their date
	ids = slices.Compact(ids)
	var nights []gate.Night
	for _, id := range ids[max(0, len(ids)-maxNights):] {
		r, err := sweep.Read(ctx, s, id)
		if err != nil {
			return nil, err
		}
		nights = append(nights, gate.NightOf(r))
	}
	slices.SortStableFunc(nights, func(x, y gate.Night) int { return cmp.Compare(x.Time.UnixNano(), y.Time.UnixNano()) })
	return nights, nil
}
