package power

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Kinds of sensor for I2C.Chip.
const (
	ChipAuto    = "auto"
	ChipINA3221 = "ina3221"
	ChipINA226  = "ina226"
	ChipINA219  = "ina219"
)

// I2C is one power sensor on an I²C bus, as an inventory describes it.
type I2C struct {
	// Bus is a name (/dev/i2c-1, I2C1), a number (1), or empty for the first bus.
	Bus string `yaml:"bus,omitempty" json:"bus,omitempty"`
	// Address has 7 bits. 0 is 0x40, where sensors answer whose address pins are at ground.
	Address uint16 `yaml:"address,omitempty" json:"address,omitempty"`
	// Chip is ina3221, ina226, ina219, or auto (also empty) to ask the chip.
	Chip string `yaml:"chip,omitempty" json:"chip,omitempty"`
	// Scope is what the total covers; empty is board-NV with the voltage of the first rail.
	Scope string `yaml:"scope,omitempty" json:"scope,omitempty"`
	// Period is how often the sensor will be read; its averaging is chosen to cover it.
	// 0 is 35 ms.
	Period time.Duration `yaml:"period,omitempty" json:"period,omitempty"`
	// Rails are the channels in use. An INA226 or INA219 has one.
	Rails []I2CRail `yaml:"rails" json:"rails"`

	// Notes is a folder for a note of what was found in the chip, for the case that
	// this reader is killed, and for a lock that keeps others off. OpenI2C takes
	// NotesDir where it is empty, OpenI2COn then keeps none.
	Notes string `yaml:"-" json:"-"`
	// Root is where /sys lies, "/" if empty; tests have a tree of their own.
	Root string `yaml:"-" json:"-"`
	// Sleep waits for conversions, time.Sleep if nil; simulations have their own clock.
	Sleep func(time.Duration) `yaml:"-" json:"-"`
}

// I2CRail is one channel of a sensor.
type I2CRail struct {
	Name string `yaml:"name" json:"name"`
	// Channel is 1 to 3 on an INA3221; 0 takes the rails' order.
	Channel int `yaml:"channel,omitempty" json:"channel,omitempty"`
	// ShuntUOhm is the shunt's resistance, µΩ.
	ShuntUOhm float64 `yaml:"shunt_uohm" json:"shunt_uohm"`
	// ShuntRel is its relative tolerance; 0 is 0.01.
	ShuntRel float64 `yaml:"shunt_rel,omitempty" json:"shunt_rel,omitempty"`
	// MaxAmps is the highest current expected, A. It is checked against the range, and
	// chooses the range of an INA219; 0 takes the whole range.
	MaxAmps float64 `yaml:"max_amps,omitempty" json:"max_amps,omitempty"`
	// Volts is the rail's nominal voltage; a sensor that sees one more than a fifth
	// away is refused as wired to something else. 0 does not check.
	Volts float64 `yaml:"volts,omitempty" json:"volts,omitempty"`
	// Subset says that another rail contains this one: it is no part of the total.
	Subset bool `yaml:"subset,omitempty" json:"subset,omitempty"`
}

const (
	i2cAddress    = 0x40
	i2cPeriod     = 35 * time.Millisecond
	i2cMinPeriod  = time.Millisecond
	i2cMaxPeriod  = 2 * time.Second
	i2cShuntRel   = 0.01
	maxShuntUOhm  = 100e6 // 100 Ω
	voltsMismatch = 0.2
	scopeBattery  = "battery"
)

// shuntRange is the highest shunt voltage of each chip, V.
var shuntRange = map[string]float64{ChipINA3221: 163.8e-3, ChipINA226: 81.92e-3, ChipINA219: 320e-3}

// Validate tells what of a description cannot be.
func (c I2C) Validate() error {
	if c.Address != 0 && (c.Address < 0x40 || c.Address > 0x4F) {
		return fmt.Errorf("i2c sensor: address 0x%02x: these sensors answer at 0x40 to 0x4f", c.Address)
	}
	switch c.Chip {
	case "", ChipAuto, ChipINA226, ChipINA219:
	case ChipINA3221:
		if c.Address > 0x43 {
			return fmt.Errorf("i2c sensor: address 0x%02x: an ina3221 answers at 0x40 to 0x43", c.Address)
		}
	default:
		return fmt.Errorf("i2c sensor: chip %q: use auto, ina3221, ina226 or ina219", c.Chip)
	}
	if c.Period != 0 && (c.Period < i2cMinPeriod || c.Period > i2cMaxPeriod) {
		return fmt.Errorf("i2c sensor: period %v: use %v to %v", c.Period, i2cMinPeriod, i2cMaxPeriod)
	}
	most := 3
	if c.Chip == ChipINA226 || c.Chip == ChipINA219 {
		most = 1
	}
	if len(c.Rails) == 0 || len(c.Rails) > most {
		return fmt.Errorf("i2c sensor: %d rails: name 1 to %d", len(c.Rails), most)
	}
	names, channels := map[string]bool{}, map[int]bool{}
	for i, r := range c.Rails {
		if err := r.validate(c.Chip); err != nil {
			return fmt.Errorf("i2c sensor: rail %d (%s): %w", i+1, r.Name, err)
		}
		ch := r.channel(i)
		if ch > most {
			return fmt.Errorf("i2c sensor: rail %s: channel %d of a sensor with %d", r.Name, ch, most)
		}
		if names[r.Name] || channels[ch] {
			return fmt.Errorf("i2c sensor: rail %s: its name or its channel %d is taken by another rail", r.Name, ch)
		}
		names[r.Name], channels[ch] = true, true
	}
	if !slices.ContainsFunc(c.Rails, func(r I2CRail) bool { return !r.Subset }) {
		return errors.New("i2c sensor: every rail is a subset: one at least must be in the total")
	}
	return nil
}

func (r I2CRail) validate(chip string) error {
	switch {
	case r.Name == "":
		return errors.New("it has no name")
	case r.Channel < 0 || r.Channel > 3:
		return fmt.Errorf("channel %d: use 1 to 3", r.Channel)
	case !(r.ShuntUOhm >= 1 && r.ShuntUOhm <= maxShuntUOhm):
		return fmt.Errorf("shunt_uohm %g: give the shunt's resistance in µΩ (100 mΩ is 100000), 1 to %.0f", r.ShuntUOhm, float64(maxShuntUOhm))
	case !(r.ShuntRel >= 0 && r.ShuntRel < 1):
		return fmt.Errorf("shunt_rel %g: use 0 to 1 (1 %% is 0.01)", r.ShuntRel)
	case !(r.MaxAmps >= 0 && r.MaxAmps < math.MaxFloat64):
		return fmt.Errorf("max_amps %g: use 0 or more", r.MaxAmps)
	case !(r.Volts >= 0 && r.Volts <= 36):
		return fmt.Errorf("volts %g: use 0 to 36", r.Volts)
	}
	if full, ok := shuntRange[chip]; ok && r.MaxAmps*r.ShuntUOhm/1e6 > full {
		return fmt.Errorf("%g A through %g µΩ are %.4g mV, beyond the %s's %g mV: use a shunt of at most %.0f µΩ",
			r.MaxAmps, r.ShuntUOhm, r.MaxAmps*r.ShuntUOhm/1e3, chip, full*1e3, full/r.MaxAmps*1e6)
	}
	return nil
}

func (r I2CRail) channel(i int) int {
	if r.Channel == 0 {
		return i + 1
	}
	return r.Channel
}
