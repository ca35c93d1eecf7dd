package power

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
)

// plant writes the files of an archive below a new root. Lists of the device
// tree are separated by NUL there, by lines in the archive.
func plant(t *testing.T, archive string, changes ...string) string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range a.Files {
		files[f.Name] = string(f.Data)
	}
	root := t.TempDir()
	for name, text := range files {
		if strings.HasPrefix(name, "proc/device-tree/") {
			text = strings.ReplaceAll(text, "\n", "\x00")
		}
		put(t, root, name, text)
	}
	for i := 0; i < len(changes); i += 2 {
		put(t, root, changes[i], changes[i+1])
	}
	return root
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// totalOf reads a meter once and returns its rails' powers and their sum by its
// rule.
func totalOf(t *testing.T, m Meter) (map[string]float64, float64) {
	t.Helper()
	d := m.Describe()
	values := make([]Value, len(d.Rails))
	if err := m.Read(values); err != nil {
		t.Fatal(err)
	}
	rails, sum := map[string]float64{}, 0.0
	for i, r := range d.Rails {
		rails[r.Name] = values[i].Watts
		if r.InTotal {
			sum += values[i].Watts
		}
	}
	return rails, sum*d.Total.Gain + d.Total.OffsetW
}

var attrNear = cmp.Options{cmpopts.EquateApprox(1e-9, 1e-12), cmpopts.EquateNaNs()}

const orinChip = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/"

// A user of each module gets the power of the module: no rail counted twice, none
// left out. jetson_stats once took VIN_SYS_5V0 for the board's total.
func TestModulesAddUp(t *testing.T) {
	for _, c := range []struct {
		archive string
		open    func(string, Facts) (Meter, error)
		total   float64
		shunt   float64
		rails   map[string]float64
	}{
		{
			"hwmon/orin-nano.txtar", OpenHwmonINA3221, 5.048 * 0.992, 5000,
			map[string]float64{"VDD_IN": 5.048 * 0.992, "VDD_CPU_GPU_CV": 5.040 * 0.152, "VDD_SOC": 5.040 * 0.288},
		},
		{
			"hwmon/agx-orin.txtar", OpenHwmonINA3221, 19.168*0.520 + 19.168*0.240 + 5*0.720, 2000,
			map[string]float64{"VDD_GPU_SOC": 19.168 * 0.520, "VDD_CPU_CV": 19.168 * 0.240, "VIN_SYS_5V0": 3.6, "VDDQ_VDD2_1V8AO": 19.168 * 0.060},
		},
		{
			"hwmon/agx-xavier.txtar", OpenHwmonINA3221, 19 * 0.320, 5000,
			map[string]float64{"GPU": 1.9, "CPU": 0.76, "SOC": 1.14, "CV": 0.152, "VDDRQ": 0.608, "SYS5V": 1.52},
		},
		{
			"iio/nano-jetpack4.txtar", OpenIIO, 1.658, 5000,
			map[string]float64{"POM_5V_IN": 1.658, "POM_5V_GPU": 0.161, "POM_5V_CPU": 0.485},
		},
		{"hwmon/thor.txtar", OpenHwmonINA2xx, 30, 2000, map[string]float64{"VIN": 30}},
		{"hwmon/ina226.txtar", OpenHwmonINA2xx, 5.1, 10000, map[string]float64{"ina226.hwmon2": 5.1}},
	} {
		t.Run(c.archive, func(t *testing.T) {
			m, err := c.open(plant(t, c.archive), Facts{})
			if err != nil {
				t.Fatal(err)
			}
			rails, total := totalOf(t, m)
			if diff := cmp.Diff(c.rails, rails, attrNear); diff != "" {
				t.Errorf("watts (-want +got):\n%s", diff)
			}
			if math.Abs(total-c.total) > 1e-9 {
				t.Errorf("total %g W, want %g", total, c.total)
			}
			d := m.Describe()
			if d.TotalRule == "" || d.Scope == "" || d.Source == "" {
				t.Errorf("description without rule, scope or source: %+v", d)
			}
			for _, r := range d.Rails {
				if r.ShuntUOhm != c.shunt || !r.Budget.Stated() || r.Budget.OffsetA <= 0 {
					t.Errorf("rail %+v: want a shunt of %g µΩ and limits of error", r, c.shunt)
				}
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The record of an energy says how the sensor was set up, and its error budget
// is the data sheet's over the board's shunt.
func TestINA3221Description(t *testing.T) {
	m, err := OpenHwmonINA3221(plant(t, "hwmon/orin-nano.txtar"), Facts{})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Describe()
	if d.Cycle != 42*time.Millisecond || d.Scope != "module" || d.Source != "hwmon-ina3221" {
		t.Errorf("cycle %v, scope %s, source %s; want 6 conversions of 7 ms, module, hwmon-ina3221", d.Cycle, d.Scope, d.Source)
	}
	for key, want := range map[string]string{"1-0040.samples": "1", "1-0040.update_interval": "7", "1-0040.shunt1_resistor": "5000", "1-0040.curr1_max": "32760"} {
		if d.Settings[key] != want {
			t.Errorf("setting %s is %q, want %q", key, d.Settings[key], want)
		}
	}
	want := Rail{
		Name: "VDD_IN", InTotal: true, ShuntUOhm: 5000,
		Budget: Budget{GainRel: 0.0025, ShuntRel: 0.01, OffsetA: 0.016, LSBA: 0.008, LSBV: 0.008},
	}
	if diff := cmp.Diff(want, d.Rails[0], attrNear); diff != "" {
		t.Errorf("rail (-want +got):\n%s", diff)
	}
}

// The interval of an energy depends on what of the time a sensor sees: each driver
// must say how long a reading takes, and what it is the mean over.
func TestTimesOfTheKernelsSensors(t *testing.T) {
	const (
		nano = "sys/bus/i2c/drivers/ina3221x/6-0040/"
		ina  = "sys/class/hwmon/hwmon2/"
		us   = time.Microsecond
	)
	for name, c := range map[string]struct {
		archive         string
		change          [][2]string
		open            func(string, Facts) (Meter, error)
		cycle, averaged time.Duration
	}{
		"INA3221 as found": {"hwmon/orin-nano.txtar", nil, OpenHwmonINA3221, 42 * time.Millisecond, 7 * time.Millisecond / 6},
		"INA3221, a filter over 16": {
			"hwmon/orin-nano.txtar",
			[][2]string{{orinChip + "samples", "16"}, {orinChip + "update_interval", "106"}},
			OpenHwmonINA3221, 636 * time.Millisecond, 212 * time.Millisecond,
		},
		"INA226":                 {"hwmon/ina226.txtar", [][2]string{{ina + "update_interval", "35"}}, OpenHwmonINA2xx, 35 * time.Millisecond, 35 * time.Millisecond},
		"INA219":                 {"hwmon/ina226.txtar", [][2]string{{ina + "name", "ina219"}}, OpenHwmonINA2xx, 1064 * us, 532 * us},
		"JetPack 4, nobody says": {"iio/nano-jetpack4.txtar", nil, OpenIIO, 0, 0},
		"JetPack 4, converting at each reading": {"iio/nano-jetpack4.txtar", [][2]string{
			{nano + "iio:device0/running_mode_0", "0\n"}, {nano + "of_node/ti,trigger-config", "\x00\x00\x70\x03"},
		}, OpenIIO, 9 * 840 * us, 140 * us},
		"JetPack 4, always converting": {"iio/nano-jetpack4.txtar", [][2]string{
			{nano + "iio:device0/running_mode_0", "1\n"}, {nano + "of_node/ti,continuous-config", "\x00\x00\x76\x07"},
		}, OpenIIO, 64 * 840 * us, 2 * 64 * 840 * us},
		"JetPack 4, no channel": {"iio/nano-jetpack4.txtar", [][2]string{{nano + "of_node/ti,trigger-config", "\x00\x00\x00\x03"}}, OpenIIO, 0, 0},
		"JetPack 4, no number":  {"iio/nano-jetpack4.txtar", [][2]string{{nano + "of_node/ti,trigger-config", "\x70\x03"}}, OpenIIO, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, c.archive)
			for _, file := range c.change {
				put(t, root, file[0], file[1])
			}
			m, err := c.open(root, Facts{})
			if err != nil {
				t.Fatal(err)
			}
			if d := m.Describe(); d.Cycle != c.cycle || d.Averaged != c.averaged {
				t.Errorf("a reading every %v over %v, want %v over %v", d.Cycle, d.Averaged, c.cycle, c.averaged)
			}
		})
	}
}

// A driver that was not told the shunt takes 10 mΩ for 5: every joule would be
// half of what it is. The user hears of it, with the command that mends it.
func TestAWrongShuntIsRefused(t *testing.T) {
	root := plant(t, "hwmon/orin-nano.txtar", orinChip+"shunt1_resistor", "10000\n")
	_, err := OpenHwmonINA3221(root, Facts{})
	var u *Unavailable
	if !errors.As(err, &u) || !strings.Contains(u.Reason, "10000 µΩ") || !strings.Contains(u.Reason, "0.5 times") || !strings.Contains(u.Mend, "write 5000") {
		t.Errorf("got %v", err)
	}
	m, err := OpenHwmonINA3221(root, Facts{ShuntUOhm: map[string]float64{"VDD_IN": 5000}})
	if err != nil {
		t.Fatal(err)
	}
	if _, total := totalOf(t, m); math.Abs(total-2*5.048*0.992) > 1e-9 {
		t.Errorf("with the true shunt stated: %g W, want twice what the driver says", total)
	}
	if _, err := OpenHwmonINA3221(root, Facts{ShuntUOhm: map[string]float64{"VDD_IN": math.NaN()}}); err == nil {
		t.Error("a shunt of NaN was taken")
	}
}

// A rail of the total that is switched off must not read as a cheaper board.
func TestADisabledRailOfTheTotal(t *testing.T) {
	root := plant(t, "hwmon/orin-nano.txtar", orinChip+"in1_enable", "0\n")
	_, err := OpenHwmonINA3221(root, Facts{})
	var u *Unavailable
	if !errors.As(err, &u) || !strings.Contains(u.Reason, "VDD_IN") || !strings.Contains(u.Mend, "enable") {
		t.Errorf("got %v", err)
	}
	m, err := OpenHwmonINA3221(root, Facts{TotalRails: []string{"VDD_CPU_GPU_CV", "VDD_SOC"}, Scope: "SoC-package"})
	if err != nil {
		t.Fatal(err)
	}
	if d := m.Describe(); d.Scope != "SoC-package" || !strings.Contains(d.TotalRule, "inventory") {
		t.Errorf("scope %q, rule %q", d.Scope, d.TotalRule)
	}
}

func TestSaturationIsFlagged(t *testing.T) {
	root := plant(t, "hwmon/orin-nano.txtar", orinChip+"curr1_input", "32760\n")
	m, err := OpenHwmonINA3221(root, Facts{})
	if err != nil {
		t.Fatal(err)
	}
	values := make([]Value, 3)
	for _, c := range []struct {
		milliamps string
		want      Flag
	}{{"32760", Saturated}, {"-32760", Saturated}, {"32752", 0}} {
		put(t, root, orinChip+"curr1_input", c.milliamps)
		if err := m.Read(values); err != nil {
			t.Fatal(err)
		}
		if values[0].Flags != c.want {
			t.Errorf("at %s mA: flags %b, want %b", c.milliamps, values[0].Flags, c.want)
		}
	}
	if err := m.Read(values[:1]); err == nil {
		t.Error("a short slice was taken")
	}
}

// Rails that gate, firmware that is busy and a disturbed bus cost a reading, not
// the trial. A file that is gone does.
func TestPassingErrors(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{
		syscall.ENODATA: true, syscall.EAGAIN: true, syscall.ETIMEDOUT: true, syscall.EIO: true, syscall.ENXIO: true,
		syscall.ENOENT: false, syscall.EACCES: false, syscall.ENODEV: false,
	} {
		if got := passing(fmt.Errorf("reading: %w", &fs.PathError{Op: "read", Path: "in1_input", Err: errno})); got != want {
			t.Errorf("%v passes: %v, want %v", errno, got, want)
		}
	}
	root := plant(t, "hwmon/orin-nano.txtar")
	m, err := OpenHwmonINA3221(root, Facts{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, orinChip, "curr2_input")); err != nil {
		t.Fatal(err)
	}
	if err := m.Read(make([]Value, 3)); err == nil || !strings.Contains(err.Error(), "VDD_CPU_GPU_CV") {
		t.Errorf("got %v", err)
	}
}

// An inventory's rails decide for chips that nobody knows; without one the user
// is told the names to choose from.
func TestGenericMonitors(t *testing.T) {
	root := plant(t, "hwmon/generic.txtar")
	_, err := OpenHwmonPower(root, Facts{})
	var u *Unavailable
	if !errors.As(err, &u) || !strings.Contains(u.Reason, "amdgpu:PPT, amd_energy:Esocket0") {
		t.Errorf("got %v", err)
	}
	m, err := OpenHwmonPower(root, Facts{TotalRails: []string{"amd_energy:Esocket0"}, Scope: "SoC-package"})
	if err != nil {
		t.Fatal(err)
	}
	values := make([]Value, 2)
	if err := m.Read(values); err != nil {
		t.Fatal(err)
	}
	want := []Value{
		{Watts: 45, Joules: math.NaN(), Volts: math.NaN(), Amps: math.NaN()},
		{Watts: math.NaN(), Joules: 123.456789, Volts: math.NaN(), Amps: math.NaN()},
	}
	if diff := cmp.Diff(want, values, attrNear); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if r := m.Describe().Rails; r[0].InTotal || !r[1].InTotal || !r[1].Counter {
		t.Errorf("rails %+v: want the socket's counter as the total", r)
	}
}

// A shunt that nobody told the driver is worth a doubt.
func TestDefaultShuntOfINA226Warns(t *testing.T) {
	m, err := OpenHwmonINA2xx(plant(t, "hwmon/ina226.txtar"), Facts{})
	if err != nil {
		t.Fatal(err)
	}
	if w := m.(warner).Warnings(); len(w) != 1 || !strings.Contains(w[0], "shunt_resistor") {
		t.Errorf("warnings %q", w)
	}
	if d := m.Describe(); d.Scope != "board-5V" || d.Cycle != 36*time.Millisecond {
		t.Errorf("scope %s, cycle %v", d.Scope, d.Cycle)
	}
}

func TestLabelsThatMeanNothing(t *testing.T) {
	got := map[string]bool{}
	want := map[string]bool{"NC": true, "NC (spare)": true, "sum of shunt voltages": true, "VDD_IN": false, "SYNC": false, "": false}
	for label := range want {
		got[label] = notConnected(label)
	}
	if !maps.Equal(want, got) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A hostile or broken tree costs an error, never memory or a wrong number.
func TestBrokenAttributes(t *testing.T) {
	for _, text := range []string{"", "abc", "0x10", "1e3", "99999999999999999999", strings.Repeat("1", attrLimit+1), "\xff\xfe"} {
		root := plant(t, "hwmon/orin-nano.txtar", orinChip+"in1_input", text)
		if _, err := OpenHwmonINA3221(root, Facts{}); err == nil {
			t.Errorf("in1_input %q was taken", clip(text))
		}
	}
}

func FuzzParseAttr(f *testing.F) {
	for _, s := range []string{"5048", "3200 ma", "-8", "", "1e9", " 7\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := parseAttr(s); err == nil && (math.IsNaN(v) || math.IsInf(v, 0) || v != math.Trunc(v)) {
			t.Errorf("%q read as %g", s, v)
		}
	})
}
