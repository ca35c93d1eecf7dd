package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/compress"
	"github.com/seed-c6f48606/harness/runners/train"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
)

// Exit statuses.
const (
	exitDone        = 0
	exitFault       = 1 // usage, or a fault of the harness
	exitTarget      = 3 // a fault of the target
	exitNoValid     = 4 // nothing valid was measured
	exitInterrupted = 130
)

// errNoValid says that a run ended without one valid trial.
var errNoValid = errors.New("no trial was valid, so there is no figure")

// exitCode is an error that was told already; only the status is left.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run carries out the command line args (without the program's name) and
// returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{args: args, in: stdin, out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(command.LongFlags(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(stderr, "harness:", explain(err))
	return status(err)
}

// status is the exit status that an error asks for.
func status(err error) int {
	var fault *wire.Error
	switch {
	case errors.Is(err, sweep.ErrInterrupted), errors.Is(err, train.ErrInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errNoValid):
		return exitNoValid
	case errors.As(err, &fault) && fault.Kind == wire.Target:
		return exitTarget
	}
	return exitFault
}

// explain spells an axis as the flag that the user typed.
func explain(err error) string {
	var use *compress.UsageError
	if errors.As(err, &use) && err.Error() == use.Error() {
		return "--" + use.Error()
	}
	return err.Error()
}

// app is one invocation: its streams and the flags that all commands share.
type app struct {
	args     []string
	in       io.Reader
	out, err io.Writer
	format   string
	quiet    bool
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "harness",
		Short: "Measure compressed language models where they will run",
		Long: `harness answers which compressed variant of a small language model should run on
which board, what it costs, and whether last night's change made it worse.

Exit status: 0 done; 1 usage or harness fault; 2 regression; 3 target fault;
4 no valid measurement; 130 interrupted.`,
		Example: `  harness sweep
  harness sweep --model ./my-model --dataset csv:train.csv --test-file test.csv --bits 16,8,4
  harness eval --model service-nano --dataset builtin`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.checkFormat() },
	}
	group(root)
	root.PersistentFlags().StringVarP(&a.format, "output", "o", "table", "how to print results: table, json, jsonl or csv")
	root.PersistentFlags().BoolVar(&a.quiet, "quiet", false, "no progress; results, warnings and errors only")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(a.sweepCommand(), a.evalCommand(), a.trainCommand(), a.compressCommand(), a.reportCommand(),
		a.exportCommand(), a.replayCommand(), a.storeCommand(), a.benchCommand(), a.compareCommand(), a.gateCommand(), a.bisectCommand(), a.nightlyCommand(), a.labCommand(), a.targetsCommand(), a.powerCommand(), a.modelsCommand(), a.datasetsCommand(), a.versionCommand(), a.runnerCommand())
	complete(root, "output", formats...)
	return root
}

// group makes a command of subcommands refuse an unknown one.
func group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		near := ""
		if s := c.SuggestionsFor(args[0]); len(s) > 0 {
			near = "; did you mean " + strings.Join(s, " or ") + "?"
		}
		return fmt.Errorf("unknown command %q for %q%s", args[0], c.CommandPath(), near)
	}
	return c
}

// flagError says what a wrong flag should have been.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := targets.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, near)
		}
	}
	// The standard library's words for a bad number are not for users.
	text := err.Error()
	if i := strings.Index(text, ": strconv."); i > 0 {
		return fmt.Errorf("%s: not a number that this flag takes; see %s --help", text[:i], c.CommandPath())
	}
	return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
}

// complete gives a flag's values to the shell.
func complete(c *cobra.Command, flag string, values ...string) {
	values = slices.Clone(values)
	// It fails for a flag that does not exist only.
	_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	})
}

// runnerCommand carries the runner, so that the harness can start itself again
// on the local machine.
func (a *app) runnerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "runner", Short: "What runs on a board (see runner --help)", Hidden: true, DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			if code := command.Run(c.Context(), args, a.in, a.out, a.err); code != exitDone {
				return exitCode(code)
			}
			return nil
		},
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Version and commit of this program", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			h := wire.NewHello(os.Getpid())
			return a.emit(table{
				header: []string{"version", "commit", "os", "arch", "protocol"},
				rows:   [][]string{{h.Version, h.Commit, h.OS, h.Arch, fmt.Sprint(h.Protocol)}},
			}, []any{struct {
				Version  string `json:"version"`
				Commit   string `json:"commit"`
				OS       string `json:"os"`
				Arch     string `json:"arch"`
				Protocol int    `json:"protocol"`
			}{h.Version, h.Commit, h.OS, h.Arch, h.Protocol}})
		},
	}
}
