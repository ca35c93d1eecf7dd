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
		case r.ShuntUOhm < 0 || r.ShuntUOhm > 10_000_000:
			return &Problem{key("shunt_uohm"), fmt.Sprintf("%d: must be from 1 to 10000000 µΩ (10 Ω)", r.ShuntUOhm)}
		case (r.Bus == "") != (r.Address == 0):
			return &Problem{key("bus"), "and address belong together: give both for a sensor on I2C, or neither"}
		case r.Bus != "" && r.ShuntUOhm == 0:
			return &Problem{key("shunt_uohm"), "is missing: without the shunt a sensor's voltage is no current"}
		case r.Bus != "" && !wordLike.MatchString(r.Bus):
			return &Problem{key("bus"), cut(r.Bus) + ": must be the number or name of an I2C bus"}
		case r.Bus == "" && (r.Chip != "" || r.Channel != 0):
			return &Problem{key("bus"), "is missing: chip and channel are of a sensor on I2C"}
		case r.Bus == "" && r.ShuntUOhm == 0:
			return &Problem{key("shunt_uohm"), "is missing: a rail needs its shunt, or a sensor with bus and address"}
		case r.Bus != "" && (r.Bus != sensor.Bus || r.Address != sensor.Address):
			return &Problem{key("bus"), fmt.Sprintf("%s and address %#x are of another sensor than rail %s; one can be read at a time: keep one, or bind the sensors to the kernel's driver",
				r.Bus, r.Address, sensor.Name)}
		case r.Bus != "" && r.Chip != "" && sensor.Chip != "" && r.Chip != sensor.Chip:
			return &Problem{key("chip"), fmt.Sprintf("%s: rail %s has %s at the same address", r.Chip, sensor.Name, sensor.Chip)}
		case r.Channel < 0 || r.Channel > 3:
			return &Problem{key("channel"), fmt.Sprintf("%d: must be from 1 to 3", r.Channel)}
		}
		if err := checkI2C(key("address"), r.Address); err != nil {
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
		}
		return checkI2C("meter.address", m.Address)
	}
	return nil
}
