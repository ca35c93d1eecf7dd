package power

import (
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ina219"
)

// ina219Chip is Texas Instruments' INA219 (SBOS448G) through periph's driver: one shunt
// of ±40 to ±320 mV, one bus of at most 26 V in steps of 4 mV, block averages, address
// 0x40 to 0x4f. Maxima at 25 °C of grade A: shunt offset ±100, 125, 150, 200 µV by
// range, both errors ±0.5 % (grade B: half the offset, ±0.3 % of current). It has no
// identity registers; what tells it is its configuration after a reset.
//
// Of periph's driver its calibration and its Sense are used. Its configuration is
// replaced at once: it clips the bus at 16 V, always takes the widest shunt range and
// averages 128 conversions, 136 ms, whatever the polling period. Sense does not look
// at the conversion-ready flag, so that it is read before.
type ina219Chip struct {
	inaLink
	dev219   *ina219.Dev
	plan     ina219Plan
	gain     int // code of the shunt range, 40 mV << gain
	config   uint16
	foundCfg uint16
	foundCal uint16
	overflow bool
	touched  bool
}

const (
	ina219Config = 0x00
	ina219Shunt  = 0x01
	ina219Bus    = 0x02
	ina219Power  = 0x03
	ina219Cal    = 0x05

	ina219ResetConfig = 0x399F
	// ina219PeriphConfig is what periph's driver writes.
	ina219PeriphConfig = 0x1FFF
	ina219Range32V     = 1 << 13
	ina219Ready        = 1 << 1
	ina219Overflow     = 1 << 0

	ina219ShuntLSB  = 10e-6    // V
	ina219BusLSB    = 4e-3     // V
	ina219Narrow    = 40e-3    // V, range of gain code 0
	ina219Converter = 40.96e-3 // V, 4096 steps
	ina219FullBus   = 8000     // 32 V
	ina219Continue  = 7
)

// ina219Codes are the converter settings of full resolution (SBOS448G, table 5).
var ina219Codes = []struct {
	code    uint16
	samples int
	time    time.Duration
}{
	{0x3, 1, 532 * time.Microsecond},
	{0x9, 2, 1060 * time.Microsecond},
	{0xA, 4, 2130 * time.Microsecond},
	{0xB, 8, 4260 * time.Microsecond},
	{0xC, 16, 8510 * time.Microsecond},
	{0xD, 32, 17020 * time.Microsecond},
	{0xE, 64, 34050 * time.Microsecond},
	{0xF, 128, 68100 * time.Microsecond},
}

// ina219Plan indexes ina219Codes.
type ina219Plan struct{ bus, shunt int }

func (p ina219Plan) cycle() time.Duration {
	return ina219Codes[p.bus].time + ina219Codes[p.shunt].time
}

// planINA219 finds the shortest cycle that covers the polling period, with most of
// it on the shunt; 136 ms is the longest there is.
func planINA219(period time.Duration) ina219Plan {
	best := ina219Plan{bus: 7, shunt: 7}
	for shunt := range ina219Codes {
		for bus := range shunt + 1 {
			p := ina219Plan{bus: bus, shunt: shunt}
			if c := p.cycle(); c >= period && c < best.cycle() {
				best = p
			}
		}
	}
	return best
}

func newINA219Chip(l inaLink) *ina219Chip {
	c := &ina219Chip{inaLink: l, plan: planINA219(l.cfg.period()), gain: 3}
	if a := l.cfg.Rails[0].MaxAmps; a > 0 {
		for c.gain = 0; c.gain < 3 && a*l.cfg.Rails[0].ShuntUOhm/1e6 > ina219Narrow*float64(int(1)<<c.gain); {
			c.gain++
		}
	}
	return c
}

func (c *ina219Chip) start() error {
	var err error
	if c.foundCfg, err = c.read(ina219Config); err != nil {
		return err
	}
	if c.driver != "" {
		c.gain, c.config = int(c.foundCfg>>11&3), c.foundCfg
		if c.foundCfg&inaMode != ina219Continue {
			return c.notConverting(c.foundCfg)
		}
		return nil
	}
	if c.foundCal, err = c.read(ina219Cal); err != nil {
		return err
	}
	c.config = ina219Range32V | uint16(c.gain)<<11 |
		ina219Codes[c.plan.bus].code<<7 | ina219Codes[c.plan.shunt].code<<3 | ina219Continue
	if err := c.note.keep(&c.foundCfg, &c.foundCal, 0, ina219ResetConfig, ina219PeriphConfig, c.config); err != nil {
		return err
	}
	c.touched = true
	if err := c.reset(); err != nil {
		return err
	}
	ohm := c.cfg.Rails[0].ShuntUOhm / 1e6
	// Calibrated for the converter's whole range, of which it shows all but 2.4 %, so that
	// the arithmetic cannot overflow; at ±320 mV current steps are then shunt steps.
	c.dev219, err = ina219.New(c.bus, &ina219.Opts{
		Address:       int(c.cfg.Address),
		SenseResistor: physic.ElectricResistance(c.cfg.Rails[0].ShuntUOhm * float64(physic.MicroOhm)),
		MaxCurrent:    physic.ElectricCurrent(math.Round(ina219Converter * float64(int(1)<<c.gain) / ohm * float64(physic.Ampere))),
	})
	if err != nil {
		return fmt.Errorf("calibrating the sensor at 0x%02x on %s: %w", c.cfg.Address, c.bus, err)
	}
	if err := c.write(ina219Config, c.config); err != nil {
		return err
	}
	return c.await(c.plan.cycle(), c.ready)
}

// reset makes sure that the chip is an INA219.
func (c *ina219Chip) reset() error {
	if err := c.write(ina219Config, inaReset); err != nil {
		return err
	}
	after, err := c.read(ina219Config)
	if err != nil {
		return err
	}
	if after != ina219ResetConfig {
		return fmt.Errorf("the chip at 0x%02x on %s is no INA219: its configuration after a reset is %s, not %s",
			c.cfg.Address, c.bus, hex16(after), hex16(ina219ResetConfig))
	}
	return nil
}

func (c *ina219Chip) ready() (fresh, overflow bool, err error) {
	if c.driver != "" {
		return true, false, nil
	}
	bus, err := c.read(ina219Bus)
	c.overflow = bus&ina219Overflow != 0
	return bus&ina219Ready != 0, c.overflow, err
}

func (c *ina219Chip) values(dst []Value) error {
	r := c.cfg.Rails[0]
	if c.driver == "" && !c.overflow {
		// Sense ends with the power register, which clears the ready flag.
		s, err := c.dev219.Sense()
		if err != nil {
			return fmt.Errorf("reading 0x%02x on %s: %w", c.cfg.Address, c.bus, err)
		}
		dst[0] = ina219Value(float64(s.Shunt)/float64(physic.Volt), float64(s.Voltage)/float64(physic.Volt), r.ShuntUOhm, c.config)
		return nil
	}
	shunt, err := c.read(ina219Shunt)
	if err != nil {
		return err
	}
	bus, err := c.read(ina219Bus)
	if err != nil {
		return err
	}
	if c.driver == "" {
		if _, err := c.read(ina219Power); err != nil {
			return err
		}
	}
	dst[0] = ina219Value(float64(int16(shunt))*ina219ShuntLSB, float64(bus>>3)*ina219BusLSB, r.ShuntUOhm, c.config)
	if bus&ina219Overflow != 0 {
		dst[0].Flags |= Saturated
	}
	return nil
}

// ina219Value marks a reading at the ends of the ranges that the configuration chose.
func ina219Value(shuntV, busV, shuntUOhm float64, config uint16) Value {
	shuntMax := ina219Narrow * float64(int(1)<<(config>>11&3))
	busMax := float64(ina219FullBus) * ina219BusLSB
	if config&ina219Range32V == 0 {
		busMax /= 2
	}
	full := shuntV >= shuntMax-ina219ShuntLSB/2 || shuntV <= -shuntMax+ina219ShuntLSB/2 || busV >= busMax-ina219BusLSB/2
	return inaValue(shuntV, busV, shuntUOhm, full)
}

func (c *ina219Chip) describe(d *Description) inaADC {
	d.Source = ChipINA219
	d.Settings["config"] = hex16(c.config)
	d.Settings["config_found"] = hex16(c.foundCfg)
	d.Settings["shunt_range"] = fmt.Sprintf("%d mV", 40<<c.gain)
	if c.driver == "" {
		d.Cycle = c.plan.cycle()
		d.Settings["conversion"] = fmt.Sprintf("shunt average of %d, bus average of %d", ina219Codes[c.plan.shunt].samples, ina219Codes[c.plan.bus].samples)
	} else {
		d.Cycle = ina219Time(c.config>>7&15) + ina219Time(c.config>>3&15)
	}
	d.Averaged = ina219Time(c.config >> 3 & 15) // the bus voltage has its turn after
	return inaADC{
		gainI: 0.005, gainV: 0.005,
		offsetI: [4]float64{100e-6, 125e-6, 150e-6, 200e-6}[c.gain],
		// The 12 bits are spread over the range.
		lsbI: ina219ShuntLSB * float64(int(1)<<c.gain), lsbV: ina219BusLSB,
	}
}

// ina219Time is the conversion time of any converter setting.
func ina219Time(code uint16) time.Duration {
	for _, c := range ina219Codes {
		if c.code == code {
			return c.time
		}
	}
	if code == 8 { // one sample of 12 bits, as 3
		return ina219Time(3)
	}
	return [4]time.Duration{84 * time.Microsecond, 148 * time.Microsecond, 276 * time.Microsecond, 532 * time.Microsecond}[code&3]
}

func (c *ina219Chip) restore() error {
	if !c.touched {
		return nil
	}
	c.touched = false
	if err := c.write(ina219Cal, c.foundCal); err != nil {
		return err
	}
	return c.write(ina219Config, c.foundCfg&^inaReset)
}
