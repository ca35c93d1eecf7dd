package board

import (
	"path/filepath"
	"slices"
	"strings"
)

// Battery is a battery and what flows into it.
type Battery struct {
	Name    string `json:"name"`
	Status  string `json:"status"`            // Charging, Discharging, Full, Not charging, Unknown
	Percent *int64 `json:"percent,omitempty"` // of its charge
}

// Battery returns the machine's own battery, nil where there is none. Batteries
// of mice and pens (scope Device) are not meant.
func (s Source) Battery() *Battery {
	for _, dir := range s.glob("sys/class/power_supply/*") {
		name := filepath.Base(dir)
		if strings.HasPrefix(name, "ucsi-source-psy-") || s.text(dir, "type") != "Battery" || s.text(dir, "scope") == "Device" {
			continue
		}
		b := Battery{Name: name, Status: s.text(dir, "status"), Percent: s.number(dir, "capacity")}
		if b.Status == "" || s.number(dir, "present") != nil && *s.number(dir, "present") == 0 {
			continue
		}
		return &b
	}
	return nil
}

// Discharging says whether the machine runs on the battery.
func (b *Battery) Discharging() bool { return b != nil && b.Status == "Discharging" }

// Supply is a 5 V feed whose voltage can be read.
type Supply struct {
	Rail string
	path string // in mV
}

// feeds are the labels of rails that come from the board's 5 V supply. A
// module's VDD_IN may be fed at up to 20 V.
var feeds = []string{"POM_5V_IN", "VIN_SYS_5V0"}

// Supplies lists the 5 V feeds that the kernel measures.
func (s Source) Supplies() []Supply {
	var out []Supply
	add := func(labels, prefix, cut, file string) {
		for _, path := range s.glob(labels) {
			label := s.text(path)
			n := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), prefix), cut)
			if slices.Contains(feeds, label) {
				out = append(out, Supply{Rail: label, path: filepath.Join(filepath.Dir(path), file+n+"_input")})
			}
		}
	}
	add("sys/class/hwmon/hwmon*/in*_label", "in", "_label", "in")
	add("sys/bus/iio/devices/iio:device*/rail_name_*", "rail_name_", "", "in_voltage")
	return out
}

// Volts reads a feed; nil where it does not answer.
func (s Source) Volts(p Supply) *float64 {
	n := s.number(p.path)
	if n == nil {
		return nil
	}
	v := float64(*n) / 1000
	return &v
}
