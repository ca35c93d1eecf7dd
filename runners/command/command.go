package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/compress"
	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Exit statuses, those of the harness.
const (
	exitDone        = 0
	exitHarness     = 1
	exitTarget      = 3
	exitInterrupted = 130
)

// Run runs the runner's command line args (without the program's name) and
// returns the exit status: 0 done, 1 usage or harness fault or unsupported, 3
// target fault, 130 interrupted.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(LongFlags(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "runner:", err)
	return status(err)
}

// status is the exit status that an error's kind asks for.
func status(err error) int {
	var e *wire.Error
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &e) && e.Kind == wire.Target:
		return exitTarget
	}
	return exitHarness
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "runner",
		Short: "Run compressed language models on this board",
		Long: "The runner runs on a board. A controller deploys it, starts `runner serve` and speaks to it\n" +
			"in JSON lines; the other commands are for a person at the board.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &wire.Error{Kind: wire.Harness, Text: err.Error(), Mend: fmt.Sprintf("see %s --help", c.CommandPath())}
	})
	root.AddCommand(newServe(), newLogits(), newGenerate(), newInfo(), newPower(), Bench(nil))
	return root
}

// interruptible ends ctx at an interrupt from the terminal. Serve does not use
// it: its controller decides what an interrupt means.
func interruptible(run func(context.Context, *cobra.Command) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
		defer stop()
		return run(ctx, c)
	}
}

// modelFlags are the flags of every command that runs a model by hand.
type modelFlags struct {
	path    string
	bits    int
	group   int
	exact   bool
	threads int
	// threshold is the routing threshold.
	threshold float64
}

func (f *modelFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.path, "model", "", "model folder, .safetensors with its config.json beside it, or .gguf")
	c.Flags().IntVar(&f.bits, "bits", 0, "round the weights to this many bits before use (default: as stored)")
	c.Flags().IntVar(&f.group, "group-size", compress.DefaultGroupSize, "weights that share a scale, with --bits")
	c.Flags().BoolVar(&f.exact, "exact", false, "dequantize the weights and compute in f32")
	c.Flags().IntVar(&f.threads, "threads", 0, "workers (default: one per processor)")
	c.Flags().Float64Var(&f.threshold, "threshold", 0, "routing threshold: skip where the gate says less; 0 = dense, 1 = all that may be skipped")
	// The flag exists, so this cannot fail.
	_ = c.MarkFlagRequired("model")
}

// load opens the model; where --bits asks for it, the weights are in memory and
// rounded, and the model has no path and no hash.
func (f *modelFlags) load(ctx context.Context) (*model.Model, error) {
	if !(f.threshold >= 0 && f.threshold <= 1) {
		return nil, &wire.Error{
			Kind: wire.Harness, Text: fmt.Sprintf("--threshold %g is outside [0, 1]", f.threshold),
			Mend: "use 0 for dense, up to 1 to skip all that may be skipped",
		}
	}
	recipe := compress.Default()
	recipe.GroupSize = f.group
	if f.bits != 0 {
		recipe.Bits = f.bits
	}
	if err := recipe.Validate(); err != nil {
		return nil, wire.Wrap(wire.Harness, err)
	}
	if f.bits == 0 {
		m, err := model.Open(f.path)
		if err != nil {
			return nil, wire.Wrap(kindOf(err), err)
		}
		return m, nil
	}
	m, err := model.Load(f.path)
	if err != nil {
		return nil, wire.Wrap(kindOf(err), err)
	}
	small, _, err := compress.Apply(ctx, m, compress.Calibration{}, recipe, nil)
	if err != nil {
		return nil, wire.Wrap(wire.Harness, fmt.Errorf("rounding the weights to %d bits: %w", f.bits, err))
	}
	return small, nil
}

// start makes an engine of what load returned and closes that, so that nothing
// but the engine's own weights stays in memory.
func (f *modelFlags) start(m *model.Model, chunk int) (*engine.Engine, error) {
	defer m.Close() //nolint:errcheck // it was read
	e, err := engine.New(m, engine.Options{Threads: f.threads, Exact: f.exact, Chunk: chunk})
	if err != nil {
		return nil, wire.Wrap(kindOf(err), err)
	}
	// A classifier's engine reads its head when that is first needed: now, while
	// there is a file.
	if err := e.Restrict(nil); err != nil {
		e.Close()
		return nil, wire.Wrap(kindOf(err), err)
	}
	return e, nil
}

// kindOf tells a model that this engine cannot run, and options that are wrong,
// from a model that is broken.
func kindOf(err error) wire.ErrorKind {
	switch {
	case errors.Is(err, model.ErrUnsupported):
		return wire.Unsupported
	case errors.Is(err, engine.ErrOptions):
		return wire.Harness
	}
	return wire.Target
}
