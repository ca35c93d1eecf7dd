package sim

import (
	"math"
	"time"
)

// Load is the voltage (V) and the current (A) of a rail at a moment of the bus's
// clock. It is asked for moments between the last access to the chip and now.
type Load func(t time.Duration) (volts, amps float64)

// Errors are how a part differs from the ideal. The zero value is ideal.
type Errors struct {
	GainRel    float64 // of the shunt voltage
	OffsetV    float64 // of the shunt voltage, V
	ShuntRel   float64 // of the shunt's resistance
	BusGainRel float64
	BusOffsetV float64 // V
	ClockRel   float64 // of the conversion times
}

// Channel is a rail as it is wired to a sensor. A channel without a load reads 0.
type Channel struct {
	Load      Load
	ShuntUOhm float64 // what is printed on it
	Errors    Errors
}

// Chip is one simulated sensor.
type Chip struct {
	pointer byte
	regs    [256]uint16
	channel []Channel
	// since is when the running configuration was written, done how many of its
	// cycles were simulated.
	since time.Duration
	done  int64
	kind  kind
}

// kind is what differs between the chips.
type kind interface {
	// reset fills in the registers after power-on.
	reset(c *Chip)
	// advance simulates the conversions that ended by now.
	advance(c *Chip, now time.Duration)
	// written follows a write of a register that can be written.
	written(c *Chip, reg byte, now time.Duration)
	// consumed follows a read of a register.
	consumed(c *Chip, reg byte)
	// writable masks the bits that a write changes.
	writable(reg byte) uint16
}

const (
	regConfig = 0x00
	resetBit  = 1 << 15
)

func (c *Chip) powerOn(now time.Duration) {
	c.regs = [256]uint16{}
	c.kind.reset(c)
	c.restart(now)
}

func (c *Chip) restart(now time.Duration) { c.since, c.done = now, 0 }

func (c *Chip) write(reg byte, v uint16, now time.Duration) {
	c.kind.advance(c, now)
	mask := c.kind.writable(reg)
	if mask == 0 {
		return
	}
	if reg == regConfig && v&resetBit != 0 {
		c.powerOn(now)
		return
	}
	c.regs[reg] = c.regs[reg]&^mask | v&mask
	c.kind.written(c, reg, now)
}

func (c *Chip) read(reg byte, now time.Duration) uint16 {
	c.kind.advance(c, now)
	v := c.regs[reg]
	c.kind.consumed(c, reg)
	return v
}

// midpoints is how many moments of a conversion a load is asked for. The converters
// integrate over the conversion time.
const midpoints = 8

// shuntCode converts the shunt voltage of a channel from t over d to steps of lsb.
func (c *Chip) shuntCode(ch int, t, d time.Duration, lsb float64, low, high int) int {
	_, amps := c.mean(ch, t, d)
	p := c.channel[ch]
	v := amps * p.ShuntUOhm / 1e6 * (1 + p.Errors.ShuntRel)
	return code(v*(1+p.Errors.GainRel)+p.Errors.OffsetV, lsb, low, high)
}

// busCode does the same with the bus voltage.
func (c *Chip) busCode(ch int, t, d time.Duration, lsb float64, high int) int {
	volts, _ := c.mean(ch, t, d)
	e := c.channel[ch].Errors
	return code(volts*(1+e.BusGainRel)+e.BusOffsetV, lsb, 0, high)
}

func (c *Chip) mean(ch int, t, d time.Duration) (volts, amps float64) {
	load := c.channel[ch].Load
	if load == nil {
		return 0, 0
	}
	for i := range midpoints {
		v, a := load(t + d*time.Duration(2*i+1)/(2*midpoints))
		volts, amps = volts+v/midpoints, amps+a/midpoints
	}
	return volts, amps
}

func code(v, lsb float64, low, high int) int {
	if math.IsNaN(v) {
		return 0
	}
	return int(math.Round(min(max(v/lsb, float64(low)), float64(high))))
}

// stretch is a conversion time by the chip's own clock.
func (c *Chip) stretch(d time.Duration) time.Duration {
	return max(1, time.Duration(float64(d)*(1+c.channel[0].Errors.ClockRel)))
}

// elapsed is how many cycles of that length the running configuration has ended.
func (c *Chip) elapsed(now, cycle time.Duration) int64 {
	return int64(max(0, now-c.since) / cycle)
}

// Fields that INA226 and INA3221 share.
var (
	averages = [8]int{1, 4, 16, 64, 128, 256, 512, 1024}
	times    = [8]time.Duration{140e3, 204e3, 332e3, 588e3, 1100e3, 2116e3, 4156e3, 8244e3} // ns
)

const continuous = 4 // of the mode bits

// fields takes a configuration apart.
func fields(config uint16) (average int, bus, shunt time.Duration, mode uint16) {
	return averages[config>>9&7], times[config>>6&7], times[config>>3&7], config & 7
}

// halves gives the parts of a pass that a mode converts; a part that it does not is 0.
func halves(mode uint16, bus, shunt time.Duration) (b, s time.Duration) {
	if mode&1 != 0 {
		s = shunt
	}
	if mode&2 != 0 {
		b = bus
	}
	return b, s
}
