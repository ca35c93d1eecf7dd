package power

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const gauge = "sys/class/power_supply/battery/"

// Vendors disagree on signs and units. A user's joules must come out positive
// and of the right size on each, from what the gauge shows while it discharges.
func TestBatteryCalibratesItself(t *testing.T) {
	for name, c := range map[string]struct {
		archive, current string
		facts            Facts
		watts            float64
		sign, scale      string
	}{
		"discharge negative": {"supply/phone.txtar", "-412500", Facts{}, 3.958 * 0.4125, "-1", "1"},
		"discharge positive": {"supply/phone.txtar", "412500", Facts{}, 3.958 * 0.4125, "1", "1"},
		"mA":                 {"supply/phone.txtar", "-412", Facts{}, 3.958 * 0.412, "-1", "1000"},
		"a quiet phone":      {"supply/phone.txtar", "-60000", Facts{}, 3.958 * 0.060, "-1", "1"},
		"by the inventory":   {"supply/phone.txtar", "-41", Facts{BatterySign: -1, BatteryScale: 1000}, 3.958 * 0.041, "-1", "1000"},
		"power only":         {"supply/laptop.txtar", "", Facts{}, 6.87, "1", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, c.archive)
			if c.current != "" {
				put(t, root, gauge+"current_now", c.current+"\n")
			}
			m, err := OpenBattery(root, c.facts)
			if err != nil {
				t.Fatal(err)
			}
			_, total := totalOf(t, m)
			if math.Abs(total-c.watts) > 1e-9 {
				t.Errorf("%g W, want %g", total, c.watts)
			}
			d := m.Describe()
			rail := d.Rails[0].Name
			if len(d.Rails) != 1 || d.Scope != "battery" || d.Settings[rail+".sign"] != c.sign || d.Settings[rail+".scale"] != c.scale {
				t.Errorf("description %+v; want one rail, sign %s, scale %s", d, c.sign, c.scale)
			}
		})
	}
}

// While a charger is connected the gauge does not tell what the board uses: the
// user is told to unplug, and gets no number.
func TestBatteryThatDoesNotFeedTheBoard(t *testing.T) {
	for name, c := range map[string][]string{
		"charging":     {gauge + "status", "Charging\n"},
		"full":         {gauge + "status", "Full\n"},
		"not charging": {gauge + "status", "Not charging\n"},
		"12 V kit":     {gauge + "current_now", "0\n"},
		"no voltage":   {gauge + "voltage_now", "0\n"},
		"absent":       {gauge + "present", "0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenBattery(plant(t, "supply/phone.txtar", c...), Facts{})
			var u *Unavailable
			if !errors.As(err, &u) || u.Reason == "" {
				t.Errorf("got %v, want an Unavailable", err)
			}
		})
	}
	root := plant(t, "supply/phone.txtar")
	for _, facts := range []Facts{{BatteryScale: math.Inf(1)}, {BatteryScale: -1}, {BatterySign: 5}, {BatterySign: math.NaN()}} {
		if _, err := OpenBattery(root, facts); err == nil {
			t.Errorf("sign %g and scale %g were taken", facts.BatterySign, facts.BatteryScale)
		}
	}
}

// A charger plugged in during a window, and a gauge that stands still.
func TestBatteryDuringAWindow(t *testing.T) {
	root := plant(t, "supply/phone.txtar")
	m, err := OpenBattery(root, Facts{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	m.(*paced).now = func() time.Time { now = now.Add(batteryPeriod); return now }
	for _, step := range []struct {
		file, text string
		want       Flag
	}{
		{"current_now", "-412500", 0},
		{"current_now", "-412500", Stale},
		{"current_now", "-500000", 0},
		{"status", "Charging", Missing},
		{"status", "Discharging", Stale},
		{"current_now", "90000", Missing},
	} {
		put(t, root, gauge+step.file, step.text)
		v := make([]Value, 1)
		if err := m.Read(v); err != nil {
			t.Fatal(err)
		}
		if v[0].Flags != step.want {
			t.Errorf("%s %s: flags %b, want %b", step.file, step.text, v[0].Flags, step.want)
		}
		if v[0].Flags == Missing && !math.IsNaN(v[0].Watts) {
			t.Errorf("a missing value of %g W", v[0].Watts)
		}
	}
}

// A phone under a steady load whose gauge shows whole mA repeats itself, and must not
// be taken for one that stands still: its trials would all be thrown away.
func TestASteadyLoadIsNoSilentGauge(t *testing.T) {
	for _, c := range []struct {
		name  string
		amps  float64
		stale int // which reading is the first to count as stale
	}{{"whole mA", 0.412, 12}, {"parts of a mA", 0.4125, 2}} {
		var r repeats
		first := 0
		for n := 1; n <= 20 && first == 0; n++ {
			if r.stale(3.958, c.amps) {
				first = n
			}
		}
		if first != c.stale {
			t.Errorf("%s: reading %d is the first stale one, want %d", c.name, first, c.stale)
		}
		if r.stale(3.958, c.amps+0.001) {
			t.Errorf("%s: a new value counts as stale", c.name)
		}
	}
}

func TestParseTermux(t *testing.T) {
	got, err := parseTermux([]byte(golden(t, "supply/termux.json")))
	if err != nil {
		t.Fatal(err)
	}
	want := androidBattery{Discharging: true, State: "discharging unplugged", Volts: 3.958, Amps: -0.4125, ChargeAh: 2.834}
	if diff := cmp.Diff(want, got, attrNear); diff != "" {
		t.Errorf("battery (-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "{}", "[]", `{"API_ERROR": "Termux:API is not yet available on Google Play"}`, `{"status":"DISCHARGING","current":"x"}`} {
		if got, err := parseTermux([]byte(text)); err == nil {
			t.Errorf("%q read as %+v", text, got)
		}
	}
}

func TestParseDumpsys(t *testing.T) {
	text := golden(t, "supply/dumpsys.txt")
	got, err := parseDumpsys([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := androidBattery{Discharging: true, State: "in status 3", Volts: 3.958, Amps: math.NaN(), ChargeAh: 2.834}
	if diff := cmp.Diff(want, got, attrNear); diff != "" {
		t.Errorf("battery (-want +got):\n%s", diff)
	}
	if got, err := parseDumpsys([]byte(strings.Replace(text, "USB powered: false", "USB powered: true", 1))); err != nil || got.Discharging || got.State != "usb powered" {
		t.Errorf("on a cable: %+v, %v", got, err)
	}
	// A faked state is the trap that would sell charger current as an idle board.
	var u *Unavailable
	if _, err := parseDumpsys([]byte("Current Battery Service state:\n  (UPDATES STOPPED -- use 'reset' to restart)\n" + text)); !errors.As(err, &u) || !strings.Contains(u.Mend, "reset") {
		t.Errorf("faked: %v", err)
	}
	for _, bad := range []string{"", "status: x", "voltage: 3958"} {
		if got, err := parseDumpsys([]byte(bad)); err == nil {
			t.Errorf("%q read as %+v", bad, got)
		}
	}
}

// The charge that leaves the battery times its voltage is the energy; refilling
// counts nothing.
func TestDumpsysCounts(t *testing.T) {
	text := golden(t, "supply/dumpsys.txt")
	m, err := OpenDumpsysBy(Facts{}, func() ([]byte, error) { return []byte(text), nil })
	if err != nil {
		t.Fatal(err)
	}
	if r := m.Describe().Rails[0]; !r.Counter || !r.InTotal {
		t.Errorf("rail %+v, want a counter in the total", r)
	}
	now := time.Unix(0, 0)
	m.(*paced).now = func() time.Time { now = now.Add(dumpsysPeriod); return now }
	v := make([]Value, 1)
	for _, step := range []struct {
		old, new string
		joules   float64
		flags    Flag
	}{
		{"", "", 0, Stale},
		{"2834000", "2824000", 0.01 * 3600 * 3.958, 0},
		{"2824000", "2900000", math.NaN(), Missing},
		{"2900000", "2890000", 0.02 * 3600 * 3.958, 0},
		{"status: 3", "status: 2", math.NaN(), Missing},
	} {
		text = strings.Replace(text, step.old, step.new, 1)
		if err := m.Read(v); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.joules, v[0].Joules, attrNear); diff != "" || v[0].Flags != step.flags {
			t.Errorf("%s to %s: joules (-want +got) %s flags %b, want %b", step.old, step.new, diff, v[0].Flags, step.flags)
		}
	}
}

func TestTermuxThroughTheCommand(t *testing.T) {
	root := t.TempDir()
	if _, err := OpenTermux(root, Facts{}); err == nil {
		t.Error("no command, no error")
	}
	sample, err := filepath.Abs("testdata/supply/termux.json")
	if err != nil {
		t.Fatal(err)
	}
	const command = "data/data/com.termux/files/usr/bin/termux-battery-status"
	put(t, root, command, "#!/bin/sh\nexec cat '"+sample+"'\n")
	if err := os.Chmod(filepath.Join(root, command), 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := OpenTermux(root, Facts{})
	if err != nil {
		t.Fatal(err)
	}
	v := make([]Value, 1)
	if err := m.Read(v); err != nil || math.Abs(v[0].Watts-3.958*0.4125) > 1e-9 {
		t.Errorf("%v, %+v", err, v[0])
	}
}

// Over adb's shell the same meter runs the command itself.
func TestDumpsysThroughTheCommand(t *testing.T) {
	root := t.TempDir()
	sample, err := filepath.Abs("testdata/supply/dumpsys.txt")
	if err != nil {
		t.Fatal(err)
	}
	put(t, root, "system/bin/dumpsys", "#!/bin/sh\ntest \"$1\" = battery && exec cat '"+sample+"'\n")
	if err := os.Chmod(filepath.Join(root, "system/bin/dumpsys"), 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := OpenBest(root)
	if err != nil {
		t.Fatal(err)
	}
	if d := m.Describe(); d.Source != "dumpsys-battery" || !d.Rails[0].Counter {
		t.Errorf("description %+v", d)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzParseTermux(f *testing.F) {
	f.Add([]byte(`{"plugged":"UNPLUGGED","status":"DISCHARGING","voltage":3958,"current":-412500}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, err := parseTermux(text); err == nil && b.State == "" {
			t.Errorf("%q: no state", text)
		}
	})
}

func FuzzParseDumpsys(f *testing.F) {
	f.Add([]byte("  status: 3\n  voltage: 3958\n  Charge counter: 2834000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, err := parseDumpsys(text); err == nil && (math.IsInf(b.Volts, 0) || b.State == "") {
			t.Errorf("%q: %+v", text, b)
		}
	})
}
