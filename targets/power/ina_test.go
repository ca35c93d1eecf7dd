package power

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c"
)

func TestINACalibration(t *testing.T) {
	amps, watts := ina226Computed([5]uint16{0x0200, 0x0FA0, 0x0FA0, 0x03E8, 0x00C8}, 10000)
	if math.Abs(amps-1) > 1e-9 || math.Abs(watts-5) > 1e-9 {
		t.Errorf("calibration 0200 gives %v A and %v W, want 1 and 5", amps, watts)
	}
}

// A reading at the end of the range is a lower bound; taken for a value it hides the
// peaks that a user wants to see.
func TestINASaturation(t *testing.T) {
	tests := []struct {
		name string
		got  Value
		full bool
	}{
		{"ina3221 top", ina3221Value(0x7FF8, 0x1388, 5000), true},
		{"ina3221 below the top", ina3221Value(0x7FF0, 0x1388, 5000), false},
		{"ina3221 bottom", ina3221Value(0x8000, 0x1388, 5000), true},
		{"ina3221 bus", ina3221Value(0, 0x7FF8, 5000), true},
		{"ina226 top", ina226Value(0x7FFF, 4000, 10000), true},
		{"ina226 below the top", ina226Value(0x7FFE, 4000, 10000), false},
		{"ina226 bottom", ina226Value(0x8000, 4000, 10000), true},
		{"ina226 bus", ina226Value(0, 0x7FFF, 10000), true},
		{"ina219 at ±40 mV", ina219Value(40e-3, 5, 1e5, 0x2000), true},
		{"ina219 within ±80 mV", ina219Value(40e-3, 5, 1e5, 0x2800), false},
		{"ina219 bottom", ina219Value(-320e-3, 5, 1e5, 0x3800), true},
		{"ina219 bus of 16 V", ina219Value(0, 16, 1e5, 0x1800), true},
		{"ina219 bus of 32 V", ina219Value(0, 16, 1e5, 0x3800), false},
	}
	for _, tt := range tests {
		if got := tt.got.Flags&Saturated != 0; got != tt.full {
			t.Errorf("%s: saturated is %v, want %v", tt.name, got, tt.full)
		}
	}
}

// A driver that wrote to a chip of the kernel would switch off its over-current
// throttle's view of the board.
func TestINALeavesTheKernelsChipAlone(t *testing.T) {
	root := t.TempDir()
	bindDriver(t, root, "1-0040", "ina3221")
	playback := (&script{addr: 0x40}).
		reads(0xFE, 0x5449, 0xFF, 0x3220, 0x00, 0x7127, 0x01, 0x07D0, 0x02, 0x1388).
		reads(0x01, 0x07D0, 0x02, 0x1388).bus()
	m, err := OpenI2COn(kernelBus{playback}, I2C{Chip: ChipINA3221, Root: root, Rails: []I2CRail{{Name: "VDD_IN", ShuntUOhm: 5000}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Read(make([]Value, 1)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Close(), playback.Close()); err != nil {
		t.Fatal(err)
	}
	d := m.Describe()
	if d.Settings["kernel_driver"] != "ina3221" || d.Cycle != 6600*time.Microsecond {
		t.Errorf("driver %q and cycle %v, want ina3221 and 6.6ms", d.Settings["kernel_driver"], d.Cycle)
	}
}

func TestINAOpenRefuses(t *testing.T) {
	rail := []I2CRail{{Name: "5V", ShuntUOhm: 10000}}
	tests := []struct {
		name   string
		cfg    I2C
		bus    *script
		driver string
		want   string
	}{
		{"another maker", I2C{Chip: ChipINA226, Rails: rail}, (&script{addr: 0x40}).reads(0xFE, 0x1234), "", "0x1234"},
		{"another chip", I2C{Chip: ChipINA226, Rails: rail}, (&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x3220), "", "it is an ina3221"},
		{"unknown die", I2C{Rails: rail}, (&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x2270), "", "0x2270"},
		{"unknown chip, not reset", I2C{Rails: rail}, (&script{addr: 0x40}).reads(0xFE, 0, 0x00, 0x019F), "", "chip: ina219"},
		{"nobody", I2C{Rails: rail}, &script{}, "", "does it have power"},
		{
			"no ina219",
			I2C{Chip: ChipINA219, Rails: rail},
			(&script{addr: 0x40}).reads(0x00, 0x0017, 0x05, 0).writes(0x00, 0x8000).reads(0x00, 0x0011).writes(0x05, 0).writes(0x00, 0x0017),
			"", "0x0011",
		},
		{
			"kernel's and asleep",
			I2C{Chip: ChipINA226, Rails: rail},
			(&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x2260, 0x00, 0x4120, 0x05, 0), "ina2xx", "unbind",
		},
		{
			"another rail",
			I2C{Chip: ChipINA3221, Rails: []I2CRail{{Name: "12V", ShuntUOhm: 10000, Volts: 12}}},
			(&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x3220, 0x00, 0x7127, 0x01, 0, 0x02, 0x1388), "ina3221", "sees 5 V",
		},
		{
			"wired backwards",
			I2C{Chip: ChipINA3221, Rails: []I2CRail{{Name: "12V", ShuntUOhm: 10000}}},
			(&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x3220, 0x00, 0x7127, 0x01, 0xF000, 0x02, 0x1388), "ina3221", "swap IN+ and IN-",
		},
		{
			"auto finds one channel too few",
			I2C{Rails: []I2CRail{{Name: "a", ShuntUOhm: 1e4}, {Name: "b", ShuntUOhm: 1e4}}},
			(&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x2260), "", "name 1 to 1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			playback := tt.bus.bus()
			tt.cfg.Sleep, tt.cfg.Root = noSleep, t.TempDir()
			if tt.driver != "" {
				bindDriver(t, tt.cfg.Root, "1-0040", tt.driver)
			}
			_, err := OpenI2COn(kernelBus{playback}, tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if err := playback.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// failingBus has glitches.
type failingBus struct {
	i2c.Bus
	err error
}

func (b *failingBus) Tx(addr uint16, w, r []byte) error {
	if b.err != nil {
		return b.err
	}
	return b.Bus.Tx(addr, w, r)
}

// One glitch on the wires must not end a trial of an hour, a lost sensor must.
func TestINAMisses(t *testing.T) {
	root := t.TempDir()
	bindDriver(t, root, "1-0040", "ina3221")
	s := (&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x3220, 0x00, 0x7127, 0x01, 0x07D0, 0x02, 0x1388)
	bus := &failingBus{Bus: kernelBus{s.reads(0x01, 0x07D0, 0x02, 0x1388).bus()}}
	m, err := OpenI2COn(bus, I2C{Chip: ChipINA3221, Root: root, Rails: []I2CRail{{Name: "VDD_IN", ShuntUOhm: 5000}}})
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]Value, 1)
	bus.err = errors.New("lost arbitration")
	if err := m.Read(dst); err != nil || dst[0].Flags != Missing || !math.IsNaN(dst[0].Watts) {
		t.Errorf("a glitch gives %+v and %v, want a missing value", dst[0], err)
	}
	bus.err = nil
	if err := m.Read(dst); err != nil || dst[0].Flags != 0 || dst[0].Watts != 10 {
		t.Errorf("behind the glitch are %+v and %v, want 10 W", dst[0], err)
	}
	bus.err = io.ErrUnexpectedEOF
	for range inaMisses - 1 {
		if err := m.Read(dst); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Read(dst); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a lost sensor gives %v", err)
	}
	if err := m.Read(nil); err == nil {
		t.Error("0 values for 1 rail are no error")
	}
}

// A cycle shorter than the polling period leaves parts of the load unseen; a much
// longer one makes most polls stale.
func TestINAPlanCoversThePeriod(t *testing.T) {
	for _, channels := range []int{1, 2, 3} {
		for period := 2 * time.Millisecond; period <= 2*time.Second; period += period / 7 {
			p := planINA(period, channels)
			if c := p.cycle(channels); c < period || c > period*5/4 {
				t.Errorf("%d channels every %v: cycle %v (%v)", channels, period, c, p)
			}
		}
	}
	for period := 2 * time.Millisecond; period <= 136*time.Millisecond; period += period / 7 {
		if c := planINA219(period).cycle(); c < period || c > 2*period {
			t.Errorf("ina219 every %v: cycle %v", period, c)
		}
	}
	if p := planINA(35*time.Millisecond, 1); inaTimes[p.shunt] < 4*inaTimes[p.bus] {
		t.Errorf("%v spends too little on the current", p)
	}
	if got, want := planINA(time.Minute, 1), (inaPlan{7, 7, 7}); got != want {
		t.Errorf("a minute gives %v, want the longest", got)
	}
}

func TestINABudget(t *testing.T) {
	settings := func() *Description { return &Description{Settings: map[string]string{}} }
	tests := []struct {
		name string
		adc  inaADC
		want Budget // of 5 mΩ ±1 % at 5 V
	}{
		// Gain: both voltages' and the bus offset of 5 V.
		{"ina3221", (&ina3221{}).describe(settings()), Budget{GainRel: math.Sqrt(2*0.0025*0.0025 + 0.0032*0.0032), OffsetA: 0.016, LSBA: 0.008, LSBV: 0.008}},
		{"ina226", (&ina226{}).describe(settings()), Budget{GainRel: math.Sqrt(2*0.001*0.001 + 0.0015*0.0015), OffsetA: 0.002, LSBA: 0.0005, LSBV: 0.00125}},
		{"ina219", (&ina219Chip{gain: 0}).describe(settings()), Budget{GainRel: math.Sqrt(2 * 0.005 * 0.005), OffsetA: 0.02, LSBA: 0.002, LSBV: 0.004}},
		{"ina219 at ±320 mV", (&ina219Chip{gain: 3}).describe(settings()), Budget{GainRel: math.Sqrt(2 * 0.005 * 0.005), OffsetA: 0.04, LSBA: 0.016, LSBV: 0.004}},
	}
	for _, tt := range tests {
		tt.want.ShuntRel = 0.01
		got := tt.adc.budget(I2CRail{ShuntUOhm: 5000, ShuntRel: 0.01}, 5)
		if diff := cmp.Diff(tt.want, got, near); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// When the chip's own arithmetic overflows something is beyond what was expected of
// the rail, and the reading is no measurement.
func TestINAOverflow(t *testing.T) {
	tests := []struct {
		name string
		cfg  I2C
		open *script
		read *script
	}{
		{
			"ina226",
			I2C{Chip: ChipINA226},
			(&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x2260, 0x00, 0x4127, 0x05, 0x0000).
				writes(0x05, 0x0800).writes(0x00, 0x4000|planINA(35*time.Millisecond, 1).bits()).
				reads(0x06, 0x0008, 0x05, 0, 0x01, 0x0FA0, 0x02, 0x0FA0, 0x04, 0, 0x03, 0, 0x01, 0x0FA0, 0x02, 0x0FA0),
			(&script{addr: 0x40}).reads(0x06, 0x000C, 0x01, 0x0FA0, 0x02, 0x0FA0),
		},
		{
			// periph's Sense would give up, and leave the ready flag set.
			"ina219",
			I2C{Chip: ChipINA219},
			(&script{addr: 0x40}).reads(0x00, 0x399F, 0x05, 0).writes(0x00, 0x8000).reads(0x00, 0x399F).
				writes(0x05, 0x1000).writes(0x00, 0x1FFF).writes(0x00, 0x3CF7).
				reads(0x02, 0x2712, 0x01, 0x0FA0, 0x02, 0x2712, 0x04, 0x0FA0, 0x03, 0x03E8),
			(&script{addr: 0x40}).reads(0x02, 0x2713, 0x01, 0x0FA0, 0x02, 0x2713, 0x03, 0x03E8),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Sleep, tt.cfg.Rails = noSleep, []I2CRail{{Name: "5V", ShuntUOhm: 100000}}
			playback := (&script{ops: append(tt.open.ops, tt.read.ops...)}).bus()
			m, err := OpenI2COn(playback, tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			var v [1]Value
			if err := m.Read(v[:]); err != nil {
				t.Fatal(err)
			}
			if v[0].Flags != Saturated {
				t.Errorf("flags %v, want saturated alone", v[0].Flags)
			}
			if err := playback.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A chip whose registers contradict each other is not what it seems.
func TestINA226Arithmetic(t *testing.T) {
	tests := []struct {
		name string
		raw  [5]uint16 // calibration, shunt, bus, current, power
		want bool
	}{
		{"vector", [5]uint16{0x0200, 0x0FA0, 0x0FA0, 0x03E8, 0x00C8}, true},
		{"backwards", [5]uint16{0x0200, 0xF060, 0x0FA0, 0xFC18, 0x00C8}, true},
		{"rounded up", [5]uint16{0x0200, 0x0FA1, 0x0FA0, 0x03E9, 0x00C9}, true},
		{"another scale", [5]uint16{0x0200, 0x0FA0, 0x0FA0, 0x07D0, 0x0190}, false},
		{"power stuck", [5]uint16{0x0200, 0x0FA0, 0x0FA0, 0x03E8, 0xFFFF}, false},
		{"current beyond its register", [5]uint16{0x7FFF, 0x7FFF, 0x0FA0, 0x7FFF, 0xFFFF}, true},
	}
	for _, tt := range tests {
		if got := ina226Agree(tt.raw); got != tt.want {
			t.Errorf("%s: agrees is %v, want %v", tt.name, got, tt.want)
		}
	}
}
