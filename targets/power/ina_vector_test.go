package power

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

// script is the traffic that a driver is expected to make with one chip.
type script struct {
	addr uint16
	ops  []i2ctest.IO
}

// reads expects registers to be read: reg, value, reg, value ...
func (s *script) reads(regValues ...uint16) *script {
	for i := 0; i < len(regValues); i += 2 {
		v := regValues[i+1]
		s.ops = append(s.ops, i2ctest.IO{Addr: s.addr, W: []byte{byte(regValues[i])}, R: []byte{byte(v >> 8), byte(v)}})
	}
	return s
}

func (s *script) writes(reg byte, v uint16) *script {
	s.ops = append(s.ops, i2ctest.IO{Addr: s.addr, W: []byte{reg, byte(v >> 8), byte(v)}})
	return s
}

func (s *script) bus() *i2ctest.Playback { return &i2ctest.Playback{Ops: s.ops, DontPanic: true} }

// kernelBus looks like the kernel's first bus.
type kernelBus struct{ i2c.Bus }

func (kernelBus) String() string { return "I2C1" }

func noSleep(time.Duration) {}

var near = cmpopts.EquateApprox(1e-9, 1e-9)

// With a wrong byte order, step or shift every watt that a user reads is wrong.
func TestINAVectors(t *testing.T) {
	const (
		// 35 ms: average of 4, shunt 8.244 ms and bus 0.588 ms; or 16, 2.116 ms and 140 µs.
		config226  = 0x4000 | 2<<9 | 0<<6 | 5<<3 | 7
		config219  = 0x2000 | 3<<11 | 9<<7 | 0xE<<3 | 7
		shunt5mOhm = 5000.0
	)
	plan3221 := planINA(35*time.Millisecond, 1)
	tests := []struct {
		name   string
		cfg    I2C
		open   *script
		read   *script
		close  *script
		want   Value
		driver bool
	}{
		{
			name: "ina3221 2 A at 5 V through 5 mΩ",
			cfg:  I2C{Chip: ChipINA3221, Rails: []I2CRail{{Name: "VDD_IN", ShuntUOhm: shunt5mOhm}}},
			open: (&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x3220, 0x00, 0x7127).
				writes(0x00, 0x4000|inaPlan{bus: plan3221.bus, shunt: plan3221.shunt}.bits()).
				reads(0x0F, 0x0003).
				writes(0x00, 0x4000|plan3221.bits()).
				reads(0x01, 0x07D0, 0x02, 0x1388),
			read:  (&script{addr: 0x40}).reads(0x0F, 0x0003, 0x01, 0x07D0, 0x02, 0x1388),
			close: (&script{addr: 0x40}).writes(0x00, 0x7127),
			want:  Value{Watts: 10, Volts: 5, Amps: 2},
		},
		{
			name: "ina3221 one step below zero, channel 2",
			cfg:  I2C{Chip: ChipINA3221, Address: 0x41, Rails: []I2CRail{{Name: "VDD_CPU", Channel: 2, ShuntUOhm: shunt5mOhm}}},
			open: (&script{addr: 0x41}).reads(0xFE, 0x5449, 0xFF, 0x3220, 0x00, 0x7127).
				writes(0x00, 0x2000|inaPlan{bus: plan3221.bus, shunt: plan3221.shunt}.bits()).
				reads(0x0F, 0x0002, 0x0F, 0x0003).
				writes(0x00, 0x2000|plan3221.bits()).
				reads(0x03, 0xFFF8, 0x04, 0x1388),
			read:  (&script{addr: 0x41}).reads(0x0F, 0x0003, 0x03, 0xFFF8, 0x04, 0x1388),
			close: (&script{addr: 0x41}).writes(0x00, 0x7127),
			want:  Value{Watts: -0.040, Volts: 5, Amps: -0.008},
		},
		{
			name: "ina226 1 A at 5 V through 10 mΩ",
			cfg:  I2C{Chip: ChipAuto, Rails: []I2CRail{{Name: "5V", ShuntUOhm: 10000, Volts: 5}}},
			open: (&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x2260, 0xFE, 0x5449, 0xFF, 0x2260, 0x00, 0x4127, 0x05, 0x0000).
				writes(0x05, 0x0800).writes(0x00, config226).
				reads(0x06, 0x0008).
				// At the finest step current repeats shunt, and a power step is 6.25 mW.
				reads(0x05, 0x0800, 0x01, 0x0FA0, 0x02, 0x0FA0, 0x04, 0x0FA0, 0x03, 0x0320).
				reads(0x01, 0x0FA0, 0x02, 0x0FA0),
			read:  (&script{addr: 0x40}).reads(0x06, 0x0008, 0x01, 0x0FA0, 0x02, 0x0FA0),
			close: (&script{addr: 0x40}).writes(0x05, 0x0000).writes(0x00, 0x4127),
			want:  Value{Watts: 5, Volts: 5, Amps: 1},
		},
		{
			name:   "ina226 of the kernel, calibrated for 1 mA",
			driver: true,
			cfg:    I2C{Chip: ChipINA226, Rails: []I2CRail{{Name: "5V", ShuntUOhm: 10000}}},
			open: (&script{addr: 0x40}).reads(0xFE, 0x5449, 0xFF, 0x2260, 0x00, 0x4527, 0x05, 0x0200).
				reads(0x05, 0x0200, 0x01, 0x0FA0, 0x02, 0x0FA0, 0x04, 0x03E8, 0x03, 0x00C8).
				reads(0x01, 0x0FA0, 0x02, 0x0FA0),
			read:  (&script{addr: 0x40}).reads(0x01, 0x0FA0, 0x02, 0x0FA0),
			close: &script{},
			want:  Value{Watts: 5, Volts: 5, Amps: 1},
		},
		{
			name: "ina219 400 mA at 5 V through 0.1 Ω",
			cfg:  I2C{Chip: ChipINA219, Rails: []I2CRail{{Name: "5V", ShuntUOhm: 100000}}},
			open: (&script{addr: 0x40}).reads(0x00, 0x1FFF, 0x05, 0x1062).
				writes(0x00, 0x8000).reads(0x00, 0x399F).
				writes(0x05, 0x1000).writes(0x00, 0x1FFF).writes(0x00, config219).
				reads(0x02, 0x2712).
				reads(0x01, 0x0FA0, 0x02, 0x2712, 0x04, 0x0FA0, 0x03, 0x03E8),
			read:  (&script{addr: 0x40}).reads(0x02, 0x2712, 0x01, 0x0FA0, 0x02, 0x2712, 0x04, 0x0FA0, 0x03, 0x03E8),
			close: (&script{addr: 0x40}).writes(0x05, 0x1062).writes(0x00, 0x1FFF),
			want:  Value{Watts: 2, Volts: 5, Amps: 0.4},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all := &script{}
			for _, s := range []*script{tt.open, tt.read, tt.close} {
				all.ops = append(all.ops, s.ops...)
			}
			playback := all.bus()
			var bus i2c.Bus = playback
			tt.cfg.Sleep, tt.cfg.Root = noSleep, t.TempDir()
			if tt.driver {
				bus = kernelBus{playback}
				bindDriver(t, tt.cfg.Root, "1-0040", "ina2xx")
			}
			m, err := OpenI2COn(bus, tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]Value, 1)
			if err := m.Read(got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Value{tt.want}, got, near); diff != "" {
				t.Errorf("reading (-want +got):\n%s", diff)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
			if err := m.Close(); err != nil {
				t.Errorf("closing again: %v", err)
			}
			if err := playback.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func bindDriver(t *testing.T, root, device, driver string) {
	t.Helper()
	dir := filepath.Join(root, "sys/bus/i2c/devices", device)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../../bus/i2c/drivers/"+driver, filepath.Join(dir, "driver")); err != nil {
		t.Fatal(err)
	}
}
