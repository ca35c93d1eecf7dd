package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/board"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// defaultWatch is how long a target's background is watched.
const defaultWatch = 2 * time.Second

// examination is what a target's own runner told of it.
type examination struct {
	Target string `json:"target"`
	wire.InfoResult
	Facts  *board.Facts       `json:"facts"`
	Limits []measure.Ceilings `json:"limits,omitempty"`
	want   board.Want
	left   *board.Left // by a killed run, if it was looked for
}

// examineFlags are those of the commands that look at targets.
type examineFlags struct {
	watch     time.Duration
	measure   bool
	runnerDir string
	left      bool // look for the settings that killed runs left, too
}

func (f *examineFlags) flags(c *cobra.Command) {
	c.Flags().DurationVar(&f.watch, "watch", defaultWatch, "how long to look at what else a target does")
	c.Flags().StringVar(&f.runnerDir, "runner-dir", "", "folder of built runners, runner-GOOS-GOARCH (default: built from source for the target)")
}

func (a *app) probeCommand(inventory *string) *cobra.Command {
	var f examineFlags
	c := &cobra.Command{
		Use:   "probe NAME...",
		Short: "What targets are: board, cores, features, memory, clocks, sensors, limits",
		Long: `Connects to the targets, lets the runner look at each, and prints what they are side by
side. The local machine is called local. What each can do at most, int8 arithmetic and memory
read on one core and on all, is measured, which keeps its processors busy for some seconds;
--measure=false leaves that out.`,
		Example: "  harness targets probe local\n  harness targets probe pi5 orin --measure=false",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: targetNames(inventory, targets.Local),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := a.examine(c, *inventory, args, f)
			if len(all) > 0 {
				if e := a.emitProbe(all); e != nil {
					return e
				}
			}
			return err
		},
	}
	c.Flags().BoolVar(&f.measure, "measure", true, "measure what the targets can do at most, for some seconds on all their processors")
	f.flags(c)
	return c
}

// emitProbe prints what is known of targets, for people as their terminal holds it.
func (a *app) emitProbe(all []examination) error {
	if a.format != "table" {
		return a.emit(probeTable(all), records(all))
	}
	for i, t := range probeTables(all, a.width()) {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if err := t.print(a.out); err != nil {
			return err
		}
	}
	return nil
}

func records[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// examine looks at the targets at the same time. Those that answered are
// returned in the order asked for, with the first error of the others.
func (a *app) examine(c *cobra.Command, inventory string, names []string, f examineFlags) (all []examination, err error) {
	ctx, cancel := interruptible(c.Context())
	defer cancel()
	fl := &fleet{path: inventory, finder: remote.Finder{Dir: f.runnerDir}, log: tellOn(a.err)}
	defer func() {
		if e := fl.close(); err == nil {
			err = e
		}
	}()
	if f.measure {
		a.say("measuring what %s can do at most, for some seconds; --measure=false leaves it out", strings.Join(names, ", "))
	}
	found, errs := make([]*examination, len(names)), make([]error, len(names))
	var wait sync.WaitGroup
	var here sync.Mutex
	for i, name := range names {
		wait.Go(func() {
			if found[i], errs[i] = examineOne(ctx, fl, name, f, &here); errs[i] != nil {
				errs[i] = fmt.Errorf("examining %s: %w", name, errs[i])
			}
		})
	}
	wait.Wait()
	for i := range names {
		switch {
		case errs[i] == nil:
			all = append(all, *found[i])
		case err == nil:
			err = errs[i]
		default:
			fmt.Fprintln(a.err, "harness:", errs[i]) // the first is told at the end
		}
	}
	return all, err
}

// examineOne runs runner info on a target; on the local machine it is this program.
// What shares this machine's processors, itself and virtual boards, is examined one
// after the other.
func examineOne(ctx context.Context, fl *fleet, name string, f examineFlags, here *sync.Mutex) (*examination, error) {
	argv := []string{"info", "-o", "json", "--watch", f.watch.String()}
	if f.measure {
		argv = append(argv, "--measure")
	}
	x := &examination{Target: name}
	var out []byte
	if name == targets.Local {
		here.Lock()
		defer here.Unlock()
		var stdout, stderr bytes.Buffer
		if code := command.Run(ctx, argv, strings.NewReader(""), &stdout, &stderr); code != exitDone {
			return nil, fmt.Errorf("the runner ended with status %d: %s", code, strings.TrimSpace(stderr.String()))
		}
		out = stdout.Bytes()
	} else {
		t, b, err := fl.locate(ctx, name)
		if err != nil {
			return nil, err
		}
		if b != nil {
			here.Lock()
			defer here.Unlock()
			release, err := b.Turn(ctx)
			if err != nil {
				return nil, err
			}
			defer release()
		}
		x.want = wantOf(t)
		// A virtual board is new: nothing was left there.
		if out, x.left, err = askRunner(ctx, fl, t, argv, f.left && b == nil); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(out, x); err != nil {
		return nil, &wire.Error{Kind: wire.Target, Text: fmt.Sprintf("the runner's answer is no facts: %v", err), Mend: "is another version of the runner on the target?"}
	}
	if x.Target = name; x.Facts == nil {
		return nil, &wire.Error{Kind: wire.Target, Text: "the runner told no facts of the board", Mend: "use a --watch of more than 0"}
	}
	return x, nil
}

// wantOf is what the inventory wishes of a target.
func wantOf(t targets.Target) board.Want {
	w := board.Want{PowerMode: t.PowerMode, Governor: t.Governor, Fan: t.Fan, Kind: board.Kind(t.Board), External: t.Meter != nil}
	switch {
	case t.Virtual != nil:
		w.Kind = board.Kind(t.Virtual.Kind)
	case t.Board == "auto":
		w.Kind = ""
	}
	return w
}

// askRunner deploys the runner to a target and returns what it writes, and the
// settings that a killed run left there if look is set.
func askRunner(ctx context.Context, fl *fleet, t targets.Target, argv []string, look bool) (out []byte, left *board.Left, err error) {
	h, err := remote.Dial(ctx, t, fl.options())
	if err != nil {
		return nil, nil, err
	}
	defer h.Close() //nolint:errcheck // nothing is left to be lost
	if look {
		if left, err = sweep.LeftOn(ctx, h); err != nil {
			return nil, nil, err
		}
	}
	path, err := h.Runner(ctx, &fl.finder)
	if err != nil {
		return nil, nil, err
	}
	defer h.Release(path)
	out, err = h.Output(ctx, append([]string{path}, argv...))
	return out, left, err
}
