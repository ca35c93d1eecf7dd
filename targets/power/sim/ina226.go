package sim

import (
	"math"
	"time"
)

// ina226 follows SBOS547B: block averages of AVG passes over shunt and bus, then
// current and power by the calibration.
type ina226 struct{}

const (
	ina226Shunt = 0x01
	ina226Bus   = 0x02
	ina226Power = 0x03
	ina226Amps  = 0x04
	ina226Cal   = 0x05
	ina226Mask  = 0x06
	ina226Limit = 0x07

	ina226Ready    = 1 << 3
	ina226Overflow = 1 << 2
	ina226Reserved = 1 << 14 // of the configuration, reads 1

	ina226ShuntLSB = 2.5e-6
	ina226BusLSB   = 1.25e-3
)

// NewINA226 makes an INA226.
func NewINA226(ch Channel) *Chip { return &Chip{channel: []Channel{ch}, kind: ina226{}} }

func (ina226) reset(c *Chip) {
	c.regs[regConfig] = 0x4127
	c.regs[0xFE], c.regs[0xFF] = 0x5449, 0x2260
}

func (ina226) writable(reg byte) uint16 {
	switch reg {
	case regConfig:
		return 0xFFFF &^ ina226Reserved
	case ina226Cal:
		return 0x7FFF
	case ina226Mask:
		return 0xFC03
	case ina226Limit:
		return 0xFFFF
	}
	return 0
}

func (ina226) written(c *Chip, reg byte, now time.Duration) {
	if reg != regConfig {
		return
	}
	c.restart(now)
	if c.regs[regConfig]&3 != 0 {
		c.regs[ina226Mask] &^= ina226Ready
	}
}

func (ina226) consumed(c *Chip, reg byte) {
	if reg == ina226Mask {
		c.regs[ina226Mask] &^= ina226Ready
	}
}

func (ina226) advance(c *Chip, now time.Duration) {
	n, bus, shunt, mode := fields(c.regs[regConfig])
	bus, shunt = halves(mode, c.stretch(bus), c.stretch(shunt))
	if bus+shunt == 0 {
		return
	}
	block := time.Duration(n) * (bus + shunt)
	blocks := c.elapsed(now, block)
	if mode&continuous == 0 {
		blocks = min(blocks, 1)
	}
	if blocks <= c.done {
		return
	}
	c.done = blocks
	// Of several blocks only the last is still to be seen.
	t := c.since + time.Duration(blocks-1)*block
	var sumS, sumB int
	for range n {
		if shunt > 0 {
			sumS += c.shuntCode(0, t, shunt, ina226ShuntLSB, math.MinInt16, math.MaxInt16)
		}
		if bus > 0 {
			sumB += c.busCode(0, t+shunt, bus, ina226BusLSB, math.MaxInt16)
		}
		t += bus + shunt
	}
	if shunt > 0 {
		c.regs[ina226Shunt] = uint16(int16(math.Round(float64(sumS) / float64(n))))
	}
	if bus > 0 {
		c.regs[ina226Bus] = uint16(math.Round(float64(sumB) / float64(n)))
	}
	c.multiply(2048, 20000, ina226Amps, ina226Power)
	c.regs[ina226Mask] |= ina226Ready
	c.regs[ina226Mask] &^= ina226Overflow
	if c.overflows(2048, 20000) {
		c.regs[ina226Mask] |= ina226Overflow
	}
}

// multiply computes current = shunt·cal/perAmp and power = |current|·bus/perWatt.
func (c *Chip) multiply(perAmp, perWatt int, ampsReg, powerReg byte) {
	amps := int(int16(c.regs[ina226Shunt])) * int(c.regs[ina226Cal]) / perAmp
	c.regs[ampsReg] = uint16(int16(min(max(amps, math.MinInt16), math.MaxInt16)))
	power := max(amps, -amps) * c.busRaw() / perWatt
	c.regs[powerReg] = uint16(min(power, math.MaxUint16))
}

// overflows tells whether current or power go beyond their registers.
func (c *Chip) overflows(perAmp, perWatt int) bool {
	amps := int(int16(c.regs[ina226Shunt])) * int(c.regs[ina226Cal]) / perAmp
	return amps > math.MaxInt16 || amps < math.MinInt16 || max(amps, -amps)*c.busRaw()/perWatt > math.MaxUint16
}

// busRaw is the bus voltage in steps, without the flags that an INA219 keeps below it.
func (c *Chip) busRaw() int {
	if _, ok := c.kind.(ina219); ok {
		return int(c.regs[ina226Bus] >> 3)
	}
	return int(c.regs[ina226Bus])
}
