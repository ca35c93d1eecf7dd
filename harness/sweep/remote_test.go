package sweep

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/board"
	"github.com/seed-c6f48606/harness/targets/power"
)

// A runner on other cores than the user's would measure another machine.
func TestCPUMask(t *testing.T) {
	for set, want := range map[string]string{"0": "1", "0-3": "f", "4-7": "f0", "0-3,5": "2f", "63": "8000000000000000", "64,65": "30000000000000000", "3": "8"} {
		if got, err := cpuMask(set); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", set, got, err, want)
		}
	}
	if _, err := cpuMask("3-1"); err == nil {
		t.Error("a set that is none has a mask")
	}
}

// A setting that the user did not allow must not be tried, and one that they did
// must not be forgotten.
func TestOnlyAllowedSettingsAreMade(t *testing.T) {
	wish := targets.Target{PowerMode: "15W", Governor: "performance"}
	for name, c := range map[string]struct {
		sudo []string
		want board.Setting
	}{
		"nothing":    {nil, board.Setting{}},
		"power mode": {[]string{"/usr/sbin/nvpmodel"}, board.Setting{PowerMode: "15W", Sudo: []string{board.SudoPowerMode}}},
		"all": {[]string{"nvpmodel", "jetson_clocks", "cpufreq-governor", "reboot"}, board.Setting{
			PowerMode: "15W", Clocks: true, Governor: "performance", Sudo: []string{board.SudoPowerMode, board.SudoClocks, board.SudoGovernor},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			wish.Sudo = c.sudo
			got := wanted(wish)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A wrong shunt makes every joule wrong by its factor.
func TestSensorsOfTheInventoryReachTheRunner(t *testing.T) {
	got, err := SensorsOf(targets.Target{
		Name: "pi4", Total: []string{"5V"}, Battery: &targets.Battery{Sign: -1, Scale: 1000},
		Rails: []targets.Rail{
			{Name: "5V", Bus: "1", Address: 0x40, Chip: "ina3221", Channel: 1, ShuntUOhm: 10000, ShuntRel: 0.005, MaxAmps: 4, Volts: 5},
			{Name: "3V3", Bus: "1", Address: 0x40, Channel: 2, ShuntUOhm: 20000},
			{Name: "VDD_IN", ShuntUOhm: 5000},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := command.Sensors{
		Total: []string{"5V"}, ShuntUOhm: map[string]float64{"VDD_IN": 5000}, Battery: &command.Battery{Sign: -1, Scale: 1000},
		I2C: &power.I2C{Bus: "1", Address: 0x40, Chip: "ina3221", Rails: []power.I2CRail{
			{Name: "5V", Channel: 1, ShuntUOhm: 10000, ShuntRel: 0.005, MaxAmps: 4, Volts: 5}, {Name: "3V3", Channel: 2, ShuntUOhm: 20000, Subset: true},
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(power.I2C{}, "Sleep")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = SensorsOf(targets.Target{Rails: []targets.Rail{{Name: "a", Bus: "1", Address: 0x40, ShuntUOhm: 1}, {Name: "b", Bus: "1", Address: 0x41, ShuntUOhm: 1}}})
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.Harness || e.Mend == "" {
		t.Errorf("two sensors: %v", err)
	}
}

// An emulator's milliseconds that pass for a board's decide what is bought.
func TestStandInsAreLabelled(t *testing.T) {
	m := wire.MeasureResult{Env: wire.Environment{Virtual: virtualBoard}, Energy: &wire.Energy{}}
	label(&m)
	if !m.Energy.Simulated || len(m.Warnings) != 1 || m.Warnings[0].Code != "emulated" {
		t.Errorf("energy simulated %v, warnings %v", m.Energy.Simulated, m.Warnings)
	}
	real := wire.MeasureResult{Env: wire.Environment{Virtual: "kvm"}, Energy: &wire.Energy{}}
	if label(&real); real.Energy.Simulated || real.Warnings != nil {
		t.Errorf("a virtual machine is taken for an emulated board: %+v", real)
	}
}
