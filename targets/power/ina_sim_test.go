package power_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/power/sim"
	"periph.io/x/conn/v3/i2c"
)

// bench is a bus on a clock that only moves when it is told to.
type bench struct {
	bus *sim.Bus
	t   time.Duration
}

func newBench(t *testing.T, chip *sim.Chip) *bench {
	t.Helper()
	b := &bench{t: time.Second}
	b.bus = sim.NewBus("bench", func() time.Duration { return b.t })
	if err := b.bus.Add(0x40, chip); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) sleep(d time.Duration) { b.t += d }

func (b *bench) open(t *testing.T, bus i2c.Bus, cfg power.I2C) power.Meter {
	t.Helper()
	cfg.Sleep = b.sleep
	m, err := power.OpenI2COn(bus, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (b *bench) register(t *testing.T, reg byte) uint16 {
	t.Helper()
	var r [2]byte
	if err := b.bus.Tx(0x40, []byte{reg}, r[:]); err != nil {
		t.Fatal(err)
	}
	return uint16(r[0])<<8 | uint16(r[1])
}

func steady(volts, amps float64) sim.Load {
	return func(time.Duration) (float64, float64) { return volts, amps }
}

// bursts is a load of inferences: 7 ms of every 11 at three times the power, on a
// voltage that sags, with a slow rise.
func bursts(t time.Duration) (volts, amps float64) {
	amps = 1 + 0.05*t.Seconds()
	if t%(11*time.Millisecond) < 7*time.Millisecond {
		amps *= 3
	}
	return 5.1 - 0.02*amps, amps
}

const shuntUOhm = 10000

var sensors = []struct {
	name string
	chip func(sim.Channel) *sim.Chip
}{
	{power.ChipINA226, sim.NewINA226},
	{power.ChipINA219, sim.NewINA219},
	{power.ChipINA3221, func(c sim.Channel) *sim.Chip { return sim.NewINA3221([3]sim.Channel{c}) }},
}

func oneRail(chip string) power.I2C {
	return power.I2C{Chip: chip, Rails: []power.I2CRail{{Name: "5V", ShuntUOhm: shuntUOhm}}}
}

// The energy of ten seconds of bursts is what a user pays for: an ideal part must
// tell it within 1 %.
func TestSimulatedEnergy(t *testing.T) {
	for _, s := range sensors {
		for _, period := range []time.Duration{5 * time.Millisecond, 35 * time.Millisecond, 100 * time.Millisecond} {
			t.Run(fmt.Sprint(s.name, " ", period), func(t *testing.T) {
				b := newBench(t, s.chip(sim.Channel{Load: bursts, ShuntUOhm: shuntUOhm}))
				cfg := oneRail(s.name)
				cfg.Period = period
				m := b.open(t, b.bus, cfg)
				from, end := b.t, b.t+10*time.Second
				var joules float64
				var last power.Value
				var lastT time.Duration
				for ; b.t <= end; b.t += period {
					var v [1]power.Value
					if err := m.Read(v[:]); err != nil {
						t.Fatal(err)
					}
					if v[0].Flags&power.Stale != 0 {
						continue
					}
					if v[0].Flags != 0 {
						t.Fatalf("flags %v", v[0].Flags)
					}
					if lastT != 0 {
						joules += (v[0].Watts + last.Watts) / 2 * (b.t - lastT).Seconds()
					}
					last, lastT = v[0], b.t
				}
				var truth float64
				const dt = 50 * time.Microsecond
				for at := from; at < lastT; at += dt {
					volts, amps := bursts(at + dt/2)
					truth += volts * amps * dt.Seconds()
				}
				if e := joules/truth - 1; math.Abs(e) > 0.01 {
					t.Errorf("%.3f J of %.3f J: off by %.2f %%", joules, truth, 100*e)
				}
			})
		}
	}
}

// A stated error that real parts exceed makes every interval of a report a lie.
func TestSimulatedErrorsStayInsideTheBudget(t *testing.T) {
	type limits struct{ gain, offset, bus, busOffset float64 }
	sheet := map[string]limits{
		power.ChipINA226:  {0.001, 10e-6, 0.001, 7.5e-3},
		power.ChipINA219:  {0.005, 200e-6, 0.005, 0},
		power.ChipINA3221: {0.0025, 80e-6, 0.0025, 16e-3},
	}
	const runs = 400
	for _, s := range sensors {
		rng := rand.New(rand.NewPCG(5, uint64(len(s.name))))
		within := func(limit float64) float64 { return limit * (2*rng.Float64() - 1) }
		inside := 0
		for range runs {
			volts, amps := 5+rng.Float64()*7, 0.5+rng.Float64()*4
			l := sheet[s.name]
			b := newBench(t, s.chip(sim.Channel{Load: steady(volts, amps), ShuntUOhm: shuntUOhm, Errors: sim.Errors{
				GainRel: within(l.gain), OffsetV: within(l.offset), BusGainRel: within(l.bus), BusOffsetV: within(l.busOffset),
				ShuntRel: within(0.01), ClockRel: within(0.1),
			}}))
			m := b.open(t, b.bus, oneRail(s.name))
			var v [1]power.Value
			if err := m.Read(v[:]); err != nil {
				t.Fatal(err)
			}
			e := m.Describe().Rails[0].Budget
			watts := volts * amps
			var squares float64
			for _, a := range []float64{e.GainRel * watts, e.ShuntRel * watts, e.OffsetA * volts, e.LSBA * volts / 2, e.LSBV * amps / 2} {
				squares += a * a / 3
			}
			if math.Abs(v[0].Watts-watts) <= 1.96*math.Sqrt(squares) {
				inside++
			}
		}
		t.Logf("%s: %d of %d inside", s.name, inside, runs)
		if inside < runs*93/100 {
			t.Errorf("%s: only %d of %d readings inside their 95 %% limits", s.name, inside, runs)
		}
	}
}

// The sensor is somebody's: a measurement must leave it as it was.
func TestSimulatedSensorIsGivenBack(t *testing.T) {
	for _, s := range sensors {
		b := newBench(t, s.chip(sim.Channel{Load: steady(5, 1), ShuntUOhm: shuntUOhm}))
		before := b.register(t, 0)
		m := b.open(t, b.bus, oneRail(s.name))
		if b.register(t, 0) == before {
			t.Errorf("%s: the configuration was not changed", s.name)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if got := b.register(t, 0); got != before {
			t.Errorf("%s: configuration %04x, found %04x", s.name, got, before)
		}
	}
}

func TestSimulatedFlags(t *testing.T) {
	amps := 1.0
	for _, s := range sensors {
		amps = 1
		b := newBench(t, s.chip(sim.Channel{ShuntUOhm: shuntUOhm, Load: func(time.Duration) (float64, float64) { return 5, amps }}))
		m := b.open(t, b.bus, oneRail(s.name))
		cycle := m.Describe().Cycle
		var got []power.Flag
		read := func() {
			var v [1]power.Value
			if err := m.Read(v[:]); err != nil {
				t.Fatal(err)
			}
			got = append(got, v[0].Flags)
		}
		read()
		b.t += cycle / 3
		read() // nothing new
		b.t += cycle
		read()
		amps = 1000
		for range 9 {
			b.t += cycle // a filter takes its time
			if err := m.Read(make([]power.Value, 1)); err != nil {
				t.Fatal(err)
			}
		}
		b.t += cycle
		read()
		b.bus.Remove(0x40)
		read()
		want := []power.Flag{0, power.Stale, 0, power.Saturated, power.Missing}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: flags (-want +got):\n%s", s.name, diff)
		}
	}
}

// An INA3221's filter would take many readings to forget what it held before.
func TestSimulatedFilterStartsFresh(t *testing.T) {
	amps := 8.0
	b := newBench(t, sim.NewINA3221([3]sim.Channel{{ShuntUOhm: shuntUOhm, Load: func(time.Duration) (float64, float64) { return 5, amps }}}))
	b.t += time.Second
	b.register(t, 1)
	// Somebody left it asleep, with the outputs of a heavy load.
	if err := b.bus.Tx(0x40, []byte{0, 0x7F, 0xF8}, nil); err != nil {
		t.Fatal(err)
	}
	amps = 1
	m := b.open(t, b.bus, oneRail(power.ChipINA3221))
	var v [1]power.Value
	if err := m.Read(v[:]); err != nil {
		t.Fatal(err)
	}
	if math.Abs(v[0].Watts-5) > 0.05 {
		t.Errorf("the first reading is %.3f W, want 5", v[0].Watts)
	}
}

func TestSimulatedDescription(t *testing.T) {
	b := newBench(t, sim.NewINA3221([3]sim.Channel{
		{Load: steady(19, 1), ShuntUOhm: 5000}, {Load: steady(19, 0.4), ShuntUOhm: 5000}, {Load: steady(19, 0.2), ShuntUOhm: 5000},
	}))
	m := b.open(t, b.bus, power.I2C{Rails: []power.I2CRail{
		{Name: "VDD_IN", ShuntUOhm: 5000, Volts: 19},
		{Name: "VDD_CPU_GPU_CV", ShuntUOhm: 5000, Subset: true},
		{Name: "VDD_SOC", ShuntUOhm: 5000, Subset: true},
	}})
	d := m.Describe()
	if !d.Simulated || d.Source != power.ChipINA3221 || d.Scope != "board-19V" || d.TotalRule != "VDD_IN alone" || d.Total != (power.Total{Gain: 1}) {
		t.Errorf("described as %+v", d)
	}
	v := make([]power.Value, 3)
	if err := m.Read(v); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{19, 7.6, 3.8} {
		if got := v[i].Watts; math.Abs(got-want) > 0.08 {
			t.Errorf("%s: %.3f W, want %.3f", d.Rails[i].Name, got, want)
		}
		if d.Rails[i].InTotal != (i == 0) {
			t.Errorf("%s: in the total: %v", d.Rails[i].Name, d.Rails[i].InTotal)
		}
	}
}

func TestSimulatedNobody(t *testing.T) {
	bus := sim.NewBus("empty", nil)
	if _, err := power.OpenI2COn(bus, oneRail(power.ChipAuto)); !errors.Is(err, power.ErrNoDevice) {
		t.Errorf("error %v, want that no device answers", err)
	}
}
