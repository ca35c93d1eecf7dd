package virtual

import (
	"fmt"
	"strings"
)

// gaugeS is how often the fuel gauge makes a new reading. A phone's takes 1 s
// and more; this one is quicker, so that short windows hold enough readings.
const gaugeS = 0.25

// batteryCoulombs is the charge of a battery of 5 Ah, which is at 80 % at first.
const batteryCoulombs, batteryAtFirst = 5 * 3600, 0.8

// A Jetson's fan turns from a temperature on, by so many turns a minute a degree.
const (
	tachDir       = "sys/class/hwmon/hwmon7/"
	fanC, rpmPerC = 35, 60
)

const batteryDir = "sys/class/power_supply/battery/"

// ina is a chip of the kernel's ina3221 driver: its address, hwmon and the rails
// of its three channels, -1 for one that is not wired.
type ina struct {
	address, hwmon int
	rails          [3]int
}

// chips are the board's, with the shunts' resistance in µΩ.
func (f *files) chips() ([]ina, int) {
	switch f.spec.kind {
	case "orin-nano":
		return []ina{{0x40, 1, [3]int{0, 1, 2}}}, 5000
	case "agx-orin":
		return []ina{{0x40, 1, [3]int{0, 1, 2}}, {0x41, 2, [3]int{-1, 3, -1}}}, 2000
	}
	return nil, 0
}

func (c ina) device() string {
	return fmt.Sprintf("sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-%04x", c.address)
}

func (c ina) dir() string { return fmt.Sprintf("%s/hwmon/hwmon%d/", c.device(), c.hwmon) }

// sensors writes what does not change of the board's sensors.
func (f *files) sensors() error {
	texts := map[string]string{}
	chips, shunt := f.chips()
	for _, c := range chips {
		dir := c.dir()
		texts[c.device()+"/name"] = "ina3221\n"
		for name, text := range map[string]string{"name": "ina3221", "samples": "1", "update_interval": "7", "in7_label": "sum of shunt voltages"} {
			texts[dir+name] = text + "\n"
		}
		for i, r := range c.rails {
			texts[fmt.Sprintf("%sshunt%d_resistor", dir, i+1)] = fmt.Sprintln(shunt)
			label, enabled := "NC", "0"
			if r >= 0 {
				label, enabled = f.spec.rails[r].name, "1"
			}
			texts[fmt.Sprintf("%sin%d_label", dir, i+1)] = label + "\n"
			texts[fmt.Sprintf("%sin%d_enable", dir, i+1)] = enabled + "\n"
			for _, alarm := range []string{"max", "crit"} {
				texts[fmt.Sprintf("%scurr%d_%s", dir, i+1, alarm)] = "32760\n"
				texts[fmt.Sprintf("%scurr%d_%s_alarm", dir, i+1, alarm)] = "0\n"
			}
		}
		for name, to := range map[string]string{
			fmt.Sprintf("sys/class/hwmon/hwmon%d", c.hwmon):              strings.TrimSuffix(dir, "/"),
			fmt.Sprintf("sys/bus/i2c/drivers/ina3221/1-%04x", c.address): c.device(),
			fmt.Sprintf("sys/bus/i2c/devices/1-%04x", c.address):         c.device(),
		} {
			if err := f.link(name, to); err != nil {
				return err
			}
		}
	}
	switch {
	case len(chips) > 0:
		const soctherm = "sys/devices/platform/soctherm-oc-event/hwmon/hwmon0"
		texts[soctherm+"/name"] = "soctherm_oc\n"
		for i := 1; i <= 3; i++ {
			texts[fmt.Sprintf("%s/oc%d_throt_en", soctherm, i)] = "1\n"
		}
		if err := f.link(hwmonDir+"hwmon0", soctherm); err != nil {
			return err
		}
		texts[tachDir+"name"] = "pwm_tach\n"
		const gpu = "sys/class/devfreq/17000000.gpu/"
		for name, text := range map[string]string{"cur_freq": "306000000", "min_freq": "306000000", "max_freq": "1020000000", "governor": "nvhost_podgov", "device/of_node/name": "gpu"} {
			texts[gpu+name] = text + "\n"
		}
	case f.firmwareCaps():
		texts[hwmonDir+"hwmon0/name"], texts[hwmonDir+"hwmon1/name"] = "cpu_thermal\n", "rpi_volt\n"
	case f.spec.sensor == sensorBattery:
		for name, text := range map[string]string{"type": "Battery", "status": "Discharging", "present": "1", "health": "Good", "technology": "Li-ion"} {
			texts[batteryDir+name] = text + "\n"
		}
		for name, text := range map[string]string{"type": "USB", "online": "0", "voltage_now": "0", "current_now": "0"} {
			texts["sys/class/power_supply/usb/"+name] = text + "\n"
		}
	}
	for name, text := range texts {
		if err := f.set(name, text); err != nil {
			return err
		}
	}
	return nil
}

// liveSensors writes the readings.
func (f *files) liveSensors(m *model) error {
	numbers := map[string]int64{}
	chips, shunt := f.chips()
	for _, c := range chips {
		sum := int64(0)
		for i, r := range c.rails {
			if r < 0 {
				continue // a channel that is off has no reading: the kernel's answer is ENODATA
			}
			// Steps of 8 mV, and of 40 µV across the shunt.
			v, a := m.reading(r, 0.008, 40/float64(shunt))
			uv := int64(a*float64(shunt) + 0.5)
			numbers[fmt.Sprintf("%sin%d_input", c.dir(), i+1)] = milli(v)
			numbers[fmt.Sprintf("%scurr%d_input", c.dir(), i+1)] = milli(a)
			numbers[fmt.Sprintf("%sin%d_input", c.dir(), i+4)] = uv
			sum += uv
		}
		numbers[c.dir()+"in7_input"] = sum
	}
	switch {
	case len(chips) > 0:
		const soctherm = "sys/devices/platform/soctherm-oc-event/hwmon/hwmon0"
		for i, n := range []float64{m.sags, m.overs, 0} {
			numbers[fmt.Sprintf("%s/oc%d_event_cnt", soctherm, i+1)] = int64(n)
		}
		// What counts over-currents is the warning of the module's supply.
		numbers[chips[0].dir()+"curr1_max_alarm"] = 0
		if m.bits&bitThrottled != 0 {
			numbers[chips[0].dir()+"curr1_max_alarm"] = 1
		}
		numbers[tachDir+"rpm"] = int64(rpmPerC * max(0, m.tempC-fanC))
	case f.firmwareCaps():
		numbers[hwmonDir+"hwmon0/temp1_input"] = milli(quantize(m.tempC, 0.25))
		numbers[hwmonDir+"hwmon1/in0_lcrit_alarm"] = int64(m.bits & bitUndervolt)
	case f.spec.sensor == sensorBattery:
		if err := f.battery(m, numbers); err != nil {
			return err
		}
	}
	for name, n := range numbers {
		if err := f.setInt(name, n); err != nil {
			return err
		}
	}
	return nil
}

// battery writes the fuel gauge: µV, µA (negative out of the battery, as AOSP
// asks), µAh and tenths of a degree.
func (f *files) battery(m *model, numbers map[string]int64) error {
	g := &f.gauge
	if g.at != 0 && m.seconds-g.at < gaugeS {
		return nil
	}
	g.usedC += g.amps * max(0, m.seconds-g.at)
	g.at = m.seconds
	g.volts, g.amps = m.reading(0, 0.001, 0.001)
	left := batteryCoulombs*batteryAtFirst - g.usedC
	uv, ua := milli(g.volts)*1000, -milli(g.amps)*1000
	uah, percent, tenths := int64(left/3600*1e6), int64(100*left/batteryCoulombs), int64(10*(m.spec.thermal.ambientC-4))
	for name, n := range map[string]int64{"voltage_now": uv, "current_now": ua, "charge_counter": uah, "capacity": percent, "temp": tenths} {
		numbers[batteryDir+name] = n
	}
	dump := fmt.Sprintf("Current Battery Service state:\n  AC powered: false\n  USB powered: false\n  Wireless powered: false\n  Max charging current: 0\n  Max charging voltage: 0\n  Charge counter: %d\n  status: 3\n  health: 2\n  present: true\n  level: %d\n  scale: 100\n  voltage: %d\n  temperature: %d\n  technology: Li-ion\n",
		uah, percent, uv/1000, tenths)
	if err := f.set("run/battery", dump); err != nil {
		return err
	}
	return f.set("run/termux_battery", fmt.Sprintf("{\n  \"present\": true,\n  \"health\": \"GOOD\",\n  \"percentage\": %d,\n  \"plugged\": \"UNPLUGGED\",\n  \"status\": \"DISCHARGING\",\n  \"temperature\": %.1f,\n  \"voltage\": %d,\n  \"current\": %d,\n  \"charge_counter\": %d\n}\n",
		percent, float64(tenths)/10, uv/1000, ua, uah))
}

// sensorFiles are the files that the gap fault holds.
func (f *files) sensorFiles() []string {
	switch f.spec.sensor {
	case sensorPMIC:
		return []string{pmicFile}
	case sensorBattery:
		return []string{batteryDir + "voltage_now", batteryDir + "current_now"}
	case sensorHwmon:
		var names []string
		chips, _ := f.chips()
		for _, c := range chips {
			for i, r := range c.rails {
				if r >= 0 {
					names = append(names, fmt.Sprintf("%sin%d_input", c.dir(), i+1), fmt.Sprintf("%scurr%d_input", c.dir(), i+1))
				}
			}
		}
		return names
	}
	return nil
}
