package command

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-c6f48606/harness/targets/power"
)

// A gauge whose sign is guessed wrongly has no reading at all; one whose mA pass for
// µA makes a phone use a thousandth of what it does.
func TestBatteryOfTheInventoryReachesTheGauge(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "sys/class/power_supply/battery")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"type": "Battery", "status": "Discharging", "current_now": "-41", "voltage_now": "3958000"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	argv, err := Sensors{Battery: &Battery{Sign: -1, Scale: 1000}}.Argv()
	if err != nil || len(argv) != 2 {
		t.Fatalf("%q, %v", argv, err)
	}
	var told Sensors
	if err := (sensorsVar{&told}).Set(argv[1]); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		told Sensors
		want map[string]string
	}{
		"told":     {told, map[string]string{"battery.sign": "-1", "battery.scale": "1000"}},
		"sign":     {Sensors{Battery: &Battery{Sign: 1}}, map[string]string{"battery.sign": "1", "battery.scale": "1"}},
		"not told": {Sensors{}, map[string]string{"battery.sign": "-1", "battery.scale": "1"}},
	} {
		m, err := power.OpenBattery(root, c.told.facts())
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Describe().Settings; !maps.Equal(got, c.want) {
			t.Errorf("%s: the gauge is read by %v, want %v", name, got, c.want)
		}
	}
	for _, text := range []string{`{"battery":{"gain":2}}`, `{"battery":-1}`} {
		if err := (sensorsVar{&Sensors{}}).Set(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
