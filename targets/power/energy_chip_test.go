package power_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/power/sim"
)

// From the registers of a simulated chip through its driver and the sampler to
// joules, on virtual time: what an inventory entry gives its user. An error in
// any link would put the truth outside.
func TestEnergyThroughTheDrivers(t *testing.T) {
	const seeds = 12
	for _, chip := range []string{power.ChipINA226, power.ChipINA3221, power.ChipINA219} {
		t.Run(chip, func(t *testing.T) {
			inside, net := 0, 0
			for seed := range uint64(seeds) {
				synctest.Test(t, func(t *testing.T) {
					gross, more := throughDriver(t, chip, rand.New(rand.NewPCG(seed, 4)))
					inside, net = inside+gross, net+more
				})
			}
			if inside < seeds-1 || net < seeds-1 {
				t.Errorf("truth inside the gross interval in %d, the net in %d of %d runs", inside, net, seeds)
			}
		})
	}
}

func throughDriver(t *testing.T, chip string, r *rand.Rand) (gross, net int) {
	const volts, idleW, lowW, highW = 5.1, 2.0, 3.0, 9.0
	draw := func(limit float64) float64 { return limit * (2*r.Float64() - 1) }
	start := time.Now()
	var from, to atomic.Int64 // of the work, ns; 0 = not yet
	turn := 300*time.Millisecond + time.Duration(r.Int64N(int64(600*time.Millisecond)))
	load := func(at time.Duration) (float64, float64) {
		switch {
		case from.Load() == 0 || at.Nanoseconds() < from.Load() || to.Load() > 0 && at.Nanoseconds() >= to.Load():
			return volts, idleW / volts
		case (at.Nanoseconds()-from.Load())/turn.Nanoseconds()%2 == 0:
			return volts, highW / volts
		}
		return volts, lowW / volts
	}
	e := map[string]sim.Errors{
		power.ChipINA226:  {GainRel: draw(0.001), OffsetV: draw(10e-6)},
		power.ChipINA3221: {GainRel: draw(0.0025), OffsetV: draw(80e-6)},
		power.ChipINA219:  {GainRel: draw(0.005), OffsetV: draw(100e-6)},
	}[chip]
	e.ShuntRel, e.ClockRel = draw(0.01), draw(0.02)
	ch := sim.Channel{Load: load, ShuntUOhm: 10000, Errors: e}
	part := map[string]func() *sim.Chip{
		power.ChipINA226:  func() *sim.Chip { return sim.NewINA226(ch) },
		power.ChipINA219:  func() *sim.Chip { return sim.NewINA219(ch) },
		power.ChipINA3221: func() *sim.Chip { return sim.NewINA3221([3]sim.Channel{ch, ch, ch}) },
	}[chip]()
	bus := sim.NewBus("bench", func() time.Duration { return time.Since(start) })
	if err := bus.Add(0x40, part); err != nil {
		t.Fatal(err)
	}
	m, err := power.OpenI2COn(bus, power.I2C{Chip: chip, Rails: []power.I2CRail{{Name: "in", ShuntUOhm: 10000}}})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Describe()
	if !d.Simulated {
		t.Error("a simulated sensor does not say so")
	}
	s, err := power.StartSampler(m, power.PollPeriod(d, 10*time.Second, 60), r.Uint64())
	if err != nil {
		t.Fatal(err)
	}
	window := func(length time.Duration, begin, end *atomic.Int64) func() power.Window {
		began := time.Now()
		if begin != nil {
			begin.Store(began.Sub(start).Nanoseconds())
		}
		time.Sleep(length)
		ended := time.Now()
		if end != nil {
			end.Store(ended.Sub(start).Nanoseconds())
		}
		return func() power.Window {
			w, err := s.Window(began, ended)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
	}
	time.Sleep(200 * time.Millisecond)
	before := window(2*time.Second, nil, nil)
	work := window(10*time.Second, &from, &to)
	time.Sleep(200 * time.Millisecond)
	after := window(2*time.Second, nil, nil)
	if err := s.Mark(); err != nil {
		t.Fatal(err)
	}
	w := work()
	if w.Gaps > 0 || w.Saturated > 0 || w.Fresh < 150 {
		t.Errorf("%d fresh readings, %d gaps, %d saturated", w.Fresh, w.Gaps, w.Saturated)
	}
	got := w.Energy(d, before(), after())
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	worked := time.Duration(to.Load() - from.Load())
	high := worked / (2 * turn) * turn
	high += min(turn, worked%(2*turn))
	truth := highW*high.Seconds() + lowW*(worked-high).Seconds()
	if got.Gross.Lo <= truth && truth <= got.Gross.Hi {
		gross = 1
	}
	if truth -= idleW * worked.Seconds(); got.Net.Lo <= truth && truth <= got.Net.Hi {
		net = 1
	}
	if testing.Verbose() {
		t.Logf("%+v, truth %.2f net, averaged %v of %v", got, truth, d.Averaged, d.Cycle)
	}
	return gross, net
}
