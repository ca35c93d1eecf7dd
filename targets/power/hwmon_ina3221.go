package power

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// OpenHwmonINA3221 reads the INA3221 chips that the kernel has bound below root
// (drivers/hwmon/ina3221.c), all of them as one meter: a module's rails may lie
// on two. Settings stay as they are found, since the chip also feeds the SoC's
// over-current throttle. Every attribute waits for a conversion, so that a
// reading of three rails takes about six of the chip's cycles: 40 ms at its
// defaults. That is the meter's Cycle.
//
// A shunt that the driver has otherwise than the module's designers have it is
// refused: every power would be wrong by the ratio.
func OpenHwmonINA3221(root string, facts Facts) (Meter, error) {
	dirs := hwmonOf(root, isINA3221)
	if len(dirs) == 0 {
		return nil, &Unavailable{
			Reason: "the kernel has no INA3221 bound",
			Mend:   "on a Jetson with JetPack 5 or later the ina3221 module is loaded by the device tree: look at dmesg",
		}
	}
	module := jetsonOf(facts.compatible(root))
	m := &attrMeter{what: Description{Source: "hwmon-ina3221", Settings: map[string]string{}}}
	for _, d := range dirs {
		d.keep(m.what.Settings, "samples", "update_interval")
		before := len(m.rails)
		for n := 1; n <= 3; n++ {
			rail, used, err := ina3221Channel(d, n, facts, module)
			if err != nil {
				return nil, err
			}
			if !used {
				continue
			}
			d.keep(m.what.Settings, fmt.Sprintf("shunt%d_resistor", n), fmt.Sprintf("curr%d_max", n), fmt.Sprintf("curr%d_crit", n))
			m.rails = append(m.rails, rail)
		}
		if rails := len(m.rails) - before; rails > 0 {
			m.what.Cycle += time.Duration(2*rails) * d.interval()
			m.what.Averaged = max(m.what.Averaged, d.averaged(rails))
		}
	}
	if len(m.rails) == 0 {
		return nil, &Unavailable{
			Reason: "every channel of the INA3221 at " + dirs[0].at + " is switched off or not connected",
			Mend:   "switch one on as root: write 1 to " + filepath.Join(dirs[0].path, "in1_enable"),
		}
	}
	return m.finish(facts, module)
}

// averaged is the time that a reading of one channel stands for: its own share
// of a cycle, or twice the cycle where the chip's running average makes a reading
// a cycle old in the mean (see ina3221).
func (d hwmonDir) averaged(rails int) time.Duration {
	if samples, err := parseAttr(optAttr(filepath.Join(d.path, "samples"))); err == nil && samples > 1 {
		return 2 * d.interval()
	}
	return d.interval() / time.Duration(2*rails)
}

func isINA3221(chip string) bool { return chip == "ina3221" }

// ina3221Channel is channel n of a chip. It is not used where it is not
// connected or switched off.
func ina3221Channel(d hwmonDir, n int, facts Facts, module *jetson) (attrRail, bool, error) {
	file := func(pattern string) string { return filepath.Join(d.path, fmt.Sprintf(pattern, n)) }
	label := optAttr(file("in%d_label"))
	if notConnected(label) || optAttr(file("in%d_enable")) == "0" || !exists(file("in%d_input")) {
		return attrRail{}, false, nil
	}
	if label == "" {
		label = fmt.Sprintf("%s.ch%d", d.at, n)
	}
	driver, err := attr{file("shunt%d_resistor"), 1}.read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return attrRail{}, false, opening("hwmon-ina3221", err)
	}
	uohm, scale, err := trueShunt(facts, label, driver)
	if err != nil {
		return attrRail{}, false, err
	}
	_, stated := facts.ShuntUOhm[label]
	if want := module.shunt(label); want > 0 && driver > 0 && !stated && math.Abs(driver-want) > shuntRel*want {
		return attrRail{}, false, &Unavailable{
			Reason: fmt.Sprintf("the kernel takes the shunt of %s for %g µΩ (%s), a %s has %g: its power would read %.3g times what it is",
				label, driver, file("shunt%d_resistor"), module.name, want, want/driver),
			Mend: fmt.Sprintf("as root write %g to that file, or state the board's true shunt in the inventory", want),
		}
	}
	r := attrRail{
		rail:  Rail{Name: label, ShuntUOhm: uohm, Budget: ina3221Budget.over(uohm)},
		volts: attr{file("in%d_input"), 1e-3},
		amps:  attr{file("curr%d_input"), 1e-3},
		scale: scale, maxV: ina3221Budget.fullBusV,
	}
	if driver > 0 {
		// The driver rounds to mA: half of one below full scale is full scale.
		r.maxA = (ina3221Budget.fullShuntV/(driver*1e-6) - 0.5e-3) * scale
	}
	return r, true, nil
}

var labelWord = regexp.MustCompile(`[A-Za-z0-9]+`)

// notConnected reports the labels by which device trees say that nothing, or
// nothing physical, is behind a channel.
func notConnected(label string) bool {
	return strings.Contains(label, "sum of shunt") || slices.Contains(labelWord.FindAllString(label, -1), "NC")
}

// opening tells why a sensor that is there cannot be used: the user's rights are
// for the user to mend, the rest is a fault.
func opening(source string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &Unavailable{
			Reason: fmt.Sprintf("%s is there, but this user may not read it (%v)", source, err),
			Mend:   "give the user's group the right to read it by a udev rule, or run as root",
		}
	}
	return fmt.Errorf("opening %s: %w", source, err)
}
