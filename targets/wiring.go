package targets

import (
	"fmt"
	"net/url"
	"strconv"
)

// The checks of what is wired to a board: its rails, and the meter beside it.

func (t Target) checkWiring() error {
	seen := map[string]bool{}
	var sensor *Rail // the first with a bus of its own
	for i, r := range t.Rails {
		key := func(k string) string { return fmt.Sprintf("rails[%d].%s", i, k) }
		if r.Bus != "" && sensor == nil {
			sensor = &r
		}
		switch {
		case !railLike.MatchString(r.Name):
			return &Problem{key("name"), cut(r.Name) + ": is no rail's name"}
		case seen[r.Name]:
			return &Problem{key("name"), cut(r.Name) + ": is there twice"}
		case r.ShuntUOhm < 0 || r.ShuntUOhm > maxShuntUOhm:
			return badShunt(key("shunt_uohm"), r.ShuntUOhm)
		case (r.Bus == "") != (r.Address == 0):
			return &Problem{key("bus"), "and address belong together: give both for a sensor on I2C, or neither"}
		case r.Bus != "" && r.ShuntUOhm == 0:
			return &Problem{key("shunt_uohm"), "is missing: without the shunt a sensor's voltage is no current"}
		case r.Bus != "" && !wordLike.MatchString(r.Bus):
			return &Problem{key("bus"), cut(r.Bus) + ": must be the number or name of an I2C bus"}
		case r.Bus == "" && (r.Chip != "" || r.Channel != 0 || r.MaxAmps != 0 || r.Volts != 0 || r.ShuntRel != 0):
			return &Problem{key("bus"), "is missing: chip, channel, max_amps, volts and shunt_rel are of a sensor on I2C"}
		case r.Bus == "" && r.ShuntUOhm == 0:
			return &Problem{key("shunt_uohm"), "is missing: a rail needs its shunt, or a sensor with bus and address"}
		case r.Bus != "" && (r.Bus != sensor.Bus || r.Address != sensor.Address):
			return &Problem{key("bus"), fmt.Sprintf("%s and address %#x are of another sensor than rail %s; one can be read at a time: keep one, or bind the sensors to the kernel's driver",
				r.Bus, r.Address, sensor.Name)}
		case r.Bus != "" && r.Chip != "" && sensor.Chip != "" && r.Chip != sensor.Chip:
			return &Problem{key("chip"), fmt.Sprintf("%s: rail %s has %s at the same address", r.Chip, sensor.Name, sensor.Chip)}
		}
		if err := checkI2C(key("address"), r.Address); err != nil {
			return err
		}
		chip := r.Chip
		if chip == "" && sensor != nil {
			chip = sensor.Chip
		}
		if err := checkShunt(key, chip, r.Channel, r.MaxAmps, r.Volts, r.ShuntRel); err != nil {
			return err
		}
		seen[r.Name] = true
	}
	total := map[string]bool{}
	for i, name := range t.Total {
		if !railLike.MatchString(name) || total[name] {
			return &Problem{fmt.Sprintf("total[%d]", i), cut(name) + ": must be a rail's name, each once"}
		}
		total[name] = true
	}
	return nil
}

func checkI2C(key string, address int) error {
	if address != 0 && (address < 0x08 || address > 0x77) {
		return &Problem{key, fmt.Sprintf("%#x: must be an I2C address from 0x8 to 0x77", address)}
	}
	return nil
}

// Limits of what stands beside an I2C sensor's channel. A tolerance in percent is
// the likely mistake: no shunt that anyone sells is off by a fifth.
const (
	maxShuntUOhm = 10_000_000
	maxAmps      = 1000
	maxVolts     = 36
	maxShuntRel  = 0.2
	maxOutlet    = 32
)

func badShunt(key string, uohm int) error {
	return &Problem{key, fmt.Sprintf("%d: must be from 1 to %d µΩ (10 Ω)", uohm, maxShuntUOhm)}
}

// checkShunt looks at one channel of an I2C sensor; a zero is a key left out.
func checkShunt(key func(string) string, chip string, channel int, amps, volts, rel float64) error {
	switch {
	case channel < 0 || channel > 3:
		return &Problem{key("channel"), fmt.Sprintf("%d: must be from 1 to 3", channel)}
	case channel > 1 && (chip == "ina219" || chip == "ina226"):
		return &Problem{key("channel"), fmt.Sprintf("%d: an %s has one channel", channel, chip)}
	case !(amps >= 0 && amps <= maxAmps):
		return &Problem{key("max_amps"), fmt.Sprintf("%g: must be from 0 to %d A", amps, maxAmps)}
	case !(volts >= 0 && volts <= maxVolts):
		return &Problem{key("volts"), fmt.Sprintf("%g: must be from 0 to %d V", volts, maxVolts)}
	case !(rel >= 0 && rel <= maxShuntRel):
		return &Problem{key("shunt_rel"), fmt.Sprintf("%g: must be from 0 to %g (1 %% is 0.01)", rel, maxShuntRel)}
	}
	return nil
}

// checkBattery looks at what is told of a fuel gauge, and whether it is the sensor.
func (t Target) checkBattery() error {
	b := t.Battery
	if b == nil {
		return nil
	}
	if t.Meter != nil {
		return refuse("meter", given{"battery", true})
	}
	for i, r := range t.Rails {
		if r.Bus != "" {
			return refuse(fmt.Sprintf("rails[%d].bus, whose sensor is read instead", i), given{"battery", true})
		}
	}
	switch {
	case b.Sign == 0 && b.Scale == 0:
		return &Problem{"battery", "is empty: give sign, scale or both"}
	case b.Sign < -1 || b.Sign > 1:
		return &Problem{"battery.sign", fmt.Sprintf("%d: must be 1 or -1", b.Sign)}
	case b.Scale != 0 && b.Scale != 1 && b.Scale != 1000:
		return &Problem{"battery.scale", fmt.Sprintf("%g: must be 1 where the gauge tells µA, 1000 where mA", b.Scale)}
	}
	return nil
}

func (t Target) checkMeter() error {
	m := t.Meter
	if m == nil {
		return nil
	}
	plug, wire, i2c := m.Kind == "tasmota" || m.Kind == "shelly", m.Kind == "serial", m.Kind == "i2c"
	if err := refuse("meter.kind: "+m.Kind,
		given{"meter.url", !plug && m.URL != ""}, given{"meter.scope", plug && m.Scope != ""},
		given{"meter.device", !wire && m.Device != ""}, given{"meter.baud", !wire && m.Baud != 0},
		given{"meter.bus", !i2c && m.Bus != ""}, given{"meter.address", !i2c && m.Address != 0},
		given{"meter.chip", !i2c && m.Chip != ""}, given{"meter.shunt_uohm", !i2c && m.ShuntUOhm != 0},
		given{"meter.channel", wire && m.Channel != 0}, given{"meter.max_amps", !i2c && m.MaxAmps != 0},
		given{"meter.volts", !i2c && m.Volts != 0}, given{"meter.shunt_rel", !i2c && m.ShuntRel != 0},
		given{"total", !wire && len(t.Total) > 0}, given{"rails", len(t.Rails) > 0}); err != nil {
		return err
	}
	switch m.Kind {
	case "tasmota", "shelly":
		u, err := url.Parse(m.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return &Problem{"meter.url", cut(m.URL) + ": must be the plug's address, such as http://192.168.1.50"}
		}
		if u.User != nil {
			return &Problem{"meter.url", "holds a password, which would be kept in a file; let the plug answer without one on a closed network"}
		}
		if u.RawQuery != "" || u.Path != "" && u.Path != "/" {
			return &Problem{"meter.url", cut(m.URL) + ": must end after the host; the harness knows where in a plug the readings are"}
		}
		if m.Channel < 0 || m.Channel > maxOutlet {
			return &Problem{"meter.channel", fmt.Sprintf("%d: must be an outlet from 1 to %d", m.Channel, maxOutlet)}
		}
	case "serial":
		if m.Device == "" {
			return &Problem{"meter.device", "is missing: name the serial port, such as /dev/ttyUSB0"}
		}
		if m.Baud < 0 {
			return &Problem{"meter.baud", strconv.Itoa(m.Baud) + ": must be a positive rate, such as 115200"}
		}
	case "i2c":
		switch {
		case !wordLike.MatchString(m.Bus) || m.Address == 0:
			return &Problem{"meter.bus", "and address are both needed for a sensor on I2C, such as bus: 1, address: 0x40"}
		case m.ShuntUOhm <= 0:
			return &Problem{"meter.shunt_uohm", "is missing: without the shunt a sensor's voltage is no current"}
		case m.ShuntUOhm > maxShuntUOhm:
			return badShunt("meter.shunt_uohm", m.ShuntUOhm)
		}
		if err := checkI2C("meter.address", m.Address); err != nil {
			return err
		}
		return checkShunt(func(k string) string { return "meter." + k }, m.Chip, m.Channel, m.MaxAmps, m.Volts, m.ShuntRel)
	}
	return nil
}
