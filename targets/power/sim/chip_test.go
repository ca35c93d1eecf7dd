package sim

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
)

// rig is a chip on a clock that only moves when it is told to.
type rig struct {
	t   testing.TB
	bus *Bus
	now time.Duration
}

func newRig(t testing.TB, c *Chip) *rig {
	r := &rig{t: t}
	r.bus = NewBus("rig", func() time.Duration { return r.now })
	if err := r.bus.Add(0x40, c); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) read(reg byte) uint16 {
	var b [2]byte
	if err := r.bus.Tx(0x40, []byte{reg}, b[:]); err != nil {
		r.t.Fatal(err)
	}
	return uint16(b[0])<<8 | uint16(b[1])
}

func (r *rig) write(reg byte, v uint16) {
	if err := r.bus.Tx(0x40, []byte{reg, byte(v >> 8), byte(v)}, nil); err != nil {
		r.t.Fatal(err)
	}
}

func constant(volts, amps float64) Load {
	return func(time.Duration) (float64, float64) { return volts, amps }
}

func chips(ch Channel) map[string]*Chip {
	return map[string]*Chip{
		"ina226": NewINA226(ch), "ina219": NewINA219(ch), "ina3221": NewINA3221([3]Channel{ch, ch, ch}),
	}
}

// A driver tells the chips apart by these.
func TestResetValues(t *testing.T) {
	want := map[string]map[byte]uint16{
		"ina226":  {0x00: 0x4127, 0x05: 0, 0xFE: 0x5449, 0xFF: 0x2260},
		"ina219":  {0x00: 0x399F, 0x05: 0, 0xFE: 0},
		"ina3221": {0x00: 0x7127, 0x07: 0x7FF8, 0x0C: 0x7FF8, 0x0E: 0x7FFE, 0x0F: 0x0002, 0x10: 0x2710, 0x11: 0x2328, 0xFE: 0x5449, 0xFF: 0x3220},
	}
	for name, c := range chips(Channel{}) {
		r := newRig(t, c)
		for range 2 {
			for reg, v := range want[name] {
				if got := r.read(reg); got != v {
					t.Errorf("%s: register %02x is %04x, want %04x", name, reg, got, v)
				}
			}
			// The same again after everything was overwritten and the chip reset.
			for reg := range 256 {
				r.write(byte(reg), 0x2A55)
			}
			r.write(0, 0x8000)
		}
	}
}

// The vectors of the data sheets' register arithmetic.
func TestRegisters(t *testing.T) {
	tests := []struct {
		name   string
		chip   *Chip
		writes [][2]uint16
		want   [][2]uint16
	}{
		{
			"ina226", NewINA226(Channel{Load: constant(5, 1), ShuntUOhm: 10000}),
			[][2]uint16{{0x05, 0x0200}},
			[][2]uint16{{0x06, 0x0008}, {0x06, 0}, {0x01, 0x0FA0}, {0x02, 0x0FA0}, {0x04, 0x03E8}, {0x03, 0x00C8}},
		},
		{
			"ina226, arithmetic overflow", NewINA226(Channel{Load: constant(5, 8), ShuntUOhm: 10000}),
			[][2]uint16{{0x05, 0x4000}},
			[][2]uint16{{0x06, 0x000C}, {0x01, 0x7D00}, {0x04, 0x7FFF}},
		},
		{
			"ina226, current backwards", NewINA226(Channel{Load: constant(5, -1), ShuntUOhm: 10000}),
			[][2]uint16{{0x05, 0x0200}},
			[][2]uint16{{0x01, 0xF060}, {0x04, 0xFC18}, {0x03, 0x00C8}},
		},
		{
			"ina219", NewINA219(Channel{Load: constant(5, 0.4), ShuntUOhm: 100000}),
			[][2]uint16{{0x05, 0x1000}},
			[][2]uint16{{0x02, 0x2712}, {0x01, 0x0FA0}, {0x04, 0x0FA0}, {0x03, 0x03E8}, {0x02, 0x2710}},
		},
		{
			"ina219 as periph sets it, above 16 V", NewINA219(Channel{Load: constant(19, 1), ShuntUOhm: 100000}),
			[][2]uint16{{0x00, 0x1FFF}},
			[][2]uint16{{0x02, 4000<<3 | 2}},
		},
		{
			"ina219, arithmetic overflow", NewINA219(Channel{Load: constant(5, 3), ShuntUOhm: 100000}),
			[][2]uint16{{0x05, 0x8000}},
			[][2]uint16{{0x02, 1250<<3 | 3}},
		},
		{
			"ina3221", NewINA3221([3]Channel{{Load: constant(5, 2), ShuntUOhm: 5000}, {Load: constant(0, -0.008), ShuntUOhm: 5000}}),
			nil,
			[][2]uint16{{0x0F, 0x0003}, {0x0F, 0x0002}, {0x01, 0x07D0}, {0x02, 0x1388}, {0x03, 0xFFF8}, {0x05, 0}},
		},
		{
			"ina3221, beyond the range", NewINA3221([3]Channel{{Load: constant(99, 99), ShuntUOhm: 5000}}),
			nil,
			[][2]uint16{{0x01, 0x7FF8}, {0x02, 0x7FF8}},
		},
	}
	for _, tt := range tests {
		r := newRig(t, tt.chip)
		for _, w := range tt.writes {
			r.write(byte(w[0]), w[1])
		}
		r.now += 200 * time.Millisecond
		for _, w := range tt.want {
			if got := r.read(byte(w[0])); got != w[1] {
				t.Errorf("%s: register %02x is %04x, want %04x", tt.name, w[0], got, w[1])
			}
		}
	}
}

// A single shot converts once, at the time of the trigger.
func TestSingleShot(t *testing.T) {
	for name, c := range chips(Channel{ShuntUOhm: 10000, Load: func(t time.Duration) (float64, float64) { return 5, 1 + t.Seconds() }}) {
		r := newRig(t, c)
		r.now = time.Second
		r.write(0, r.read(0)&^7|3)
		r.now += time.Minute
		first := r.read(1)
		r.now += time.Minute
		if got := r.read(1); got != first {
			t.Errorf("%s: the shunt moved from %04x to %04x", name, first, got)
		}
	}
}

// Reading rarely must not change what is read, nor take the time of all that was missed.
func TestLongGaps(t *testing.T) {
	load := func(t time.Duration) (float64, float64) { return 5, 2 + math.Sin(t.Seconds()*40) }
	config := map[string]uint16{"ina226": 0x4527, "ina219": 0x3EEF, "ina3221": 0x7527}
	seldom, often := chips(Channel{Load: load, ShuntUOhm: 10000}), chips(Channel{Load: load, ShuntUOhm: 10000})
	for name := range seldom {
		a, b := newRig(t, seldom[name]), newRig(t, often[name])
		a.write(0, config[name])
		b.write(0, config[name])
		const hour = time.Hour
		for b.now < 20*time.Second {
			b.now += 7 * time.Millisecond
			b.read(1)
		}
		a.now = b.now
		if got, want := int16(a.read(1)), int16(b.read(1)); math.Abs(float64(got)-float64(want)) > 8 {
			t.Errorf("%s: %d after one look, %d after many", name, got, want)
		}
		start := time.Now()
		a.now += 1000 * hour
		a.read(1)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: catching up took %v", name, took)
		}
	}
}

func TestBusAddresses(t *testing.T) {
	b := NewBus("bus", nil)
	if got := b.String(); got != "sim-bus" {
		t.Errorf("the bus is called %s: nobody would know that it is simulated", got)
	}
	if err := b.Tx(0x41, []byte{0}, make([]byte, 2)); !errors.Is(err, power.ErrNoDevice) {
		t.Errorf("an empty address: %v", err)
	}
	if err := b.Add(0x10, NewINA226(Channel{})); err == nil {
		t.Error("a sensor at an address that it cannot have")
	}
	if err := b.Add(0x41, NewINA226(Channel{})); err != nil {
		t.Error(err)
	}
	if err := b.Add(0x41, NewINA226(Channel{})); err == nil {
		t.Error("two sensors at one address")
	}
}

// Whatever a driver or a stranger on the socket writes, the chip goes on.
func FuzzRegisters(f *testing.F) {
	f.Add([]byte{0, 0x71, 0x27, 1, 1, 0, 0, 200})
	f.Add([]byte{0, 0xFF, 0xFF, 255, 0x0F, 0, 0, 255, 5, 0xFF, 0xFF, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		ch := Channel{ShuntUOhm: 10000, Load: func(t time.Duration) (float64, float64) {
			if t%3 == 0 {
				return math.NaN(), math.Inf(1)
			}
			return 12, 1e9
		}, Errors: Errors{ClockRel: -2}}
		for _, c := range chips(ch) {
			r := newRig(t, c)
			for rest := b[:min(len(b), 64)]; len(rest) >= 4; rest = rest[4:] {
				r.write(rest[0], uint16(rest[1])<<8|uint16(rest[2]))
				r.now += time.Duration(rest[3]) * time.Duration(rest[3]) * 100 * time.Microsecond
				for reg := range byte(0x12) {
					r.read(reg)
				}
			}
		}
	})
}
