package power

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// complete fills in what may be left out, so that drivers need not know.
func (c I2C) complete(chip string) I2C {
	c.Chip = chip
	if c.Address == 0 {
		c.Address = i2cAddress
	}
	c.Rails = slices.Clone(c.Rails)
	for i := range c.Rails {
		c.Rails[i].Channel = c.Rails[i].channel(i)
		if c.Rails[i].ShuntRel == 0 {
			c.Rails[i].ShuntRel = i2cShuntRel
		}
	}
	return c
}

func (c I2C) period() time.Duration {
	if c.Period == 0 {
		return i2cPeriod
	}
	return c.Period
}

func (c I2C) totalRule() string {
	var in []string
	for _, r := range c.Rails {
		if !r.Subset {
			in = append(in, r.Name)
		}
	}
	if len(in) == 1 {
		return in[0] + " alone"
	}
	return "sum of " + strings.Join(in, " + ")
}

// scope names the total by the voltage of its first rail where the inventory does not.
func (c I2C) scope(first []Value) string {
	if c.Scope != "" {
		return c.Scope
	}
	i := slices.IndexFunc(c.Rails, func(r I2CRail) bool { return !r.Subset })
	return fmt.Sprintf("board-%.0fV", first[i].Volts)
}

// check refuses a rail that cannot be the one the inventory speaks of: by its
// voltage, or by a current that flows into the supply.
func (c I2C) check(first []Value, rails []Rail) error {
	for i, r := range c.Rails {
		v, b := first[i], rails[i].Budget
		if r.Volts > 0 && math.Abs(v.Volts-r.Volts) > voltsMismatch*r.Volts {
			return fmt.Errorf("rail %s: the sensor at 0x%02x sees %.3g V, the inventory says %g V; check the wiring, the channel and the address",
				r.Name, c.Address, v.Volts, r.Volts)
		}
		if c.Scope != scopeBattery && v.Amps < -2*(b.OffsetA+b.LSBA) {
			return fmt.Errorf("rail %s: the sensor at 0x%02x sees %.3g A flow backwards; swap IN+ and IN- (only scope: battery may be charged)",
				r.Name, c.Address, -v.Amps)
		}
	}
	return nil
}

// OpenI2C opens a sensor on one of the machine's buses. Where there is no bus or no
// permission the error is an *Unavailable. The caller closes the meter.
func OpenI2C(c I2C) (Meter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	bus, err := OpenBus(c.Bus)
	if err != nil {
		return nil, err
	}
	if c.Notes == "" {
		c.Notes = NotesDir()
	}
	m, err := openI2COn(bus, c, c.driver(bus))
	if err != nil {
		return nil, errors.Join(err, bus.Close())
	}
	m.closeBus = bus.Close
	return m, nil
}

// OpenI2COn opens a sensor on a bus that is open already, such as a Recorder or a
// Replay, and stays so when the meter is closed. I2C.Bus is not looked at.
func OpenI2COn(bus i2c.Bus, c I2C) (Meter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m, err := openI2COn(bus, c, c.driver(bus))
	if err != nil {
		return nil, err
	}
	return m, nil
}

// driver is the kernel driver that has the sensor, "" where none has.
func (c I2C) driver(bus i2c.Bus) string {
	return kernelDriver(c.Root, bus, c.complete(c.Chip).Address)
}

// openI2COn opens a sensor that a kernel driver has, or none has ("").
func openI2COn(bus i2c.Bus, c I2C, driver string) (*inaMeter, error) {
	c = c.complete(c.Chip)
	if c.Chip == "" || c.Chip == ChipAuto {
		link := newINALink(bus, c, driver)
		chip, err := link.identify()
		if err != nil {
			return nil, err
		}
		c.Chip = chip
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("the chip is an %s: %w", chip, err)
		}
	}
	link := newINALink(bus, c, driver)
	if c.Chip != ChipINA219 {
		if err := link.confirm(c.Chip); err != nil {
			return nil, err
		}
	}
	if driver == "" {
		note, err := claimINA(c.Notes, bus, c.Address)
		if err != nil {
			return nil, err
		}
		link.note = note
	}
	if c.Chip == ChipINA219 {
		return newINAMeter(link, newINA219Chip(link))
	}
	if c.Chip == ChipINA226 {
		return newINAMeter(link, newINA226Chip(link))
	}
	return newINAMeter(link, newINA3221Chip(link))
}
