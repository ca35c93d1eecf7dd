package power

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rack is the tree of several archives together.
func rack(t *testing.T, archives ...string) string {
	t.Helper()
	root := plant(t, archives[0])
	for _, a := range archives[1:] {
		if err := os.CopyFS(root, os.DirFS(plant(t, a))); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func addRAPL(t *testing.T, root string) string {
	t.Helper()
	for name, text := range server() {
		put(t, root, name, text)
	}
	return root
}

// Each machine is measured by the sensor that sees most of it best, and the user
// can read why the others were not taken.
func TestTheBestSensorIsChosen(t *testing.T) {
	for name, c := range map[string]struct {
		root   string
		want   string
		others []string
	}{
		"Orin Nano":               {plant(t, "hwmon/orin-nano.txtar"), "hwmon-ina3221", nil},
		"Nano, JetPack 4":         {plant(t, "iio/nano-jetpack4.txtar"), "iio-ina3221x", nil},
		"Thor":                    {plant(t, "hwmon/thor.txtar"), "hwmon-ina238", nil},
		"Pi 4 with an INA226":     {plant(t, "hwmon/ina226.txtar"), "hwmon-ina226", nil},
		"phone":                   {plant(t, "supply/phone.txtar"), "battery", nil},
		"Pixel":                   {rack(t, "odpm/pixel6.txtar", "supply/phone.txtar"), "odpm", []string{"battery"}},
		"laptop on its battery":   {addRAPL(t, plant(t, "supply/laptop.txtar")), "rapl", []string{"battery"}},
		"x86 with monitors":       {addRAPL(t, plant(t, "hwmon/generic.txtar")), "rapl", []string{"hwmon"}},
		"Jetson with a USB gauge": {rack(t, "hwmon/orin-nano.txtar", "supply/laptop.txtar"), "hwmon-ina3221", []string{"battery"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := OpenBest(c.root)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if got := m.Describe().Source; got != c.want {
				t.Errorf("OpenBest took %s, want %s", got, c.want)
			}
			found := Find(c.root, Facts{})
			var others []string
			for i, f := range found {
				if i > 0 {
					others = append(others, f.Source)
				}
				if f.Why == "" || (f.Err == nil) != (f.Open != nil) {
					t.Errorf("%s: why %q, error %v", f.Source, f.Why, f.Err)
				}
			}
			if found[0].Source != c.want || !strings.HasPrefix(found[0].Why, "chosen") || !slices.Equal(others, c.others) {
				t.Errorf("found %s (%s), then %v; want %s, then %v", found[0].Source, found[0].Why, others, c.want, c.others)
			}
			again, err := found[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Without a sensor the figure is unavailable, with the reason that fits the board.
func TestNoSensorSaysWhy(t *testing.T) {
	device := "proc/device-tree/compatible"
	for name, c := range map[string]struct{ root, reason string }{
		"virtual machine": {t.TempDir(), "RAPL"},
		"Pi 4":            {plantText(t, device, "raspberrypi,4-model-b\x00brcm,bcm2711\x00"), "no sensor of current"},
		"Pi 5":            {plantText(t, device, "raspberrypi,5-model-b\x00brcm,bcm2712\x00"), "vcgencmd"},
		"RB3 Gen 2":       {plantText(t, device, "qcom,qcs6490-rb3gen2\x00qcom,qcm6490\x00"), "no rail monitor"},
		"Orin, no driver": {plantText(t, device, "nvidia,p3767-0005\x00nvidia,tegra234\x00"), "no INA3221"},
		"other board":     {plantText(t, device, "pine64,rockpro64\x00"), "pine64,rockpro64"},
		"charging phone":  {plant(t, "supply/phone.txtar", gauge+"status", "Charging"), "not discharging"},
		"12 V kit":        {plant(t, "supply/phone.txtar", gauge+"current_now", "0"), "0 A"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenBest(c.root)
			var u *Unavailable
			if !errors.As(err, &u) || !strings.Contains(u.Reason, c.reason) || u.Mend == "" {
				t.Errorf("got %v, want an Unavailable with %q and a mend", err, c.reason)
			}
			for _, f := range Find(c.root, Facts{}) {
				if f.Err == nil {
					t.Errorf("Find says that %s can be used", f.Source)
				}
			}
		})
	}
}

func plantText(t *testing.T, name, text string) string {
	t.Helper()
	root := t.TempDir()
	put(t, root, name, text)
	return root
}

// A sensor that breaks between two trials must not be replaced by one of another
// scope: their energies would be compared.
func TestABrokenSensorIsNotReplaced(t *testing.T) {
	root := addRAPL(t, plant(t, "hwmon/orin-nano.txtar"))
	if err := os.Remove(filepath.Join(root, orinChip, "curr1_input")); err != nil {
		t.Fatal(err)
	}
	m, err := OpenBest(root)
	if u := (*Unavailable)(nil); err == nil || errors.As(err, &u) {
		t.Fatalf("got %v, %v; want a fault", m, err)
	}
	found := Find(root, Facts{})
	if len(found) != 2 || found[0].Source != "rapl" || found[1].Err == nil {
		t.Errorf("found %+v", found)
	}
}

// What the inventory says reaches the sensor.
func TestFactsReachTheSensor(t *testing.T) {
	root := plant(t, "hwmon/orin-nano.txtar", orinChip+"shunt1_resistor", "10000")
	if _, err := OpenBest(root); err == nil {
		t.Error("a wrong shunt was taken")
	}
	m, err := OpenBestOf(root, Facts{ShuntUOhm: map[string]float64{"VDD_IN": 5000}})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Describe().Rails[0].ShuntUOhm; got != 5000 {
		t.Errorf("shunt %g µΩ, want 5000", got)
	}
}
