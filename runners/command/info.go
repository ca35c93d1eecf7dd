package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// unknown stands where the machine does not tell.
const unknown = "unknown"

func newInfo() *cobra.Command {
	var output string
	var measured bool
	var watch time.Duration
	c := &cobra.Command{
		Use:   "info",
		Short: "Say what this machine and this runner are",
		Long: "Says what this machine and this runner are. With --measure it also says what the machine can\n" +
			"do at most, on one thread and on all: read memory, and multiply in the instructions of each\n" +
			"kernel tier, and how long two cores take to see what the other wrote. This takes some seconds and\n" +
			"keeps all processors busy. With --watch it looks for so long at what else the machine does, and\n" +
			"tells in JSON all that harness targets doctor judges.",
		Example: "  runner info\n  runner info --measure\n  runner info --measure -o json\n  runner info --watch 1s -o json",
		Args:    cobra.NoArgs,
		RunE: interruptible(func(ctx context.Context, c *cobra.Command) error {
			if output != "table" && output != "json" {
				return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("--output %q", output), Mend: "use table or json"}
			}
			if watch < 0 || watch > maxWatch {
				return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("--watch %v", watch), Mend: fmt.Sprintf("use 0 to %v", maxWatch)}
			}
			var facts machineFacts
			if watch > 0 {
				f, err := board.At("/").Gather(ctx, watch)
				if err != nil {
					return wire.Wrap(wire.Target, err)
				}
				facts.Facts = &f
			}
			facts.InfoResult = measure.This().Info(ctx)
			if measured {
				var err error
				if facts.Limits, err = measureLimits(ctx); err != nil {
					return err
				}
				facts.CoreToCoreNS = measure.CoreToCore(ctx)
			}
			if output == "json" {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(facts)
			}
			if err := printInfo(c.OutOrStdout(), facts.InfoResult); err != nil {
				return err
			}
			return printLimits(c.OutOrStdout(), &facts)
		}),
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	c.Flags().DurationVar(&watch, "watch", 0, "look for so long at what else the machine does, and tell all facts of the board")
	c.Flags().BoolVar(&measured, "measure", false, "measure what the machine can do at most")
	return c
}

// machineFacts are what the machine is and, where it was measured, what it can
// do at most, by number of threads.
type machineFacts struct {
	wire.InfoResult
	Facts  *board.Facts       `json:"facts,omitempty"`
	Limits []measure.Ceilings `json:"limits,omitempty"`
	// CoreToCoreNS is 0 where it was not measured.
	CoreToCoreNS float64 `json:"core_to_core_ns,omitempty"`
}

// maxWatch bounds --watch.
const maxWatch = time.Minute

// measureLimits measures one thread and all.
func measureLimits(ctx context.Context) ([]measure.Ceilings, error) {
	counts := []int{1}
	if n := runtime.GOMAXPROCS(0); n > 1 {
		counts = append(counts, n)
	}
	var out []measure.Ceilings
	for _, threads := range counts {
		c, err := measure.This().Ceilings(ctx, threads, kernels.Available(), measure.Effort{Products: true})
		if err != nil {
			return nil, wire.Wrap(wire.Target, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// printLimits writes a line a limit, and one a product beside them: the best of
// several measurements, and how far below it their median lies.
func printLimits(w io.Writer, facts *machineFacts) error {
	if len(facts.Limits) == 0 {
		return nil
	}
	rows := [][]string{{"rate", "threads", "best", "unit", "median below"}}
	row := func(what, unit string, threads int, r measure.Rate) {
		below := 1 - r.Median/r.Best
		rows = append(rows, []string{what, strconv.Itoa(threads), figure(&r.Best), unit, percent(&below)})
	}
	for _, c := range facts.Limits {
		row("memory read, "+c.ReadWay, "GB/s", c.Threads, c.Read)
		for _, p := range c.Peaks {
			row(p.Tier+" "+p.Mix, "GOPS", c.Threads, p.GOPS)
		}
		for _, p := range c.Products {
			row(p.Tier+" "+p.Mix+" product", "GOPS", c.Threads, p.GOPS)
		}
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := align(w, rows, 0, 3); err != nil || facts.CoreToCoreNS == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "\ncore to core %.0f ns, median, one way\n", facts.CoreToCoreNS)
	return err
}

// printInfo writes a line a fact.
func printInfo(w io.Writer, info wire.InfoResult) error {
	env := info.Env
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, fact := range [][2]string{
		{"version", env.ToolVersion},
		{"commit", env.Commit},
		{"go", env.GoVersion},
		{"system", env.OS + "/" + env.Arch},
		{"kernel", env.Kernel},
		{"host", env.Host},
		{"board", env.Board},
		{"virtual", orElse(env.Virtual, "no hypervisor or container seen")},
		{"cpu", env.CPU},
		{"cores", known(env.Cores, "%d")},
		{"governor", env.Governor},
		{"memory", known(float64(env.MemoryBytes)/(1<<30), "%.1f GiB")},
		{"kernel tier", fmt.Sprintf("%s (available: %s)", env.Tier, strings.Join(info.Tiers, ", "))},
		{"temperature", known(env.TempC, "%.1f °C")},
		{"energy", energy(info)},
	} {
		fmt.Fprintf(tw, "%s\t%s\n", fact[0], orElse(fact[1], unknown))
	}
	// What only some machines have is left out on the others.
	for _, fact := range [][2]string{
		{"kind", env.Kind}, {"chip", env.SoC}, {"features", env.Features}, {"power mode", env.PowerMode}, {"L4T", env.L4T},
	} {
		if fact[1] != "" {
			fmt.Fprintf(tw, "%s\t%s\n", fact[0], fact[1])
		}
	}
	return tw.Flush()
}

// known formats a fact whose zero means that the machine does not tell.
func known[T int | float64](v T, format string) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func energy(info wire.InfoResult) string {
	switch {
	case info.Energy != "":
		return info.Energy
	case info.EnergyMend == "":
		return "unavailable: " + info.EnergyReason
	}
	return "unavailable: " + info.EnergyReason + "; " + info.EnergyMend
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
