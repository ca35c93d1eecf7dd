package power

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// iioDirs lists the industrial I/O devices below root that have a file.
func iioDirs(root, file string) []string {
	var dirs []string
	seen := map[string]bool{}
	for _, pattern := range []string{"sys/bus/iio/devices/iio:device*", "sys/bus/i2c/drivers/ina3221x/*/iio:device*"} {
		// The pattern is constant: there is no error.
		paths, _ := filepath.Glob(filepath.Join(root, pattern, file))
		for _, path := range paths {
			dir := filepath.Dir(path)
			if real, err := filepath.EvalSymlinks(dir); err == nil && !seen[real] {
				seen[real] = true
				dirs = append(dirs, dir)
			}
		}
	}
	slices.Sort(dirs)
	return dirs
}

// OpenIIO reads the INA3221 of a Jetson with JetPack 4 or older, through NVIDIA's
// own driver ina3221x: rail_name_K, in_voltageK_input (mV), in_currentK_input
// (mA) and in_powerK_input (mW), K from 0 to 2.
func OpenIIO(root string, facts Facts) (Meter, error) {
	dirs := iioDirs(root, "rail_name_0")
	if len(dirs) == 0 {
		return nil, &Unavailable{Reason: "the kernel has no ina3221x (JetPack 4)"}
	}
	module := jetsonOf(facts.compatible(root))
	m := &attrMeter{what: Description{Source: "iio-ina3221x", Settings: map[string]string{}}}
	for _, dir := range dirs {
		before := len(m.rails)
		for k := range 3 {
			file := func(pattern string) string { return filepath.Join(dir, fmt.Sprintf(pattern, k)) }
			name := clip(optAttr(file("rail_name_%d")))
			if name == "" || notConnected(name) {
				continue
			}
			// The driver does not tell the shunt that it reckons with: only the
			// module's is known. The inventory's cannot correct it, but is the better
			// base of the budget.
			uohm := module.shunt(name)
			if said := facts.ShuntUOhm[name]; said > 0 {
				uohm = said
			}
			for _, limit := range []string{"warn_current_limit_%d", "crit_current_limit_%d"} {
				if s := optAttr(file(limit)); s != "" {
					m.what.Settings[name+"."+strings.TrimSuffix(limit, "_%d")] = clip(s)
				}
			}
			r := attrRail{
				rail:  Rail{Name: name, ShuntUOhm: uohm, Budget: ina3221Budget.over(uohm)},
				volts: attr{file("in_voltage%d_input"), 1e-3},
				amps:  attr{file("in_current%d_input"), 1e-3},
				scale: 1, maxV: ina3221Budget.fullBusV,
			}
			if path := file("in_power%d_input"); exists(path) {
				r.watts = attr{path, 1e-3}
			}
			if uohm > 0 {
				r.maxA = ina3221Budget.fullShuntV/(uohm*1e-6) - 0.5e-3
			}
			m.rails = append(m.rails, r)
		}
		m.ina3221xTiming(dir, m.rails[before:])
	}
	if len(m.rails) == 0 {
		return nil, &Unavailable{Reason: "no channel of the ina3221x is connected"}
	}
	return m.finish(facts, module)
}

// ina3221xTiming adds what the device tree has the driver write into a chip
// (drivers/iio of NVIDIA's 4.9 kernels, ina3221.c): continuous conversions, whose
// average is the chip's filter, or else a conversion of all channels for every
// attribute that is read. Where the tree is silent the times stay unknown.
func (m *attrMeter) ina3221xTiming(dir string, rails []attrRail) {
	continuous := optAttr(filepath.Join(dir, "running_mode_0")) == "1"
	property := "ti,trigger-config"
	if continuous {
		property = "ti,continuous-config"
	}
	config, ok := deviceProperty(dir, property)
	channels := bits.OnesCount16(config >> 12 & 7)
	if !ok || channels == 0 || len(rails) == 0 {
		return
	}
	m.what.Settings[filepath.Base(dir)+"."+property] = hex16(config)
	plan := inaPlanOf(config)
	cycle, averaged := plan.cycle(channels), inaTimes[plan.shunt]
	switch {
	case plan.average == 0:
	case continuous:
		averaged = 2 * cycle // see ina3221
	default:
		averaged = cycle
	}
	if !continuous {
		attributes := 0
		for _, r := range rails {
			for _, a := range []attr{r.volts, r.amps, r.watts} {
				if a.path != "" {
					attributes++
				}
			}
		}
		cycle *= time.Duration(attributes)
	}
	m.what.Cycle, m.what.Averaged = m.what.Cycle+cycle, max(m.what.Averaged, averaged)
}

// deviceProperty is the low half of a number that the device tree has for an iio
// device, or for the chip that it belongs to.
func deviceProperty(dir, name string) (v uint16, ok bool) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return 0, false
	}
	for _, node := range []string{"of_node", "../of_node"} {
		f, err := os.Open(filepath.Join(real, node, name))
		if err != nil {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(f, 5))
		f.Close()
		if err == nil && len(b) == 4 {
			return binary.BigEndian.Uint16(b[2:]), true
		}
	}
	return 0, false
}
