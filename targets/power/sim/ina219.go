package sim

import (
	"math"
	"time"
)

// ina219 follows SBOS448G: the shunt's conversions, then the bus's, each a block
// average; no identity registers; the ready flag lies in the bus register and is
// cleared by reading the power register or writing the configuration.
type ina219 struct{}

const (
	ina219Ready    = 1 << 1
	ina219Overflow = 1 << 0

	ina219ShuntLSB = 10e-6
	ina219BusLSB   = 4e-3
)

// NewINA219 makes an INA219.
func NewINA219(ch Channel) *Chip { return &Chip{channel: []Channel{ch}, kind: ina219{}} }

func (ina219) reset(c *Chip) { c.regs[regConfig] = 0x399F }

func (ina219) writable(reg byte) uint16 {
	switch reg {
	case regConfig:
		return 0xBFFF
	case ina226Cal:
		return 0xFFFE
	}
	return 0
}

func (ina219) written(c *Chip, reg byte, now time.Duration) {
	if reg == regConfig {
		c.restart(now)
		c.regs[ina226Bus] &^= ina219Ready
	}
}

func (ina219) consumed(c *Chip, reg byte) {
	if reg == ina226Power {
		c.regs[ina226Bus] &^= ina219Ready
	}
}

// converter is what a 4-bit setting means: a step of so many times the finest, the
// number of conversions and the time they take together.
func converter(setting uint16) (step, n int, d time.Duration) {
	if setting&8 == 0 {
		b := setting & 3
		return 8 >> b, 1, [4]time.Duration{84e3, 148e3, 276e3, 532e3}[b]
	}
	n = 1 << (setting & 7)
	return 1, n, time.Duration(n) * 532e3
}

func (ina219) advance(c *Chip, now time.Duration) {
	config := c.regs[regConfig]
	mode := config & 7
	busStep, busN, bus := converter(config >> 7 & 15)
	shuntStep, shuntN, shunt := converter(config >> 3 & 15)
	bus, shunt = halves(mode, c.stretch(bus), c.stretch(shunt))
	if bus+shunt == 0 {
		return
	}
	cycles := c.elapsed(now, bus+shunt)
	if mode&continuous == 0 {
		cycles = min(cycles, 1)
	}
	if cycles <= c.done {
		return
	}
	c.done = cycles
	t := c.since + time.Duration(cycles-1)*(bus+shunt)
	if shunt > 0 {
		gain := int(config >> 11 & 3)
		// The converter's 12 bits are spread over the range.
		full, step := 4000<<gain, shuntStep<<gain
		sum := 0
		for i := range shuntN {
			d := shunt / time.Duration(shuntN)
			sum += step * c.shuntCode(0, t+d*time.Duration(i), d, ina219ShuntLSB*float64(step), -full/step, full/step)
		}
		c.regs[ina226Shunt] = uint16(int16(math.Round(float64(sum) / float64(shuntN))))
	}
	flags := uint16(ina219Ready)
	raw := int(c.regs[ina226Bus] >> 3)
	if bus > 0 {
		full := 4000
		if config&(1<<13) != 0 {
			full = 8000
		}
		sum := 0
		for i := range busN {
			d := bus / time.Duration(busN)
			sum += busStep * c.busCode(0, t+shunt+d*time.Duration(i), d, ina219BusLSB*float64(busStep), full/busStep)
		}
		raw = int(math.Round(float64(sum) / float64(busN)))
	}
	c.regs[ina226Bus] = uint16(raw) << 3
	c.multiply(4096, 5000, ina226Amps, ina226Power)
	if c.overflows(4096, 5000) {
		flags |= ina219Overflow
	}
	c.regs[ina226Bus] |= flags
}
