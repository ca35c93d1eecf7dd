package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
)

const (
	energyWindow = 10 * time.Second
	energyIdle   = 2 * time.Second
	energyPeriod = 50 * time.Millisecond
	leastPeriod  = 5 * time.Millisecond
	windowReads  = 60 // readings that a short window is to have
)

// sensor reads the machine's energy during a trial.
type sensor struct {
	meter   *power.RAPL
	sampler *power.Sampler
	period  time.Duration
	idle    []power.Window
}

// openMeter finds the machine's energy sensor, else says why there is none.
func (m Machine) openMeter() (meter *power.RAPL, reason, mend string) {
	meter, err := power.OpenRAPL(m.Root)
	var why *power.Unavailable
	switch {
	case errors.As(err, &why):
		return nil, why.Reason, why.Mend
	case err != nil:
		return nil, err.Error(), ""
	}
	return meter, "", ""
}

// start begins to sample for windows of that length.
func (s *sensor) start(window time.Duration) error {
	s.period = min(energyPeriod, max(leastPeriod, window/windowReads))
	sampler, err := power.StartSampler(s.meter, s.period)
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

// rest notes the energy of an idle window that ends about now.
func (s *sensor) rest(from, to time.Time) error {
	w, err := s.between(from, to)
	if err == nil {
		s.idle = append(s.idle, w)
	}
	return err
}

// energy is that of the work window.
func (s *sensor) energy(from, to time.Time) (*wire.Energy, error) {
	w, err := s.between(from, to)
	if err != nil {
		return nil, err
	}
	e := s.account(w)
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
	e := wire.Energy{
		Source: s.meter.Source(), Scope: s.meter.Scope(), TotalRule: s.meter.TotalRule(),
		GrossJ: w.TotalJ, WindowS: w.Seconds, Readings: w.Readings, Gaps: w.Gaps, PeriodS: s.period.Seconds(),
	}
	for i, r := range s.meter.Rails() {
		e.Rails = append(e.Rails, wire.Rail{Name: r.Name, EnergyJ: w.RailJ[i], InTotal: r.InTotal})
	}
	var joules, seconds float64
	for _, w := range s.idle {
		joules += w.TotalJ
		seconds += w.Seconds
	}
	if seconds > 0 {
		e.IdleW = joules / seconds
	}
	e.NetJ = e.GrossJ - e.IdleW*e.WindowS
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
