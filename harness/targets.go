package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/targets"
)

func (a *app) targetsCommand() *cobra.Command {
	var path string
	c := group(&cobra.Command{
		Use: "targets", Short: "Boards: list, add, remove, probe, doctor",
		Long: `The machines that a sweep may use. They are kept in targets.yaml in the working
folder, else in $XDG_CONFIG_HOME/harness, and may be edited there: the commands
keep comments. docs/targets.schema.json describes every key.`,
		Example: `  harness targets add nano1 192.168.1.20 --user ubuntu --label edge
  harness targets add toy --virtual pi5
  harness targets probe nano1`,
	})
	c.PersistentFlags().StringVar(&path, "targets", "", "inventory `FILE` (default ./targets.yaml, else the user's)")
	c.AddCommand(a.targetsListCommand(&path), a.targetsShowCommand(&path), a.targetsAddCommand(&path),
		a.targetsPinCommand(&path), a.targetsRemoveCommand(&path), a.probeCommand(&path), a.doctorCommand(&path))
	return c
}

func (a *app) targetsListCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "The targets of the inventory", Args: cobra.NoArgs,
		Example: "  harness targets list -o json",
		RunE: func(*cobra.Command, []string) error {
			v, err := readInventory(*path)
			if err != nil {
				return err
			}
			t := table{header: []string{"name", "board", "address", "labels", "host key"}}
			records := []any{}
			for _, o := range v.Targets {
				t.rows = append(t.rows, []string{o.Name, boardOf(o), reachOf(o), orDash(strings.Join(o.Labels, ", ")), fingerprintOf(o)})
				records = append(records, o)
			}
			if len(v.Targets) == 0 && a.format == "table" {
				fmt.Fprintf(a.err, "%s has no targets yet; harness targets add NAME ADDRESS makes one\n", v.Path)
				return nil
			}
			return a.emit(t, records)
		},
	}
}

func boardOf(t targets.Target) string {
	switch {
	case t.Virtual != nil:
		return t.Virtual.Kind + " (virtual)"
	case t.Board == "":
		return "auto"
	}
	return t.Board
}

// reachOf says how a target is reached, as people write it.
func reachOf(t targets.Target) string {
	s := t.Address
	if t.Transport == targets.ADB {
		return "adb " + s
	}
	if t.User != "" {
		s = t.User + "@" + s
	}
	if t.Port != 0 {
		if strings.Contains(t.Address, ":") {
			s = strings.Replace(s, t.Address, "["+t.Address+"]", 1)
		}
		s += fmt.Sprintf(":%d", t.Port)
	}
	if len(t.Jump) > 0 {
		s += " through " + strings.Join(t.Jump, ", ")
	}
	return orDash(s)
}

func orDash(s string) string {
	if s == "" {
		return none
	}
	return s
}

// fingerprintOf shows the pinned key; without one known_hosts decides.
func fingerprintOf(t targets.Target) string {
	if t.HostKey == "" {
		return none
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(t.HostKey))
	if err != nil {
		return none // the inventory has refused it before
	}
	return ssh.FingerprintSHA256(key)
}

func (a *app) targetsShowCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "One target as the inventory has it", Args: cobra.ExactArgs(1),
		Example: "  harness targets show nano1", ValidArgsFunction: targetNames(path),
		RunE: func(_ *cobra.Command, args []string) error {
			v, err := readInventory(*path)
			if err != nil {
				return err
			}
			t, err := v.Find(args[0])
			if err != nil {
				return err
			}
			rows, err := keyRows(t)
			if err != nil {
				return err
			}
			return a.emit(table{header: []string{"key", "value"}, rows: rows}, []any{t})
		},
	}
}

// keyRows lists the keys that an entry has, in the order of the file.
func keyRows(t targets.Target) ([][]string, error) {
	raw, err := yaml.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("showing target %s: %w", t.Name, err)
	}
	var keys yaml.MapSlice
	if err := yaml.Unmarshal(raw, &keys); err != nil {
		return nil, fmt.Errorf("showing target %s: %w", t.Name, err)
	}
	var rows [][]string
	for _, k := range keys {
		value := fmt.Sprint(k.Value)
		switch k.Value.(type) {
		case []any, map[string]any:
			text, err := json.Marshal(k.Value)
			if err != nil {
				return nil, fmt.Errorf("showing target %s: %w", t.Name, err)
			}
			value = string(text)
		}
		rows = append(rows, []string{fmt.Sprint(k.Key), value})
	}
	return rows, nil
}

func (a *app) targetsRemoveCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Take a target out of the inventory", Args: cobra.ExactArgs(1),
		Example: "  harness targets remove nano1", ValidArgsFunction: targetNames(path),
		RunE: func(_ *cobra.Command, args []string) error {
			v, err := readInventory(*path)
			if err != nil {
				return err
			}
			if v, err = v.Remove(args[0]); err != nil {
				return err
			}
			if err := v.Save(); err != nil {
				return err
			}
			a.say("removed %s from %s", args[0], v.Path)
			return nil
		},
	}
}

// say tells a person what was done.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}
