package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/targets"
)

// place resolves the targets asked for and gives each its threads. given tells
// which flags the user typed.
func (f *sweepFlags) place(p *sweep.Plan, file *recipeFile, given func(string) bool) error {
	asked := p.Targets
	if file != nil && file.Target != nil {
		asked = file.Target
	}
	if given("target") {
		asked = f.targets
	}
	if len(asked) == 0 {
		return errors.New("--target: name at least one machine, such as local")
	}
	if slices.Equal(asked, []string{sweep.Local}) {
		p.Targets = asked // needs no inventory, so that a broken one is no harm
		return nil
	}
	inventory, err := readInventory(f.inventory)
	if err != nil {
		return err
	}
	chosen, err := inventory.Select(asked...)
	if err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	p.Targets, p.Cores, p.PowerModes = nil, map[string]int{}, map[string]string{}
	for _, t := range chosen {
		p.Targets = append(p.Targets, t.Name)
		if t.PowerMode != "" {
			p.PowerModes[t.Name] = t.PowerMode
		}
		switch {
		case t.Name == sweep.Local:
			p.Cores[t.Name] = runtime.NumCPU()
		case t.CPUSet != "":
			cpus, err := targets.ParseCPUSet(t.CPUSet)
			if err != nil {
				return fmt.Errorf("target %s: cpuset: %w", t.Name, err)
			}
			p.Cores[t.Name] = len(cpus)
		}
	}
	if !given("threads") && (file == nil || file.Threads == nil) {
		p.Threads = nil
	}
	return nil
}

// readInventory reads the inventory at a path; "" is where it usually is.
func readInventory(path string) (*targets.Inventory, error) {
	path, err := targets.Locate(path)
	if err != nil {
		return nil, err
	}
	return targets.Load(path)
}

// completeTargets gives the inventory's names and labels to the shell for --target.
func (a *app) completeTargets(c *cobra.Command) {
	// It fails for a flag that does not exist only.
	_ = c.RegisterFlagCompletionFunc("target", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		path, err := c.Flags().GetString("targets")
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return inventoryNames(path, true, sweep.Local), cobra.ShellCompDirectiveNoFileComp
	})
}

// targetNames completes names of the inventory as arguments, and those of others.
func targetNames(path *string, others ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return inventoryNames(*path, false, others...), cobra.ShellCompDirectiveNoFileComp
	}
}

// inventoryNames lists names, and labels as --target takes them. An inventory that
// cannot be read has none: the command itself says why.
func inventoryNames(path string, labels bool, names ...string) []string {
	inventory, err := readInventory(path)
	if err != nil {
		return names
	}
	for _, t := range inventory.Targets {
		names = append(names, t.Name)
		if labels {
			for _, label := range t.Labels {
				names = append(names, "label="+label)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
