package power

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// hwmonDir is one device of the kernel's hardware monitor.
type hwmonDir struct {
	path string
	chip string // its name file
	at   string // the I²C device ("1-0040"), or the hwmon's own name
}

var i2cDevice = regexp.MustCompile(`^[0-9]+-00[0-9a-f]{2}$`)

// hwmonDirs lists the hardware monitors below root by place, not by their
// number, which changes from boot to boot.
func hwmonDirs(root string) []hwmonDir {
	var dirs []hwmonDir
	seen := map[string]bool{}
	for _, pattern := range []string{"sys/class/hwmon/hwmon*", "sys/bus/i2c/drivers/*/*/hwmon/hwmon*"} {
		// The pattern is constant: there is no error.
		paths, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, path := range paths {
			real, err := filepath.EvalSymlinks(path)
			if err != nil || seen[real] {
				continue
			}
			seen[real] = true
			d := hwmonDir{path: path, chip: optAttr(filepath.Join(path, "name")), at: filepath.Base(path)}
			places := strings.Split(real, string(filepath.Separator))
			if device, err := filepath.EvalSymlinks(filepath.Join(path, "device")); err == nil {
				places = append(places, filepath.Base(device))
			}
			for _, part := range places {
				if i2cDevice.MatchString(part) {
					d.at = part
				}
			}
			dirs = append(dirs, d)
		}
	}
	slices.SortFunc(dirs, func(a, b hwmonDir) int { return strings.Compare(a.at, b.at) })
	return dirs
}

// hwmonOf keeps the monitors of some chips.
func hwmonOf(root string, want func(chip string) bool) []hwmonDir {
	return slices.DeleteFunc(hwmonDirs(root), func(d hwmonDir) bool { return !want(d.chip) })
}

// keep copies attributes of a monitor into the settings of a description, as they
// were found.
func (d hwmonDir) keep(settings map[string]string, names ...string) {
	for _, name := range names {
		if s := optAttr(filepath.Join(d.path, name)); s != "" {
			settings[d.at+"."+name] = clip(s)
		}
	}
}

// interval is the time of one conversion of all channels, 0 where it is not told.
func (d hwmonDir) interval() time.Duration {
	ms, err := parseAttr(optAttr(filepath.Join(d.path, "update_interval")))
	if err != nil || ms < 0 || ms > 3600e3 {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// chipBudget are the limits of a converter's errors at its data sheet's maximum.
// Offset and step of the current are in volts over the shunt.
type chipBudget struct {
	gainRel, offsetV, lsbShuntV, lsbBusV float64
	fullShuntV, fullBusV                 float64
}

// shuntRel is the tolerance of an ordinary current-sense resistor: it dominates
// every converter's own error.
const shuntRel = 0.01

// over is the budget with a shunt of so many µΩ.
func (c chipBudget) over(uohm float64) Budget {
	b := Budget{GainRel: c.gainRel, ShuntRel: shuntRel, LSBV: c.lsbBusV}
	if uohm > 0 {
		b.OffsetA, b.LSBA = c.offsetV/(uohm*1e-6), c.lsbShuntV/(uohm*1e-6)
	}
	return b
}

// TI SBOS576: gain 0.25 %, offset 80 µV; 40 µV and 8 mV a step, 12 bits and sign.
var ina3221Budget = chipBudget{0.0025, 80e-6, 40e-6, 8e-3, 4095 * 40e-6, 4095 * 8e-3}

// finish gives every rail a name of its own and makes the meter by the rule for
// its board.
func (m *attrMeter) finish(facts Facts, module *jetson) (Meter, error) {
	var names []string
	for i := range m.rails {
		r := &m.rails[i].rail
		for n, name := 2, r.Name; slices.Contains(names, r.Name); n++ {
			r.Name = fmt.Sprintf("%s#%d", name, n)
		}
		names = append(names, r.Name)
	}
	total, unavailable := ruleOf(facts, module, names)
	if unavailable != nil {
		return nil, unavailable
	}
	for i := range m.rails {
		r := &m.rails[i].rail
		r.InTotal = slices.Contains(total.rails, r.Name)
		m.what.Rails = append(m.what.Rails, *r)
	}
	m.what.TotalRule, m.what.Scope, m.what.Total = total.words, total.scope, Total{Gain: 1}
	// A sensor that cannot be read now is found out here, not in a trial.
	values := make([]Value, len(m.rails))
	if err := m.Read(values); err != nil {
		return nil, opening(m.what.Source, err)
	}
	return m, nil
}

// trueShunt is the inventory's shunt of a rail, or the driver's where it has
// none, and what currents are to be multiplied by.
func trueShunt(facts Facts, rail string, driverUOhm float64) (uohm, scale float64, err error) {
	said, ok := facts.ShuntUOhm[rail]
	if !ok {
		return driverUOhm, 1, nil
	}
	if !(said >= 1 && said <= 1e9) {
		return 0, 0, fmt.Errorf("shunt of rail %s: %g µΩ: give 1 to 1e9", rail, said)
	}
	if driverUOhm <= 0 {
		return said, 1, nil
	}
	return said, driverUOhm / said, nil
}
