package power

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ina2xxBudgets are the chips of the kernel's drivers ina2xx and ina238 (TI
// SBOS448, SBOS547, SBOS601, SBOS644, SBOS656, SBOSA20).
var ina2xxBudgets = map[string]chipBudget{
	"ina219": {0.005, 100e-6, 10e-6, 4e-3, 0.32, 32},
	"ina220": {0.005, 100e-6, 10e-6, 4e-3, 0.32, 32},
	"ina226": {0.001, 10e-6, 2.5e-6, 1.25e-3, 32767 * 2.5e-6, 36},
	"ina230": {0.005, 50e-6, 2.5e-6, 1.25e-3, 32767 * 2.5e-6, 36},
	"ina231": {0.005, 50e-6, 2.5e-6, 1.25e-3, 32767 * 2.5e-6, 36},
	"ina237": {0.003, 50e-6, 5e-6, 3.125e-3, 32767 * 5e-6, 85},
	"ina238": {0.001, 5e-6, 5e-6, 3.125e-3, 32767 * 5e-6, 85},
}

// ina260Budget is of the chip with a 2 mΩ shunt within, in A where the others
// are in V over the shunt.
var ina260Budget = Budget{GainRel: 0.005, OffsetA: 5e-3, LSBA: 1.25e-3, LSBV: 1.25e-3}

// ina2xxDefaultUOhm is what the driver takes where nobody tells it the shunt.
const ina2xxDefaultUOhm = 10000

func isINA2xx(chip string) bool {
	_, ok := ina2xxBudgets[chip]
	return ok || chip == "ina260"
}

// OpenHwmonINA2xx reads the INA219, INA226, INA238 and their kin that the kernel
// has bound below root (drivers/hwmon/ina2xx.c, ina238.c): power1_input, made by
// the chip of one conversion. in0_input, the shunt voltage in whole mV, is too
// coarse to be used. Without a rail of the inventory's total there must be one
// chip only, whose bus voltage tells what it feeds.
func OpenHwmonINA2xx(root string, facts Facts) (Meter, error) {
	dirs := hwmonOf(root, isINA2xx)
	if len(dirs) == 0 {
		return nil, &Unavailable{
			Reason: "the kernel has no INA2xx bound",
			Mend:   "bind one as root: write \"ina226 0x40\" to /sys/bus/i2c/devices/i2c-1/new_device, then the shunt in µΩ to its shunt_resistor",
		}
	}
	m := &attrMeter{what: Description{Source: "hwmon-" + dirs[0].chip, Settings: map[string]string{}}}
	for i, d := range dirs {
		d.keep(m.what.Settings, "update_interval", "shunt_resistor", "samples")
		cycle, averaged := d.ina2xxTiming()
		// Of several chips the slowest makes the cycle, and the one that sees least
		// of the time what the total is a mean over.
		if m.what.Cycle = max(m.what.Cycle, cycle); i == 0 || averaged < m.what.Averaged {
			m.what.Averaged = averaged
		}
		rail, err := m.ina2xx(d, facts)
		if err != nil {
			return nil, err
		}
		m.rails = append(m.rails, rail)
	}
	module := jetsonOf(facts.compatible(root))
	if module != nil && module.shuntUOhm > 0 {
		module = nil // its own rule is of its INA3221 rails
	}
	if facts.Scope == "" {
		facts.Scope = m.supplyScope()
	}
	return m.finish(facts, module)
}

// ina2xxTiming is the time of a new reading and the stretch that its power is the
// mean over: the whole cycle of a chip that averages blocks without dead time. An
// INA219 has no update_interval, because its driver always leaves it at single
// conversions of 12 bits, shunt and bus by turns (configuration 0x399f).
func (d hwmonDir) ina2xxTiming() (cycle, averaged time.Duration) {
	if d.chip == "ina219" || d.chip == "ina220" {
		one := ina219Time(0x3)
		return 2 * one, one
	}
	return d.interval(), d.interval()
}

func (m *attrMeter) ina2xx(d hwmonDir, facts Facts) (attrRail, error) {
	name := d.label("power1_label", "in1_label", "label", "device/of_node/label")
	if name == "" {
		name = d.chip + "." + d.at
	}
	file := func(n string) string { return filepath.Join(d.path, n) }
	driver := 0.0
	if exists(file("shunt_resistor")) {
		var err error
		if driver, err = (attr{file("shunt_resistor"), 1}).read(); err != nil {
			return attrRail{}, opening(m.what.Source, err)
		}
	}
	uohm, scale, err := trueShunt(facts, name, driver)
	if err != nil {
		return attrRail{}, err
	}
	if _, stated := facts.ShuntUOhm[name]; !stated && driver == ina2xxDefaultUOhm {
		m.warnings = append(m.warnings, fmt.Sprintf("%s: %d µΩ is what the driver takes when nobody tells it the shunt: check it, or state it in the inventory",
			file("shunt_resistor"), ina2xxDefaultUOhm))
	}
	chip := ina2xxBudgets[d.chip]
	r := attrRail{
		rail:  Rail{Name: name, ShuntUOhm: uohm, Budget: chip.over(uohm)},
		volts: attr{file("in1_input"), 1e-3}, amps: attr{file("curr1_input"), 1e-3}, watts: attr{file("power1_input"), 1e-6},
		scale: scale, maxV: chip.fullBusV,
	}
	if d.chip == "ina260" {
		r.rail.Budget = ina260Budget
		r.maxA, r.maxV = 32767*1.25e-3, 36
	} else if driver > 0 {
		r.maxA = (chip.fullShuntV/(driver*1e-6) - 0.5e-3) * scale
	}
	return r, nil
}

// label is the first of some files that holds a name.
func (d hwmonDir) label(files ...string) string {
	for _, f := range files {
		if s := optAttr(filepath.Join(d.path, f)); s != "" {
			return clip(s)
		}
	}
	return ""
}

// supplyScope tells by the voltage of the only rail what it feeds.
func (m *attrMeter) supplyScope() string {
	if len(m.rails) != 1 {
		return "board"
	}
	volts, err := m.rails[0].volts.read()
	switch {
	case err == nil && volts > 4.4 && volts < 5.6:
		return "board-5V"
	case err == nil && volts > 10.8 && volts < 13.2:
		return "board-12V"
	}
	return "board"
}

// OpenHwmonPower reads every power*_input and energy*_input of the chips for
// which there is no meter of its own. What such a chip measures is its maker's
// knowledge, so that the inventory must name the rails of the total.
func OpenHwmonPower(root string, facts Facts) (Meter, error) {
	m := &attrMeter{what: Description{Source: "hwmon", Settings: map[string]string{}}}
	for _, d := range hwmonOf(root, func(chip string) bool { return !isINA3221(chip) && !isINA2xx(chip) }) {
		for _, kind := range []string{"power", "energy"} {
			for _, n := range channels(d.path, kind) {
				m.rails = append(m.rails, genericRail(d, kind, n))
			}
		}
		if len(m.rails) > 0 {
			m.what.Cycle = max(m.what.Cycle, d.interval())
		}
	}
	if len(m.rails) == 0 {
		return nil, &Unavailable{Reason: "no hardware monitor of the kernel tells power or energy"}
	}
	if len(facts.TotalRails) == 0 {
		names := make([]string, len(m.rails))
		for i := range m.rails {
			names[i] = m.rails[i].rail.Name
		}
		return nil, &Unavailable{
			Reason: "what of this machine the monitors " + strings.Join(names, ", ") + " cover is not known",
			Mend:   "name those whose sum is the total in the inventory",
		}
	}
	return m.finish(facts, nil)
}

// channels lists the numbers of a kind of channel below a monitor.
func channels(dir, kind string) []int {
	// The pattern is constant: there is no error.
	paths, _ := filepath.Glob(filepath.Join(dir, kind+"*_input"))
	var ns []int
	for _, p := range paths {
		digits := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(p), kind), "_input")
		if n, err := strconv.Atoi(digits); err == nil && n >= 0 {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return ns
}

func genericRail(d hwmonDir, kind string, n int) attrRail {
	label := d.label(fmt.Sprintf("%s%d_label", kind, n))
	if label == "" {
		label = fmt.Sprintf("%s%d", kind, n)
	}
	from := attr{filepath.Join(d.path, fmt.Sprintf("%s%d_input", kind, n)), 1e-6}
	// No data sheet is known: 5 % is what a monitor of a board's supply that is
	// worth reading keeps to.
	r := attrRail{rail: Rail{Name: d.chip + ":" + label, Budget: Budget{GainRel: 0.05, LSBW: 1e-6}}, scale: 1}
	if kind == "energy" {
		r.rail.Counter, r.joules, r.rail.Budget.LSBW = true, from, 0
	} else {
		r.watts = from
	}
	return r
}
