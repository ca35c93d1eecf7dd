package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// look runs one of the commands that look at targets.
func look(t *testing.T, command, format string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{out: &out, err: &errs, format: format}
	inventory := filepath.Join(t.TempDir(), "targets.yaml")
	if err := os.WriteFile(inventory, []byte("targets: []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := a.probeCommand(&inventory)
	if command == "doctor" {
		c = a.doctorCommand(&inventory)
	}
	c.SetArgs(append(args, "--watch", "20ms"))
	c.SilenceUsage, c.SilenceErrors = true, true
	err = c.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

// Before the first sweep a user asks what the harness sees of a machine.
func TestProbeOfThisMachine(t *testing.T) {
	out, said, err := look(t, "probe", "table", "local")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fact", "local", "cores", "memory", "kernel tier", "sensors", "int8 at most", " GOPS on 1", "memory read", " GB/s on 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !strings.Contains(said, "measuring what local can do at most, for some seconds; --measure=false leaves it out") {
		t.Errorf("nobody is told why it takes so long: %q", said)
	}
	out, said, err = look(t, "probe", "json", "local", "local", "--measure=false")
	if err != nil {
		t.Fatal(err)
	}
	var list []examination
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || said != "" || len(list[0].Limits) > 0 {
		t.Fatalf("two without limits were asked for: %s%s", said, out)
	}
	if list[0].Target != "local" || list[0].Facts.Cores < 1 || list[0].Env.Tier == "" || list[0].Facts.Background == nil {
		t.Errorf("got %s", out)
	}
}

// One board that is not there must not hide what the others told.
func TestAMissingTargetDoesNotHideTheOthers(t *testing.T) {
	out, _, err := look(t, "probe", "table", "nowhere", "local", "--measure=false")
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out, "local") {
		t.Errorf("the other target is not shown:\n%s", out)
	}
}

func TestDoctorOfThisMachine(t *testing.T) {
	out, _, err := look(t, "doctor", "table", "local")
	var fault *wire.Error
	if err != nil && !(errors.As(err, &fault) && fault.Kind == wire.Target) {
		t.Fatal(err) // this machine may be in a bad way, but the doctor must not fail
	}
	if !strings.Contains(out, "target") || !strings.Contains(out, "local") {
		t.Errorf("got\n%s", out)
	}
}

// A script must see from the status that a board is not fit.
func TestBadFindingsAreCounted(t *testing.T) {
	ready := board.Facts{PSI: true}
	sick := ready
	bits := board.UnderVoltage
	sick.Firmware = &board.Firmware{Throttle: &bits}
	table, list, bad := findings([]examination{{Target: "good", Facts: &ready}, {Target: "sick", Facts: &sick}})
	if bad != 1 || len(list) != 1 || list[0].Target != "sick" || len(table.rows) != 2 || table.rows[0][1] != "ok" {
		t.Errorf("%d bad of %v in %v", bad, list, table.rows)
	}
}

// A table that is wider than the terminal is broken anywhere by it, and nobody can
// tell which board a fact is of.
func TestProbeFitsTheTerminal(t *testing.T) {
	var all []examination
	for _, name := range []string{"one", "two", "three"} {
		f := &board.Facts{Sensors: []board.Sensor{{Source: "pmic", Scope: "board-5V", Usable: true, Why: "chosen: the board's rails, with a fit for the rest", Rails: []string{
			"3V7_WL_SW", "3V3_SYS", "1V8_SYS", "DDR_VDD2", "DDR_VDDQ", "1V1_SYS", "0V8_SW", "VDD_CORE", "3V3_DAC", "3V3_ADC", "0V8_AON", "HDMI",
		}}}}
		all = append(all, examination{Target: name, Facts: f})
	}
	for width, tables := range map[int]int{80: 3, 120: 2, 200: 1} {
		got := probeTables(all, width)
		if len(got) != tables {
			t.Errorf("%d columns: %d tables, want %d", width, len(got), tables)
		}
		for _, table := range got {
			var b strings.Builder
			if err := table.print(&b); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("a line of %d columns, the terminal has %d: %s", n, width, line)
				}
			}
			if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), "HDMI") {
				t.Errorf("the last rail is lost:\n%s", b.String())
			}
		}
	}
}
