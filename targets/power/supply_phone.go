package power

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// androidBattery is what Android tells of the battery. Current and charge are
// NaN where it does not tell them.
type androidBattery struct {
	Discharging bool
	State       string
	Volts       float64
	// Amps is signed as the phone signs it, µA taken.
	Amps     float64
	ChargeAh float64 // in the battery
}

// parseTermux reads the JSON of termux-battery-status (Termux:API): current in
// µA, voltage in mV.
func parseTermux(text []byte) (androidBattery, error) {
	var t struct {
		Status  string   `json:"status"`
		Plugged string   `json:"plugged"`
		Current *float64 `json:"current"`
		Voltage *float64 `json:"voltage"`
		Charge  *float64 `json:"charge_counter"` // µAh
		Error   string   `json:"error"`
		API     string   `json:"API_ERROR"`
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return androidBattery{}, fmt.Errorf("termux-battery-status: %w", err)
	}
	if t.Error != "" || t.API != "" {
		return androidBattery{}, fmt.Errorf("termux-battery-status: %s", clip(t.Error+t.API))
	}
	if t.Status == "" {
		return androidBattery{}, errors.New("termux-battery-status: no status in its answer")
	}
	b := androidBattery{
		Discharging: t.Status == "DISCHARGING" && (t.Plugged == "" || t.Plugged == "UNPLUGGED"),
		State:       strings.ToLower(clip(t.Status + " " + t.Plugged)),
		Volts:       math.NaN(), Amps: math.NaN(), ChargeAh: math.NaN(),
	}
	if t.Voltage != nil {
		b.Volts = *t.Voltage / 1e3
	}
	if t.Current != nil {
		b.Amps = *t.Current / 1e6
	}
	if t.Charge != nil {
		b.ChargeAh = *t.Charge / 1e6
	}
	return b, nil
}

// dumpsysDischarging is BatteryManager.BATTERY_STATUS_DISCHARGING.
const dumpsysDischarging = 3

// errFaked is for `dumpsys battery unplug`, after which the charger feeds on.
var errFaked = &Unavailable{
	Reason: "the battery's state is faked by dumpsys battery unplug: the charger still feeds the load",
	Mend:   "run dumpsys battery reset, and unplug the cable",
}

// parseDumpsys reads the text of `dumpsys battery`: voltage in mV, charge counter
// in µAh, a status by number. It tells no current.
func parseDumpsys(text []byte) (androidBattery, error) {
	b := androidBattery{Volts: math.NaN(), Amps: math.NaN(), ChargeAh: math.NaN()}
	status := -1
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if strings.Contains(line, "UPDATES STOPPED") {
			return androidBattery{}, errFaked
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		var number float64
		switch key {
		case "status", "voltage", "Charge counter":
			var err error
			if number, err = parseAttr(value); err != nil {
				return androidBattery{}, fmt.Errorf("dumpsys battery: line %d: %s: %w", n, key, err)
			}
		}
		switch key {
		case "status":
			status = int(number)
		case "voltage":
			b.Volts = number / 1e3
		case "Charge counter":
			b.ChargeAh = number / 1e6
		case "AC powered", "USB powered", "Wireless powered", "Dock powered":
			if value == "true" {
				b.State = strings.ToLower(key)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return androidBattery{}, fmt.Errorf("dumpsys battery: %w", err)
	}
	if status < 0 {
		return androidBattery{}, errors.New("dumpsys battery: no status in its answer")
	}
	b.Discharging = status == dumpsysDischarging && b.State == ""
	if b.State == "" {
		b.State = "in status " + strconv.Itoa(status)
	}
	return b, nil
}

// Android reads a phone's battery by a command: its power, or the charge that
// has left it times the voltage.
type Android struct {
	what  Description
	ask   func() (androidBattery, error)
	sign  float64
	scale float64
	last  androidBattery
	seen  repeats
	sumJ  float64
}

const (
	termuxPeriod  = 5 * time.Second // the command takes most of a second
	dumpsysPeriod = 2 * time.Second
)

// OpenTermux reads the battery of a phone through Termux:API, whose apps may not
// read /sys/class/power_supply.
func OpenTermux(root string, facts Facts) (Meter, error) {
	command := termuxCommand(root)
	if command == "" {
		return nil, &Unavailable{Reason: "there is no termux-battery-status", Mend: "pkg install termux-api, and install the Termux:API app"}
	}
	return openAndroid("termux-battery", termuxPeriod, facts, func() (androidBattery, error) {
		out, err := runCommand(10*time.Second, command)
		if err != nil {
			return androidBattery{}, err
		}
		return parseTermux(out)
	})
}

func termuxCommand(root string) string {
	return program(root, "termux-battery-status", "data/data/com.termux/files/usr/bin")
}

// OpenDumpsys reads the battery through `dumpsys battery`, which adb's shell may
// run. The charge counter's steps are coarse: windows should last minutes.
func OpenDumpsys(root string, facts Facts) (Meter, error) {
	command := dumpsysCommand(root)
	if command == "" {
		return nil, &Unavailable{Reason: "there is no dumpsys: this is not Android's shell"}
	}
	return OpenDumpsysBy(facts, func() ([]byte, error) { return runCommand(5*time.Second, command, "battery") })
}

// OpenDumpsysBy is OpenDumpsys with the caller's way to run `dumpsys battery`, as
// over adb.
func OpenDumpsysBy(facts Facts, run func() ([]byte, error)) (Meter, error) {
	return openAndroid("dumpsys-battery", dumpsysPeriod, facts, func() (androidBattery, error) {
		out, err := run()
		if err != nil {
			return androidBattery{}, err
		}
		if len(out) > commandLimit {
			return androidBattery{}, fmt.Errorf("dumpsys battery: more than %d bytes", commandLimit)
		}
		return parseDumpsys(out)
	})
}

func dumpsysCommand(root string) string { return program(root, "dumpsys", "system/bin") }

func openAndroid(source string, period time.Duration, facts Facts, ask func() (androidBattery, error)) (Meter, error) {
	if err := facts.checkBattery(); err != nil {
		return nil, err
	}
	a := &Android{ask: ask, sign: facts.BatterySign, scale: facts.BatteryScale}
	b, err := ask()
	if u := (*Unavailable)(nil); errors.As(err, &u) {
		return nil, u
	}
	if err != nil {
		return nil, opening(source, err)
	}
	switch {
	case !b.Discharging:
		return nil, &Unavailable{Reason: "the battery is not discharging: " + b.State, Mend: unplugMend}
	case !(b.Volts >= 1 && b.Volts <= 100):
		return nil, &Unavailable{Reason: source + " tells no voltage", Mend: "update Termux and Termux:API"}
	case math.IsNaN(b.Amps) && math.IsNaN(b.ChargeAh):
		return nil, &Unavailable{Reason: source + " tells neither current nor charge"}
	case b.Amps == 0:
		return nil, &Unavailable{Reason: source + " tells a current of 0 A"}
	}
	rail := Rail{Name: "battery", InTotal: true, Budget: batteryBudget}
	a.what = Description{Source: source, Scope: "battery", TotalRule: "the battery's discharge", Total: Total{Gain: 1}, Cycle: period}
	if math.IsNaN(b.Amps) {
		rail.Counter, rail.Budget.LSBA = true, 0
		a.what.TotalRule = "charge counter × mean voltage"
	} else {
		if a.sign == 0 {
			a.sign = math.Copysign(1, b.Amps)
		}
		if a.scale == 0 {
			a.scale = 1
			if w := math.Abs(b.Amps) * b.Volts * 1000; w >= 0.5 && w <= 15 {
				a.scale = 1000
			}
		}
		a.what.Settings = map[string]string{"sign": strconv.FormatFloat(a.sign, 'g', -1, 64), "scale": strconv.FormatFloat(a.scale, 'g', -1, 64)}
	}
	a.what.Rails = []Rail{rail}
	a.last = b
	return pace(a, period), nil
}

// Describe says what is measured and how.
func (a *Android) Describe() Description { return a.what }

// Close has nothing to give back.
func (a *Android) Close() error { return nil }

// Read writes the battery's power, or the joules since the meter was opened.
func (a *Android) Read(dst []Value) error {
	if len(dst) != 1 {
		return fmt.Errorf("reading %s: %d values for 1 rail", a.what.Source, len(dst))
	}
	b, err := a.ask()
	if err != nil {
		return fmt.Errorf("reading %s: %w", a.what.Source, err)
	}
	dst[0] = missing
	counter := a.what.Rails[0].Counter
	switch {
	case !b.Discharging || math.IsNaN(b.Volts):
	case counter && !math.IsNaN(b.ChargeAh):
		// A charge that rises was refilled behind our back: it counts nothing.
		if b.ChargeAh <= a.last.ChargeAh {
			a.sumJ += (a.last.ChargeAh - b.ChargeAh) * 3600 * (a.last.Volts + b.Volts) / 2
			dst[0] = Value{Joules: a.sumJ, Watts: math.NaN(), Volts: b.Volts, Amps: math.NaN()}
			if b.ChargeAh == a.last.ChargeAh {
				dst[0].Flags |= Stale
			}
		}
		a.last = b
	case !counter && !math.IsNaN(b.Amps) && b.Amps*a.sign >= 0:
		amps := b.Amps * a.sign * a.scale
		dst[0] = Value{Watts: amps * b.Volts, Joules: math.NaN(), Volts: b.Volts, Amps: amps}
		if a.seen.stale(b.Volts, amps) {
			dst[0].Flags |= Stale
		}
		a.last = b
	}
	return nil
}
