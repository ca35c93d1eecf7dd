package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/lab"
)

// labFlags are how a lab is called.
type labFlags struct {
	server    string
	tokenFile string
}

func (a *app) labCommand() *cobra.Command {
	f := &labFlags{}
	c := group(&cobra.Command{
		Use: "lab", Short: "Share boards: serve, work, submit, watch, cancel, drain, reserve",
		Long: `A lab shares boards between users. harness lab serve answers its users, harness
lab work drives boards, both on one database: Postgres, or a SQLite file on one
machine. The others call the server at --server or HARNESS_LAB with the token in
HARNESS_LAB_TOKEN or --token-file. See docs/lab.md.`,
		Example: `  harness lab token ada --admin
  harness lab serve --database lab.db
  harness lab work --database lab.db --board local,pi5
  harness lab submit plan.yaml --target pi5 --watch`,
	})
	c.PersistentFlags().StringVar(&f.server, "server", "", "address of the lab (default $HARNESS_LAB, else http://127.0.0.1:8747)")
	c.PersistentFlags().StringVar(&f.tokenFile, "token-file", "", "file that holds your token (default $HARNESS_LAB_TOKEN)")
	c.AddCommand(a.labServeCommand(), a.labWorkCommand(), a.labTokenCommand(), a.labSubmitCommand(f), a.labStatusCommand(f), a.labWatchCommand(f),
		a.labCancelCommand(f), a.labFetchCommand(f), a.labDrainCommand(f), a.labReserveCommand(f), a.labReleaseCommand(f))
	return c
}

// labPort is where a lab listens unless it is told otherwise.
const labPort = "8747"

// client calls the lab that the flags or the environment name.
func (f *labFlags) client() (*lab.Client, error) {
	address := f.server
	if address == "" {
		address = os.Getenv("HARNESS_LAB")
	}
	if address == "" {
		address = "http://127.0.0.1:" + labPort
	}
	token := os.Getenv("HARNESS_LAB_TOKEN")
	if f.tokenFile != "" {
		raw, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		token = string(raw)
	}
	return lab.NewClient(address, strings.TrimSpace(token))
}

func (a *app) labTokenCommand() *cobra.Command {
	var path string
	var admin bool
	c := &cobra.Command{
		Use: "token USER", Short: "Make a token for a user", Args: cobra.ExactArgs(1),
		Long: `Prints a new token and adds its SHA-256 to the tokens file; the token itself is
kept nowhere. To take one away, remove its entry and restart the server.`,
		Example: "  harness lab token ada --admin\n  harness lab token ci --tokens /etc/harness/tokens.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			role := lab.RoleUser
			if admin {
				role = lab.RoleAdmin
			}
			secret, err := lab.AddToken(path, args[0], role)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, secret)
			a.say("%s has it from now on by its hash in %s; a running server must be restarted", args[0], path)
			return nil
		},
	}
	c.Flags().StringVar(&path, "tokens", "lab-tokens.yaml", "tokens file of the server")
	c.Flags().BoolVar(&admin, "admin", false, "may also act on what is others', and drain boards")
	return c
}

func (a *app) labStatusCommand(f *labFlags) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Boards, sweeps and reservations of the lab", Aliases: []string{"boards"}, Args: cobra.NoArgs,
		Example: "  harness lab status\n  harness lab status -o json",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			o, err := client.Overview(c.Context())
			if err != nil {
				return err
			}
			return a.showLab(o)
		},
	}
}

// showLab prints boards, then sweeps that are not over, then reservations; as JSON
// all of it.
func (a *app) showLab(o lab.Overview) error {
	if a.format == "json" || a.format == "jsonl" {
		return a.emit(table{}, []any{o})
	}
	boards := table{header: []string{"board", "state", "controller", "waiting", "today"}}
	for _, b := range o.Boards {
		state := "free"
		switch {
		case b.Controller == "":
			state = "no controller"
		case b.Drained:
			state = "drained"
		case b.Doing != "":
			state = b.Doing
		}
		boards.rows = append(boards.rows, []string{b.Name, state, orDash(b.Controller), fmt.Sprint(b.Waiting), fmt.Sprint(b.Today)})
	}
	if err := a.emit(boards, nil); err != nil || a.format != "table" {
		return err
	}
	fmt.Fprintln(a.out)
	sweeps := table{header: []string{"sweep", "title", "user", "trials", "state"}}
	for _, s := range o.Sweeps {
		sweeps.rows = append(sweeps.rows, []string{s.ID, orDash(s.Title), s.Owner, fmt.Sprintf("%d/%d", s.Counted, s.Total), s.State})
	}
	if err := a.emit(sweeps, nil); err != nil {
		return err
	}
	if len(o.Reservations) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	taken := table{header: []string{"reservation", "board", "user", "from", "until"}}
	for _, r := range o.Reservations {
		taken.rows = append(taken.rows, []string{r.ID, r.Board, r.Owner, r.From.Local().Format(time.DateTime), r.Until.Local().Format(time.DateTime)})
	}
	return a.emit(taken, nil)
}

func (a *app) labWatchCommand(f *labFlags) *cobra.Command {
	return &cobra.Command{
		Use: "watch SWEEP", Short: "Follow a sweep's log until it is over", Args: cobra.ExactArgs(1),
		Example: "  harness lab watch 3f2a9c0d1e4b5a697788",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			return a.watch(c.Context(), client, args[0])
		},
	}
}

// watch follows a sweep. One that was canceled is an error.
func (a *app) watch(ctx context.Context, client *lab.Client, id string) error {
	bar := a.progress()
	defer bar.Close()
	counted := -1
	s, err := client.Watch(ctx, id, func(l lab.Line) { bar.Note(l.Level, l.Text) }, func(s lab.Sweep) {
		if counted < 0 {
			bar.Stage("trials", s.Total)
			counted = 0
		}
		bar.Step(s.Counted-counted, "")
		counted = s.Counted
	})
	if err != nil {
		return err
	}
	if s.State != "done" {
		return fmt.Errorf("sweep %s was %s with %d of %d trials", id, s.State, s.Counted, s.Total)
	}
	return nil
}

func (a *app) labCancelCommand(f *labFlags) *cobra.Command {
	return &cobra.Command{
		Use: "cancel SWEEP", Short: "Cancel a sweep; what is measured stays", Args: cobra.ExactArgs(1),
		Example: "  harness lab cancel 3f2a9c0d1e4b5a697788",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			s, err := client.Cancel(c.Context(), args[0])
			if err != nil {
				return err
			}
			a.say("canceled %s after %d of %d trials", s.ID, s.Counted, s.Total)
			return nil
		},
	}
}

func (a *app) labDrainCommand(f *labFlags) *cobra.Command {
	var resume bool
	c := &cobra.Command{
		Use: "drain BOARD", Short: "Let a board finish its trial and take no more", Args: cobra.ExactArgs(1),
		Example: "  harness lab drain pi5\n  harness lab drain pi5 --resume",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			return client.Drain(c.Context(), args[0], !resume)
		},
	}
	c.Flags().BoolVar(&resume, "resume", false, "take trials again")
	return c
}

func (a *app) labReserveCommand(f *labFlags) *cobra.Command {
	var from string
	var length time.Duration
	c := &cobra.Command{
		Use: "reserve BOARD", Short: "Have a board to yourself for a time", Args: cobra.ExactArgs(1),
		Long:    "Trials of others wait meanwhile; one that runs at the beginning is finished first.",
		Example: "  harness lab reserve pi5 --for 2h\n  harness lab reserve pi5 --from 2026-12-01T09:00:00+01:00 --for 4h",
		RunE: func(c *cobra.Command, args []string) error {
			var begin time.Time
			if from != "" {
				var err error
				if begin, err = time.Parse(time.RFC3339, from); err != nil {
					return fmt.Errorf("--from %q: write it as 2026-12-01T09:00:00+01:00", from)
				}
			}
			if length <= 0 {
				return fmt.Errorf("--for %v: must be longer than 0s", length)
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			end := begin
			if begin.IsZero() {
				end = time.Now()
			}
			r, err := client.Reserve(c.Context(), args[0], begin, end.Add(length))
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, r.ID)
			a.say("%s is yours from %s to %s", r.Board, r.From.Local().Format(time.DateTime), r.Until.Local().Format(time.DateTime))
			return nil
		},
	}
	c.Flags().StringVar(&from, "from", "", "beginning (default now)")
	c.Flags().DurationVar(&length, "for", time.Hour, "how long")
	return c
}

func (a *app) labReleaseCommand(f *labFlags) *cobra.Command {
	return &cobra.Command{
		Use: "release RESERVATION", Short: "End a reservation", Args: cobra.ExactArgs(1),
		Example: "  harness lab release 9f86d081884c7d65",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.client()
			if err != nil {
				return err
			}
			_, err = client.Unreserve(c.Context(), args[0])
			return err
		},
	}
}

// tokens reads the server's users; a proxy needs no file.
func tokens(path string, needed bool) (lab.Tokens, error) {
	t, err := lab.ReadTokens(path)
	if errors.Is(err, fs.ErrNotExist) && !needed {
		return t, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return t, fmt.Errorf("%w; make it with harness lab token USER --tokens %s", err, path)
	}
	return t, err
}
