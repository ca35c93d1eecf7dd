package power

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/mmr"
)

// inaChip is what differs between the kinds of sensor behind an inaMeter. Their
// registers are 16 bits wide, most significant byte first, behind an 8-bit pointer.
type inaChip interface {
	// start saves the configuration found, writes its own unless a kernel driver has
	// the chip, and waits for a first conversion.
	start() error
	// ready says whether there are new conversions and whether they are beyond the range.
	ready() (fresh, overflow bool, err error)
	// values reads the data registers, one value a rail.
	values(dst []Value) error
	// describe fills in what the chip knows: source, cycle, settings, converter.
	describe(d *Description) inaADC
	// restore writes back what start found.
	restore() error
}

// inaLink is the way to one chip.
type inaLink struct {
	dev mmr.Dev8
	bus i2c.Bus
	// driver is the kernel driver that has the chip; its configuration is then only read.
	driver string
	sleep  func(time.Duration)
	cfg    I2C
	note   *inaNote // nil = none is kept
}

func newINALink(bus i2c.Bus, c I2C, driver string) inaLink {
	l := inaLink{
		dev:    mmr.Dev8{Conn: &i2c.Dev{Bus: bus, Addr: c.Address}, Order: binary.BigEndian},
		bus:    bus,
		driver: driver,
		sleep:  c.Sleep,
		cfg:    c,
	}
	if l.sleep == nil {
		l.sleep = time.Sleep
	}
	return l
}

func (l *inaLink) read(reg byte) (uint16, error) {
	v, err := l.dev.ReadUint16(reg)
	if err != nil {
		return 0, fmt.Errorf("reading register %02x of 0x%02x on %s: %w", reg, l.cfg.Address, l.bus, err)
	}
	return v, nil
}

func (l *inaLink) write(reg byte, v uint16) error {
	if err := l.dev.WriteUint16(reg, v); err != nil {
		return fmt.Errorf("writing register %02x of 0x%02x on %s: %w", reg, l.cfg.Address, l.bus, err)
	}
	return nil
}

// await waits for the first conversion after a new configuration. Conversions may
// take 10 % longer than the data sheets' typical times.
func (l *inaLink) await(cycle time.Duration, ready func() (bool, bool, error)) error {
	const polls = 12
	l.sleep(cycle + cycle/10)
	for range polls {
		fresh, _, err := ready()
		if err != nil || fresh {
			return err
		}
		l.sleep(cycle / 4)
	}
	return fmt.Errorf("the sensor at 0x%02x on %s does not convert: nothing new in %v, where a cycle takes %v; check its supply",
		l.cfg.Address, l.bus, cycle+cycle/10+polls*cycle/4, cycle)
}

// inaMisses is how many readings in a row may fail before a sensor counts as lost:
// a glitch on the wires is one missing reading, not the end of a trial.
const inaMisses = 10

// inaMeter is a Meter of one chip.
type inaMeter struct {
	chip     inaChip
	desc     Description
	last     []Value
	next     []Value
	primed   bool // last is fresh but was read while opening
	misses   int
	note     *inaNote
	closeBus func() error
	closed   bool
}

// newINAMeter starts a chip. When that fails the chip's configuration is given back.
func newINAMeter(l inaLink, chip inaChip) (*inaMeter, error) {
	m := &inaMeter{
		chip: chip,
		last: make([]Value, len(l.cfg.Rails)), next: make([]Value, len(l.cfg.Rails)),
		primed: true, note: l.note,
	}
	err := chip.start()
	if err == nil {
		err = chip.values(m.last)
	}
	if err == nil {
		m.desc = l.describe(m.last)
		adc := chip.describe(&m.desc)
		for i := range m.desc.Rails {
			m.desc.Rails[i].Budget = adc.budget(l.cfg.Rails[i], m.last[i].Volts)
		}
		err = l.cfg.check(m.last, m.desc.Rails)
	}
	if err != nil {
		restored := chip.restore()
		l.note.done(restored == nil)
		return nil, errors.Join(err, restored)
	}
	return m, nil
}

// describe is the part of a description that the chips have in common.
func (l *inaLink) describe(first []Value) Description {
	d := Description{
		Scope:     l.cfg.scope(first),
		TotalRule: l.cfg.totalRule(),
		Total:     Total{Gain: 1},
		Simulated: simulatedBus(l.bus),
		Settings: map[string]string{
			"bus":     l.bus.String(),
			"address": fmt.Sprintf("0x%02x", l.cfg.Address),
		},
	}
	if l.driver != "" {
		d.Settings["kernel_driver"] = l.driver
		d.Settings["configuration"] = "the kernel driver's, left alone; stale readings cannot be told (prefer hwmon)"
	}
	for _, r := range l.cfg.Rails {
		d.Rails = append(d.Rails, Rail{Name: r.Name, InTotal: !r.Subset, ShuntUOhm: r.ShuntUOhm})
	}
	return d
}

func (m *inaMeter) Describe() Description { return m.desc }

// Read implements Meter. A reading that fails is Missing; the tenth failure in a
// row is an error.
func (m *inaMeter) Read(dst []Value) error {
	if len(dst) != len(m.last) {
		return fmt.Errorf("reading %s: %d values for %d rails", m.desc.Source, len(dst), len(m.last))
	}
	fresh, overflow, err := m.chip.ready()
	if err == nil && fresh {
		err = m.chip.values(m.next)
	}
	if err != nil {
		m.misses++
		if m.misses >= inaMisses || errors.Is(err, io.EOF) {
			return fmt.Errorf("reading %s: %w", m.desc.Source, err)
		}
		for i := range dst {
			dst[i] = Value{Watts: math.NaN(), Volts: math.NaN(), Amps: math.NaN(), Flags: Missing}
		}
		return nil
	}
	m.misses = 0
	if fresh {
		m.last, m.next = m.next, m.last
		for i := range m.last {
			if overflow {
				m.last[i].Flags |= Saturated
			}
		}
	}
	copy(dst, m.last)
	if !fresh && !m.primed {
		for i := range dst {
			dst[i].Flags |= Stale
		}
	}
	m.primed = false
	return nil
}

// Close gives the chip its configuration back and closes the bus if the meter opened it.
func (m *inaMeter) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	err := m.chip.restore()
	m.note.done(err == nil)
	if err != nil {
		err = fmt.Errorf("giving %s its configuration back: %w", m.desc.Source, err)
	}
	if m.closeBus != nil {
		err = errors.Join(err, m.closeBus())
	}
	return err
}

// inaADC are the limits of a converter, from the data sheets' maxima at 25 °C.
type inaADC struct {
	gainI, gainV     float64 // of the shunt and the bus voltage, relative
	offsetI, offsetV float64 // V, referred to the input
	lsbI, lsbV       float64 // V
}

// budget is the converter's as seen from one rail. Gain covers power: the gains of
// both voltages and the bus offset relative to the voltage, as the root of their
// squares, which has the variance of the sum of independent uniform errors.
func (a inaADC) budget(r I2CRail, volts float64) Budget {
	ohm := r.ShuntUOhm / 1e6
	// A rail that is off has no power for its voltage's offset to distort.
	volts = max(math.Abs(volts), 1)
	return Budget{
		GainRel:  math.Hypot(math.Hypot(a.gainI, a.gainV), a.offsetV/volts),
		ShuntRel: r.ShuntRel,
		OffsetA:  a.offsetI / ohm,
		LSBA:     a.lsbI / ohm,
		LSBV:     a.lsbV,
	}
}

// inaValue is one rail's reading from its two voltages.
func inaValue(shuntV, busV, shuntUOhm float64, saturated bool) Value {
	amps := shuntV / (shuntUOhm / 1e6)
	v := Value{Watts: busV * amps, Volts: busV, Amps: amps}
	if saturated {
		v.Flags = Saturated
	}
	return v
}

func hex16(v uint16) string { return "0x" + strconv.FormatUint(uint64(v)|1<<16, 16)[1:] }
