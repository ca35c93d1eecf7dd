package power

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// tap is a counter of 2 W and a power of 1 W (not in the total) by real time.
type tap struct {
	start time.Time
	fail  atomic.Bool
}

func (c *tap) Describe() Description {
	return Description{Source: "tap", Total: Total{Gain: 1}, Rails: []Rail{{Name: "a", InTotal: true, Counter: true}, {Name: "b"}}}
}

func (c *tap) Close() error { return nil }

func (c *tap) Read(dst []Value) error {
	if c.fail.Load() {
		return errors.New("gone")
	}
	dst[0] = Value{Joules: 2 * time.Since(c.start).Seconds(), Volts: math.NaN(), Amps: math.NaN()}
	dst[1] = Value{Watts: 1, Volts: 5, Amps: 0.2}
	return nil
}

// The energy of a window is what tops_per_w divides by.
func TestASamplerIntegratesWhatItPolls(t *testing.T) { synctest.Test(t, integrates) }

func integrates(t *testing.T) {
	s, err := StartSampler(&tap{start: time.Now()}, 2*time.Millisecond, 1)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond) // between two readings
	from := time.Now()
	time.Sleep(40 * time.Millisecond)
	to := time.Now()
	if err := s.Mark(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	w, err := s.Window(from, to)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(w.MeanW()-2) > 1e-6 || math.Abs(w.Rails[1].EnergyJ/w.Seconds-1) > 1e-9 || w.Reads < 20 || w.Reads > 21 || w.Gaps != 0 {
		t.Errorf("got %.9f W, %.9f W, %d readings, %d gaps", w.MeanW(), w.Rails[1].EnergyJ/w.Seconds, w.Reads, w.Gaps)
	}
	if _, err := s.Window(from, to.Add(time.Hour)); !errors.Is(err, ErrOutside) {
		t.Errorf("a window beyond the readings gave %v", err)
	}
	if _, err := s.Window(to, from); !errors.Is(err, ErrOutside) {
		t.Errorf("a reversed window gave %v", err)
	}
	if s.Mark() == nil {
		t.Error("a stopped sampler took a reading")
	}
	if err := s.Stop(); err != nil {
		t.Errorf("stopping again: %v", err)
	}
}

// One lost answer of a bus must not cost a trial of 10 s; a sensor that is gone must.
func TestALostSensorIsReported(t *testing.T) { synctest.Test(t, loses) }

func loses(t *testing.T) {
	c := &tap{start: time.Now()}
	s, err := StartSampler(c, 10*time.Millisecond, 1)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	time.Sleep(100 * time.Millisecond)
	c.fail.Store(true)
	time.Sleep(45 * time.Millisecond)
	if s.Mark() == nil {
		t.Error("a failed reading was no error")
	}
	c.fail.Store(false)
	time.Sleep(100 * time.Millisecond)
	to := time.Now()
	if err := s.Mark(); err != nil {
		t.Errorf("the sensor came back: %v", err)
	}
	w, err := s.Window(from, to)
	if err != nil || w.Gaps != 1 || s.Failed() < 4 {
		t.Errorf("%d gaps after %d failed readings, %v", w.Gaps, s.Failed(), err)
	}
	c.fail.Store(true)
	time.Sleep(20 * time.Millisecond)
	if s.Stop() == nil {
		t.Error("stopping forgot the failed reading")
	}
	if _, err := StartSampler(c, time.Second, 1); err == nil {
		t.Error("a sensor that cannot be read was started")
	}
	if _, err := StartSampler(c, 0, 1); err == nil {
		t.Error("a period of 0 was accepted")
	}
}

// A sampler that does not tell its own cost hides it in the figure.
func TestTheSamplersOwnCPU(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the CPU time of a thread is told on Linux only")
	}
	s, err := StartSampler(&tap{start: time.Now()}, time.Millisecond, 1)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	for time.Since(from) < 50*time.Millisecond {
		if err := s.Mark(); err != nil {
			t.Fatal(err)
		}
	}
	// The last reading may be of long before the loop's end, on a busy machine.
	if err := s.Mark(); err != nil {
		t.Fatal(err)
	}
	w, err := s.Window(from, from.Add(40*time.Millisecond))
	if err := errors.Join(err, s.Stop()); err != nil {
		t.Fatal(err)
	}
	if !(w.CPUShare > 0 && w.CPUShare <= 1.05) {
		t.Errorf("reading without pause took %g of a core", w.CPUShare)
	}
}

func TestPollPeriod(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name            string
		cycle, averaged time.Duration
		window, want    time.Duration
	}{
		{"unknown sensor", 0, 0, 10 * time.Second, 50 * ms},
		{"short window", 0, 0, 600 * ms, 10 * ms},
		{"shortest", 0, 0, ms, 5 * ms},
		{"a sensor that sees an instant is met at random", 6600 * time.Microsecond, 1100 * time.Microsecond, 10 * time.Second, 50 * ms},
		{"one that sees all is read each time", 35200 * time.Microsecond, 35200 * time.Microsecond, 10 * time.Second, 17600 * time.Microsecond},
		{"a slow one needs no more", time.Second, 0, 10 * time.Second, 500 * ms},
	} {
		if got := PollPeriod(Description{Cycle: c.cycle, Averaged: c.averaged}, c.window, 60); got != c.want {
			t.Errorf("%s: every %v, want %v", c.name, got, c.want)
		}
	}
}

// What sampling costs must be found where it costs, and not where it does not.
func TestOverhead(t *testing.T) { synctest.Test(t, overhead) }

func overhead(t *testing.T) {
	m := &tap{start: time.Now()}
	runs, drift := 0, 0.0
	// Rates off, on, on, off on a machine that gets 1 slower with each run.
	work := func(context.Context) (float64, error) {
		time.Sleep(10 * time.Millisecond)
		rate := 100 - drift
		if k := runs % 4; k == 1 || k == 2 {
			rate *= 0.98
		}
		runs++
		drift++
		return rate, nil
	}
	o, err := MeasureOverhead(t.Context(), m, time.Millisecond, 3, work)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(o.LossRel.Value-0.02) > 1e-9 || o.LossRel.Half() > 1e-9 || o.Blocks != 3 || runs != 12 {
		t.Errorf("%+v after %d runs, want a loss of 2 %%", o, runs)
	}
	if _, err := MeasureOverhead(t.Context(), m, time.Millisecond, 1, work); err == nil {
		t.Error("one block has no interval, but was accepted")
	}
	if _, err := MeasureOverhead(t.Context(), m, time.Millisecond, 2, func(context.Context) (float64, error) { return 0, nil }); err == nil {
		t.Error("a throughput of 0 was accepted")
	}
}
