package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
)

const (
	energyWindow = 10 * time.Second
	energyIdle   = 2 * time.Second
	windowReads  = 60 // readings that a short window is to have
)

// sensor reads the machine's energy during a trial.
type sensor struct {
	meter   power.Meter
	sampler *power.Sampler
	period  time.Duration
	idle    []power.Window
}

// openMeter finds the machine's energy sensor, else says why there is none.
func (m Machine) openMeter() (meter power.Meter, reason, mend string) {
	open := m.Meter
	if open == nil {
		open = power.OpenBest
	}
	meter, err := open(m.Root)
	var why *power.Unavailable
	switch {
	case errors.As(err, &why):
		return nil, why.Reason, why.Mend
	case err != nil:
		return nil, err.Error(), ""
	}
	return meter, "", ""
}

// LongestWindow is EnergyWindow of the slowest sensor, with a reading in 5 s.
const LongestWindow = 5 * time.Minute

// window is how long a trial must last for the sensor.
func (s *sensor) window() time.Duration { return EnergyWindow(s.meter.Describe().Cycle) }

// EnergyWindow is how long a trial must last for a sensor with that time between new
// values: long enough for the readings of a slow one.
func EnergyWindow(cycle time.Duration) time.Duration {
	need := time.Duration(2*DefaultLimits.Readings) * cycle
	return min(LongestWindow, max(energyWindow, need))
}

// start begins to sample for windows of that length, at moments drawn from seed.
func (s *sensor) start(window time.Duration, seed uint64) error {
	s.period = power.PollPeriod(s.meter.Describe(), window, windowReads)
	sampler, err := power.StartSampler(s.meter, s.period, seed)
	if err != nil {
		return fmt.Errorf("starting the energy sensor: %w", err)
	}
	s.sampler = sampler
	return nil
}

// stop ends the sampling. It is safe to call it again.
func (s *sensor) stop() error {
	if s.sampler == nil {
		return nil
	}
	err := s.sampler.Stop()
	s.sampler = nil
	return err
}

// close stops and gives the sensor back as it was found.
func (s *sensor) close() error {
	err := s.stop()
	if s.meter != nil {
		err = errors.Join(err, s.meter.Close())
	}
	return err
}

// guard is cut off either end of an idle window of that length: an average next
// to work has some of it.
func guard(d power.Description, idle time.Duration) time.Duration {
	return min(d.Averaged+d.Cycle, idle/4)
}

// rest notes the energy of an idle window that ends about now.
func (s *sensor) rest(from, to time.Time) error {
	g := guard(s.meter.Describe(), to.Sub(from))
	w, err := s.between(from.Add(g), to.Add(-g))
	if err == nil {
		s.idle = append(s.idle, w)
	}
	return err
}

// energy is that of the work window with its inferences.
func (s *sensor) energy(work *window) (*wire.Energy, error) {
	w, err := s.between(work.from, work.to)
	if err != nil {
		return nil, err
	}
	e := s.account(w)
	starts := make([]time.Time, len(work.samples))
	for i, x := range work.samples {
		starts[i] = work.from.Add(time.Duration(x.TimeS * float64(time.Second)))
	}
	r, n := s.sampler.Concentration(starts)
	e.Concentration, e.Aliased = r, power.Aliased(r, n)
	return &e, nil
}

// between reads a window, after a last reading that makes sure of its end.
func (s *sensor) between(from, to time.Time) (power.Window, error) {
	if err := s.sampler.Mark(); err != nil {
		return power.Window{}, err
	}
	return s.sampler.Window(from, to)
}

// account states the energy of a work window beside the idle ones.
func (s *sensor) account(w power.Window) wire.Energy {
	return account(s.meter.Describe(), s.period, w, s.idle)
}

// account states the energy of a work window beside the idle ones, of a meter
// that is read every period.
func account(d power.Description, period time.Duration, w power.Window, idle []power.Window) wire.Energy {
	sum := w.Energy(d, idle...)
	e := wire.Energy{
		Source: d.Source, Scope: d.Scope, TotalRule: d.TotalRule, Simulated: d.Simulated, Settings: d.Settings,
		GrossJ: sum.Gross.Value, GrossLo: sum.Gross.Lo, GrossHi: sum.Gross.Hi, IdleW: sum.IdleW,
		NetJ: sum.Net.Value, NetLo: sum.Net.Lo, NetHi: sum.Net.Hi,
		WindowS: w.Seconds, Readings: w.Fresh, RateHz: float64(w.Fresh) / w.Seconds, Gaps: w.Gaps, PeriodS: period.Seconds(),
		Saturated: w.Saturated, Missing: w.Missing, Stale: w.StaleShare, StaleDue: w.StaleDue, SyncErrorS: w.SyncError.Seconds(),
	}
	for _, rest := range idle { // they are subtracted: what they miss is missed
		e.Gaps += rest.Gaps
		e.Saturated += rest.Saturated
	}
	if !math.IsNaN(w.CPUShare) {
		e.SamplerCPU = &w.CPUShare
	}
	if sum.Stated && e.GrossJ > 0 {
		e.ErrorRel = sum.SensorJ / e.GrossJ
	}
	for i, r := range d.Rails {
		rail := wire.Rail{Name: r.Name, InTotal: r.InTotal, ShuntUOhm: r.ShuntUOhm}
		if j := sum.Rails[i]; math.IsNaN(j.Value) {
			rail.Missing = true
		} else {
			rail.EnergyJ, rail.Lo, rail.Hi = j.Value, j.Lo, j.Hi
		}
		if v := w.Rails[i].MeanV; !math.IsNaN(v) {
			rail.MeanV = v
		}
		e.Rails = append(e.Rails, rail)
	}
	return e
}

// Sleep waits for d or for the end of ctx, whose error it returns.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
