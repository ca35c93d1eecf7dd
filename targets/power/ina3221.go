package power

// ina3221 is Texas Instruments' INA3221 (SBOS576C): three shunts of ±163.8 mV in
// steps of 40 µV, three buses of at most 26 V in steps of 8 mV, address 0x40 to 0x43.
// Maxima at 25 °C: shunt offset ±80 µV, bus offset ±16 mV, both gains ±0.25 %,
// conversion times +10 %. It has no current or power registers.
//
// Its averaging is a filter, out += (new − out)/N after each pass over the channels
// (7.4.1): readings lag a step by about one cycle, and a filter that starts from what
// an earlier configuration left takes many cycles to forget it. Opening therefore
// converts once without averaging, then averages from there.
type ina3221 struct {
	inaLink
	plan     inaPlan
	config   uint16
	foundCfg uint16
	touched  bool
}

const (
	ina3221Config = 0x00
	ina3221Shunt1 = 0x01
	ina3221Bus1   = 0x02
	ina3221Mask   = 0x0F

	ina3221Ready   = 1 << 0
	ina3221Enable1 = 1 << 14

	ina3221ShuntLSB = 40e-6 // V
	ina3221BusLSB   = 8e-3  // V
)

func newINA3221Chip(l inaLink) *ina3221 {
	return &ina3221{inaLink: l, plan: planINA(l.cfg.period(), len(l.cfg.Rails))}
}

func (c *ina3221) start() error {
	var err error
	if c.foundCfg, err = c.read(ina3221Config); err != nil {
		return err
	}
	var enable uint16
	for _, r := range c.cfg.Rails {
		enable |= ina3221Enable1 >> (r.Channel - 1)
	}
	if c.driver != "" {
		c.plan, c.config = inaPlanOf(c.foundCfg), c.foundCfg
		if c.foundCfg&inaMode != inaContinuous || c.foundCfg&enable != enable {
			return c.notConverting(c.foundCfg)
		}
		return nil
	}
	c.config = enable | c.plan.bits()
	once := c.plan
	once.average = 0
	var none uint16 // an INA3221 has no calibration
	if err := c.note.keep(&c.foundCfg, &none, 0, enable|once.bits(), c.config); err != nil {
		return err
	}
	c.touched = true
	if err := c.write(ina3221Config, enable|once.bits()); err != nil {
		return err
	}
	if err := c.await(once.cycle(len(c.cfg.Rails)), c.ready); err != nil {
		return err
	}
	if c.plan.average == 0 {
		return nil
	}
	return c.write(ina3221Config, c.config)
}

func (c *ina3221) ready() (fresh, overflow bool, err error) {
	if c.driver != "" {
		// Reading the flags would take them, and the latched alerts, from the driver.
		return true, false, nil
	}
	flags, err := c.read(ina3221Mask)
	return flags&ina3221Ready != 0, false, err
}

func (c *ina3221) values(dst []Value) error {
	for i, r := range c.cfg.Rails {
		step := byte(2 * (r.Channel - 1))
		shunt, err := c.read(ina3221Shunt1 + step)
		if err != nil {
			return err
		}
		bus, err := c.read(ina3221Bus1 + step)
		if err != nil {
			return err
		}
		dst[i] = ina3221Value(shunt, bus, r.ShuntUOhm)
	}
	return nil
}

// ina3221Value decodes two registers, whose low three bits are not used.
func ina3221Value(shunt, bus uint16, shuntUOhm float64) Value {
	s, b := int16(shunt)>>3, int16(bus)>>3
	full := s == 4095 || s == -4096 || b == 4095
	return inaValue(float64(s)*ina3221ShuntLSB, float64(b)*ina3221BusLSB, shuntUOhm, full)
}

func (c *ina3221) describe(d *Description) inaADC {
	d.Source = ChipINA3221
	channels := 0
	for n := range 3 {
		if c.config&(ina3221Enable1>>n) != 0 {
			channels++
		}
	}
	d.Cycle = c.plan.cycle(channels)
	if d.Averaged = 2 * d.Cycle; c.plan.average == 0 { // a filter's mean age is a cycle
		d.Averaged = inaTimes[c.plan.shunt]
	}
	d.Settings["conversion"] = c.plan.String() + ", a filter"
	d.Settings["config"] = hex16(c.config)
	d.Settings["config_found"] = hex16(c.foundCfg)
	return inaADC{
		gainI: 0.0025, gainV: 0.0025, offsetI: 80e-6, offsetV: 16e-3,
		lsbI: ina3221ShuntLSB, lsbV: ina3221BusLSB,
	}
}

func (c *ina3221) restore() error {
	if !c.touched {
		return nil
	}
	c.touched = false
	return c.write(ina3221Config, c.foundCfg&^inaReset)
}
