package power

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// batteryBudget: fuel gauges are good for 2 to 5 % over a minute or more, and
// count currents in steps of about 1 mA.
var batteryBudget = Budget{GainRel: 0.05, LSBA: 1e-3}

// batteryPeriod: gauges renew their filtered values every 1 to 4 s, and a
// firmware may block for a second a property.
const batteryPeriod = time.Second

const unplugMend = "unplug the charger (over the network the board needs no cable) and run from the battery"

// battery is one fuel gauge below sys/class/power_supply.
type battery struct {
	dir   string
	name  string
	power bool    // it tells power_now, no current
	sign  float64 // +1: a discharge counts positive; 0: not seen yet
	scale float64 // of the current, to µA
	seen  repeats
}

// repeats tells a gauge that stands still from a steady load: a gauge has no mark of
// a new value. Of one that shows parts of a mA or mV, two equal readings are hardly
// two conversions; whole ones may repeat for a while.
type repeats struct {
	last [2]float64
	n    int  // readings equal to the one before, in a row
	fine bool // parts were seen
}

// mostRepeats of whole mA and mV count as a steady load's.
const mostRepeats = 10

// stale says whether a reading is likely the last one again.
func (r *repeats) stale(volts, amps float64) bool {
	parts := func(v float64) bool { return math.Abs(1000*v-math.Round(1000*v)) > 1e-4 }
	r.fine = r.fine || parts(volts) || parts(amps)
	if now := [2]float64{volts, amps}; now != r.last {
		r.last, r.n = now, 0
		return false
	}
	r.n++
	return r.fine || r.n > mostRepeats
}

// Supply reads fuel gauges (Documentation/ABI/testing/sysfs-class-power): µA and
// µV, or µW.
type Supply struct {
	what      Description
	batteries []*battery
}

// OpenBattery reads the batteries below root, which must be discharging: while a
// charger is connected the gauge tells what flows into the battery, not what the
// board uses. Windows should last 60 s or more.
//
// Vendors disagree on the sign and some tell mA. The sign is taken from the
// status; the scale is 1000 where only so the power comes to 0.5 to 15 W. Both
// stand in the settings, and the inventory may fix them.
func OpenBattery(root string, facts Facts) (Meter, error) {
	s := &Supply{what: Description{
		Source: "battery", Scope: "battery", TotalRule: "sum of the batteries' discharge",
		Total: Total{Gain: 1}, Cycle: batteryPeriod, Averaged: batteryPeriod, Settings: map[string]string{},
	}}
	if err := facts.checkBattery(); err != nil {
		return nil, err
	}
	for _, dir := range batteryDirs(root) {
		b := &battery{dir: dir, name: filepath.Base(dir), sign: facts.BatterySign, scale: facts.BatteryScale}
		if err := b.open(); err != nil {
			return nil, err
		}
		s.batteries = append(s.batteries, b)
		s.what.Rails = append(s.what.Rails, Rail{Name: b.name, InTotal: true, Budget: batteryBudget})
		s.what.Settings[b.name+".sign"] = strconv.FormatFloat(b.sign, 'g', -1, 64)
		s.what.Settings[b.name+".scale"] = strconv.FormatFloat(b.scale, 'g', -1, 64)
	}
	if len(s.batteries) == 0 {
		return nil, &Unavailable{Reason: "this machine has no battery"}
	}
	return pace(s, batteryPeriod), nil
}

// batteryDirs lists the batteries that feed the machine: not those of a mouse,
// not the negotiation of USB power.
func batteryDirs(root string) []string {
	// The pattern is constant: there is no error.
	paths, _ := filepath.Glob(filepath.Join(root, "sys/class/power_supply/*"))
	return slices.DeleteFunc(paths, func(dir string) bool {
		return strings.HasPrefix(filepath.Base(dir), "ucsi-source-psy-") ||
			optAttr(filepath.Join(dir, "type")) != "Battery" ||
			optAttr(filepath.Join(dir, "scope")) == "Device" ||
			optAttr(filepath.Join(dir, "present")) == "0"
	})
}

func (b *battery) file(name string) string { return filepath.Join(b.dir, name) }

// open calibrates the gauge: it must be discharging, at a plausible power.
func (b *battery) open() error {
	status, err := readAttr(b.file("status"))
	if err != nil {
		return opening("battery", err)
	}
	if status != "Discharging" {
		return &Unavailable{Reason: fmt.Sprintf("battery %s is %s, not discharging", b.name, strings.ToLower(clip(status))), Mend: unplugMend}
	}
	b.power = !exists(b.file("current_now"))
	if b.power && !exists(b.file("power_now")) {
		return &Unavailable{Reason: "battery " + b.name + " tells neither current_now nor power_now"}
	}
	given := b.scale != 0
	if !given {
		b.scale = 1
	}
	v, err := b.quantities()
	if err != nil {
		return opening("battery", err)
	}
	switch {
	case v.Watts == 0:
		return &Unavailable{
			Reason: "battery " + b.name + " is discharging at 0 A: it is not what feeds this board",
			Mend:   "boards that run from a 12 V supply show meaningless gauges: use an external meter",
		}
	case !b.power && (v.Volts < 1 || v.Volts > 100):
		return &Unavailable{Reason: fmt.Sprintf("battery %s says %g V", b.name, v.Volts)}
	}
	if w := math.Abs(v.Watts) * 1000; !given && !b.power && w >= 0.5 && w <= 15 {
		b.scale = 1000
	}
	if b.sign == 0 {
		b.sign = math.Copysign(1, v.Watts)
	}
	return nil
}

// quantities are the gauge's own, signed as it signs them.
func (b *battery) quantities() (Value, error) {
	v := Value{Volts: math.NaN(), Amps: math.NaN(), Joules: math.NaN()}
	if b.power {
		var err error
		v.Watts, err = attr{b.file("power_now"), 1e-6}.read()
		return v, err
	}
	var err error
	if v.Amps, err = (attr{b.file("current_now"), 1e-6 * b.scale}).read(); err != nil {
		return v, err
	}
	v.Volts, err = attr{b.file("voltage_now"), 1e-6}.read()
	v.Watts = v.Volts * v.Amps
	return v, err
}

// Describe says what is measured and how.
func (s *Supply) Describe() Description { return s.what }

// Close has nothing to give back.
func (s *Supply) Close() error { return nil }

// Read writes the powers of discharge. A battery that is being charged, or that
// a charger relieves, is missing.
func (s *Supply) Read(dst []Value) error {
	if len(dst) != len(s.batteries) {
		return fmt.Errorf("reading battery: %d values for %d rails", len(dst), len(s.batteries))
	}
	for i, b := range s.batteries {
		v, err := b.read()
		if err != nil && !passing(err) {
			return fmt.Errorf("reading battery %s: %w", b.name, err)
		}
		if err != nil {
			v = missing
		}
		dst[i] = v
	}
	return nil
}

func (b *battery) read() (Value, error) {
	status, err := readAttr(b.file("status"))
	if err != nil {
		return Value{}, err
	}
	v, err := b.quantities()
	if err != nil {
		return Value{}, err
	}
	v.Amps, v.Watts = v.Amps*b.sign, v.Watts*b.sign
	if status != "Discharging" || v.Watts < 0 {
		return missing, nil
	}
	if !b.power && b.seen.stale(v.Volts, v.Amps) {
		v.Flags |= Stale
	}
	return v, nil
}
