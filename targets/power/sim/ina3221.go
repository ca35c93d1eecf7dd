package sim

import (
	"math"
	"math/bits"
	"time"
)

// ina3221 follows SBOS576C: each pass over the enabled channels moves every output
// by a part 1/AVG of its distance from the new conversion (7.4.1). The ready flag is
// set every AVG passes, which is the time that the Linux driver waits for it. Outputs
// change here at the end of a pass.
type ina3221 struct {
	out  [6]float64 // steps: shunt and bus of each channel
	init [6]bool    // an output was written since power-on
}

const (
	ina3221Mask   = 0x0F
	ina3221Ready  = 1 << 0
	ina3221Enable = 1 << 14

	ina3221ShuntLSB = 40e-6
	ina3221BusLSB   = 8e-3
	ina3221Top      = 4095
	ina3221Bottom   = -4096
)

// NewINA3221 makes an INA3221.
func NewINA3221(ch [3]Channel) *Chip { return &Chip{channel: ch[:], kind: &ina3221{}} }

func (k *ina3221) reset(c *Chip) {
	*k = ina3221{}
	c.regs[regConfig] = 0x7127
	for reg := byte(0x07); reg <= 0x0C; reg++ {
		c.regs[reg] = 0x7FF8
	}
	c.regs[0x0E], c.regs[ina3221Mask] = 0x7FFE, 0x0002
	c.regs[0x10], c.regs[0x11] = 0x2710, 0x2328
	c.regs[0xFE], c.regs[0xFF] = 0x5449, 0x3220
}

func (k *ina3221) writable(reg byte) uint16 {
	switch {
	case reg == regConfig:
		return 0xFFFF
	case reg >= 0x07 && reg <= 0x0C, reg == 0x10, reg == 0x11:
		return 0xFFF8
	case reg == 0x0E:
		return 0xFFFE
	case reg == ina3221Mask:
		return 0x7C00
	}
	return 0
}

func (k *ina3221) written(c *Chip, reg byte, now time.Duration) {
	if reg != regConfig {
		return
	}
	c.restart(now)
	if c.regs[regConfig]&3 != 0 {
		c.regs[ina3221Mask] &^= ina3221Ready
	}
}

func (k *ina3221) consumed(c *Chip, reg byte) {
	if reg == ina3221Mask {
		c.regs[ina3221Mask] &^= ina3221Ready
	}
}

func (k *ina3221) advance(c *Chip, now time.Duration) {
	// A filter has forgotten all but 1e-7 of what lies so many averages back.
	const memory = 16
	config := c.regs[regConfig]
	n, bus, shunt, mode := fields(config)
	bus, shunt = halves(mode, c.stretch(bus), c.stretch(shunt))
	channels := bits.OnesCount16(config & (7 * (ina3221Enable >> 2)))
	pass := time.Duration(channels) * (bus + shunt)
	if pass == 0 {
		return
	}
	passes := c.elapsed(now, pass)
	if mode&continuous == 0 {
		passes = min(passes, 1)
	}
	if passes <= c.done {
		return
	}
	for p := max(c.done, passes-int64(memory*n)); p < passes; p++ {
		t := c.since + time.Duration(p)*pass
		for ch := range 3 {
			if config&(ina3221Enable>>ch) == 0 {
				continue
			}
			if shunt > 0 {
				k.filter(2*ch, n, c.shuntCode(ch, t, shunt, ina3221ShuntLSB, ina3221Bottom, ina3221Top))
			}
			if bus > 0 {
				k.filter(2*ch+1, n, c.busCode(ch, t+shunt, bus, ina3221BusLSB, ina3221Top))
			}
			t += bus + shunt
		}
	}
	if passes/int64(n) > c.done/int64(n) || mode&continuous == 0 {
		c.regs[ina3221Mask] |= ina3221Ready
	}
	c.done = passes
	for i, v := range k.out {
		c.regs[1+i] = uint16(int16(math.Round(v))) << 3
	}
}

// filter moves an output; the first conversion after power-on is taken whole, where
// the data sheet is silent.
func (k *ina3221) filter(i, n, code int) {
	if !k.init[i] {
		n = 1
	}
	k.init[i] = true
	k.out[i] += (float64(code) - k.out[i]) / float64(n)
}
