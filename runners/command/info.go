package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// unknown stands where the machine does not tell.
const unknown = "unknown"

func newInfo() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:     "info",
		Short:   "Say what this machine and this runner are",
		Example: "  runner info\n  runner info -o json",
		Args:    cobra.NoArgs,
		RunE: interruptible(func(ctx context.Context, c *cobra.Command) error {
			switch output {
			case "table":
				return printInfo(c.OutOrStdout(), measure.This().Info(ctx))
			case "json":
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(measure.This().Info(ctx))
			}
			return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("--output %q", output), Mend: "use table or json"}
		}),
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
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
