package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/board"
)

func (a *app) doctorCommand(inventory *string) *cobra.Command {
	f := examineFlags{left: true}
	c := &cobra.Command{
		Use:   "doctor NAME...",
		Short: "What makes measurements bad on targets, and the commands that mend it",
		Long: `Connects to the targets, lets the runner look at each, and says what makes measurements bad
there: clocks, power mode, supply, heat, other work, what the kernel hides, sensors. Each
finding comes with what was read and what mends it; nothing is changed on the target. The
local machine is called local. The exit status is 3 where a finding is bad, which means that
measurements will be wrong or refused.`,
		Example: "  harness targets doctor local\n  harness targets doctor pi5 orin -o json",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: targetNames(inventory, targets.Local),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := a.examine(c, *inventory, args, f)
			if len(all) == 0 {
				return err
			}
			t, list, bad := findings(all)
			if a.format == "table" {
				t = narrow(t, a.width())
			}
			if e := a.emit(t, records(list)); e != nil {
				return e
			}
			if err == nil && bad > 0 {
				err = &wire.Error{Kind: wire.Target, Text: fmt.Sprintf("%d of %d findings are bad", bad, len(list)), Mend: "see their mends"}
			}
			return err
		},
	}
	f.flags(c)
	return c
}

// diagnosis is a finding on a target.
type diagnosis struct {
	Target string `json:"target"`
	board.Finding
}

func leftFinding(l board.Left) board.Finding {
	return board.Finding{
		Severity: board.Warn, What: "a run that was killed left its settings", Mend: l.Mend(), Evidence: l.Path + " holds what was before: " + l.Before,
	}
}

// findings judges the targets. A target without a finding has a line that says so.
func findings(all []examination) (t table, list []diagnosis, bad int) {
	t.header = []string{"target", "", "finding", "evidence", "mend"}
	for _, x := range all {
		found := board.Diagnose(*x.Facts, x.want)
		if x.left != nil {
			found = append(found, leftFinding(*x.left))
		}
		if len(found) == 0 {
			t.rows = append(t.rows, []string{x.Target, "ok", "nothing found that makes measurements bad", none, none})
		}
		for _, f := range found {
			if f.Severity == board.Bad {
				bad++
			}
			t.rows = append(t.rows, []string{x.Target, string(f.Severity), f.What, f.Evidence, f.Mend})
			list = append(list, diagnosis{x.Target, f})
		}
	}
	return t, list, bad
}

// narrow puts evidence and mend below the finding, so that a terminal holds them.
func narrow(t table, width int) table {
	out := table{header: []string{t.header[0], "", "finding, evidence, mend"}}
	name := 0
	for _, r := range t.rows {
		name = max(name, utf8.RuneCountInString(r[0]))
	}
	room := max(leastCell, width-max(name, len(t.header[0]))-2-6-2)
	for _, r := range t.rows {
		text := r[2]
		if r[3] != none {
			text += "\n" + indent(wrap(r[3], room-2)) + "\n  mend: " + r[4] // a command is copied: it stays on its line
		}
		out.rows = append(out.rows, []string{r[0], r[1], text})
	}
	return out
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
