package power

import (
	"fmt"
	"math"
)

// ina226 is Texas Instruments' INA226 (SBOS547B): one shunt of ±81.92 mV in steps of
// 2.5 µV, one bus of at most 36 V in steps of 1.25 mV, true block averages, address
// 0x40 to 0x4f. Maxima at 25 °C: shunt offset ±10 µV, bus offset ±7.5 mV, both gains
// ±0.1 %, conversion times +10 %.
//
// Watts are bus voltage × shunt voltage ÷ shunt, computed here: the chip's own power
// register has a step of 25 currents. Its arithmetic is compared once while opening,
// where a chip that only resembles an INA226 would not agree.
type ina226 struct {
	inaLink
	plan     inaPlan
	config   uint16
	foundCfg uint16
	foundCal uint16
	touched  bool
}

const (
	ina226Config = 0x00
	ina226Shunt  = 0x01
	ina226Bus    = 0x02
	ina226Power  = 0x03
	ina226Amps   = 0x04
	ina226Cal    = 0x05
	ina226Mask   = 0x06

	ina226Ready    = 1 << 3
	ina226Overflow = 1 << 2

	ina226ShuntLSB = 2.5e-6  // V
	ina226BusLSB   = 1.25e-3 // V
	// ina226Scale ÷ (current step × shunt) is the calibration (SBOS547B, 6.5.2.1).
	ina226Scale = 0.00512
	// With this calibration the current register repeats the shunt register, at the
	// finest step that the converter has.
	ina226FullScale = 2048
	// A power step is this many current steps.
	ina226PowerSteps = 25
)

func newINA226Chip(l inaLink) *ina226 {
	return &ina226{inaLink: l, plan: planINA(l.cfg.period(), 1)}
}

func (c *ina226) start() error {
	var err error
	if c.foundCfg, err = c.read(ina226Config); err != nil {
		return err
	}
	if c.foundCal, err = c.read(ina226Cal); err != nil {
		return err
	}
	if c.driver != "" {
		c.plan, c.config = inaPlanOf(c.foundCfg), c.foundCfg
		if c.foundCfg&inaMode != inaContinuous {
			return c.notConverting(c.foundCfg)
		}
		return c.compare()
	}
	// Bit 14 is not settable and reads 1.
	c.config = 1<<14 | c.plan.bits()
	if err := c.note.keep(&c.foundCfg, &c.foundCal, ina226FullScale, c.config); err != nil {
		return err
	}
	c.touched = true
	if err := c.write(ina226Cal, ina226FullScale); err != nil {
		return err
	}
	if err := c.write(ina226Config, c.config); err != nil {
		return err
	}
	if err := c.await(c.plan.cycle(1), c.ready); err != nil {
		return err
	}
	return c.compare()
}

func (c *ina226) ready() (fresh, overflow bool, err error) {
	if c.driver != "" {
		// Reading the flags would take them from the driver.
		return true, false, nil
	}
	flags, err := c.read(ina226Mask)
	return flags&ina226Ready != 0, flags&ina226Overflow != 0, err
}

func (c *ina226) values(dst []Value) error {
	shunt, err := c.read(ina226Shunt)
	if err != nil {
		return err
	}
	bus, err := c.read(ina226Bus)
	if err != nil {
		return err
	}
	dst[0] = ina226Value(shunt, bus, c.cfg.Rails[0].ShuntUOhm)
	return nil
}

func ina226Value(shunt, bus uint16, shuntUOhm float64) Value {
	full := shunt == 0x7FFF || shunt == 0x8000 || bus >= 0x7FFF
	return inaValue(float64(int16(shunt))*ina226ShuntLSB, float64(bus)*ina226BusLSB, shuntUOhm, full)
}

// compare checks the chip's current and power against its voltages. A conversion
// may end between the four reads, so that it takes more than one disagreement.
func (c *ina226) compare() error {
	var raw [5]uint16
	for range 4 {
		for i, reg := range []byte{ina226Cal, ina226Shunt, ina226Bus, ina226Amps, ina226Power} {
			v, err := c.read(reg)
			if err != nil {
				return err
			}
			raw[i] = v
		}
		// Never calibrated: the chip computes nothing.
		if raw[0] == 0 || ina226Agree(raw) {
			return nil
		}
	}
	amps, watts := ina226Computed(raw, c.cfg.Rails[0].ShuntUOhm)
	return fmt.Errorf("the chip at 0x%02x on %s computes %.4g A and %.4g W from calibration %s, shunt %s and bus %s: that is not an INA226's arithmetic; is the address right?",
		c.cfg.Address, c.bus, amps, watts, hex16(raw[0]), hex16(raw[1]), hex16(raw[2]))
}

// ina226Agree tells whether current = shunt·cal/2048 and power = current·bus/20000
// (SBOS547B, 6.5.2), within the rounding of each.
func ina226Agree(raw [5]uint16) bool {
	amps := float64(int16(raw[1])) * float64(raw[0]) / ina226FullScale
	if math.Abs(amps) > math.MaxInt16 {
		return true // its overflow flag says so
	}
	power := math.Abs(amps) * float64(raw[2]) / 20000
	slack := 1 + float64(raw[2])/20000
	return math.Abs(float64(int16(raw[3]))-amps) <= 1 && (power > math.MaxUint16 || math.Abs(float64(raw[4])-power) <= slack)
}

// ina226Computed are the current and power registers in A and W.
func ina226Computed(raw [5]uint16, shuntUOhm float64) (amps, watts float64) {
	lsb := ina226Scale / (float64(raw[0]) * shuntUOhm / 1e6)
	return float64(int16(raw[3])) * lsb, float64(raw[4]) * ina226PowerSteps * lsb
}

func (c *ina226) describe(d *Description) inaADC {
	d.Source = ChipINA226
	d.Cycle = c.plan.cycle(1)
	d.Averaged = d.Cycle // without dead time
	d.Settings["conversion"] = c.plan.String()
	d.Settings["config"] = hex16(c.config)
	d.Settings["config_found"] = hex16(c.foundCfg)
	return inaADC{
		gainI: 0.001, gainV: 0.001, offsetI: 10e-6, offsetV: 7.5e-3,
		lsbI: ina226ShuntLSB, lsbV: ina226BusLSB,
	}
}

func (c *ina226) restore() error {
	if !c.touched {
		return nil
	}
	c.touched = false
	if err := c.write(ina226Cal, c.foundCal); err != nil {
		return err
	}
	return c.write(ina226Config, c.foundCfg&^inaReset)
}

// notConverting is the error of a chip that its kernel driver does not let convert.
func (l *inaLink) notConverting(config uint16) error {
	return fmt.Errorf("the sensor at 0x%02x on %s belongs to the kernel driver %s, which has it not converting both voltages (configuration %s); enable it through hwmon, or unbind the driver",
		l.cfg.Address, l.bus, l.driver, hex16(config))
}
