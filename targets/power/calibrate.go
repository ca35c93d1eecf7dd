package power

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// Step is a known load of a calibration.
type Step struct {
	Name string
	Load float64 // its amount, as in busy threads
	// Run makes the load until ctx ends, and calls begun when it is there; nil is idle.
	Run func(ctx context.Context, begun func()) error
}

// CalibrateOptions are how a calibration is run.
type CalibrateOptions struct {
	Settle time.Duration // after a step began, before it is read
	Dwell  time.Duration // that it is read for
	Period time.Duration // of the sampler; 0 = PollPeriod
	Seed   uint64
}

// Calibration is what known loads show of a sensor.
type Calibration struct {
	Sensor Description
	Steps  []StepPower
	// The total in watts fits BaseW + SlopeW·Load with at most ResidualW left.
	BaseW, SlopeW, ResidualW float64
	Findings                 []Finding
}

// StepPower is the power of one step.
type StepPower struct {
	Name  string
	Load  float64
	Total Interval // W
	Rails []RailPower
	// PartsW is the sum of the rails outside the total.
	PartsW float64
	Window Window
}

// RailPower is a rail's power in one step, in watts: noise is the standard
// deviation of a reading, offset and step the sensor's limit and resolution.
type RailPower struct {
	Name                   string
	MeanW                  Interval
	NoiseW, OffsetW, StepW float64
	MeanV                  float64 // NaN where it is not told
}

// Finding is a doubt about the sensor.
type Finding struct{ Code, Text string }

// Calibrate runs the steps in order and reads the meter during each.
func Calibrate(ctx context.Context, m Meter, steps []Step, o CalibrateOptions) (Calibration, error) {
	d := m.Describe()
	if len(steps) == 0 || o.Dwell <= 0 || o.Settle < 0 {
		return Calibration{}, fmt.Errorf("calibrating %s: %d steps of %v after %v: use a step at least, of more than 0 s", d.Source, len(steps), o.Dwell, o.Settle)
	}
	if o.Period == 0 {
		o.Period = PollPeriod(d, o.Dwell, 100)
	}
	s, err := StartSampler(m, o.Period, o.Seed)
	if err != nil {
		return Calibration{}, err
	}
	defer s.Stop() //nolint:errcheck // the last step's Mark has told
	c := Calibration{Sensor: d}
	for _, step := range steps {
		p, err := s.step(ctx, step, o)
		if err != nil {
			return Calibration{}, fmt.Errorf("calibrating %s, step %s: %w", d.Source, step.Name, err)
		}
		c.Steps = append(c.Steps, p)
	}
	c.fit()
	c.judge()
	return c, nil
}

// idle is the load of a step without one.
func idle(ctx context.Context, begun func()) error {
	begun()
	<-ctx.Done()
	return nil
}

// step runs one load and reads the meter while it lasts. The load has ended when
// it returns.
func (s *Sampler) step(ctx context.Context, step Step, o CalibrateOptions) (StepPower, error) {
	run := step.Run
	if run == nil {
		run = idle
	}
	loaded, stop := context.WithCancel(ctx)
	begun, ended := make(chan struct{}), make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		failed = run(loaded, sync.OnceFunc(func() { close(begun) }))
	}()
	end := func() error {
		stop()
		<-ended
		return failed
	}
	defer end() //nolint:errcheck // the first error counts
	wait := func(until <-chan struct{}, after <-chan time.Time) error {
		select {
		case <-ctx.Done():
		case <-ended:
			if ctx.Err() == nil {
				return fmt.Errorf("the load ended too early: %w", cmp.Or(failed, errEnded))
			}
		case <-until:
		case <-after:
		}
		return ctx.Err()
	}
	if err := wait(begun, nil); err != nil {
		return StepPower{}, err
	}
	if err := wait(nil, time.After(o.Settle)); err != nil {
		return StepPower{}, err
	}
	from := time.Now()
	if err := wait(nil, time.After(o.Dwell)); err != nil {
		return StepPower{}, err
	}
	to := time.Now()
	if err := s.Mark(); err != nil {
		return StepPower{}, err
	}
	if err := end(); err != nil && !errors.Is(err, context.Canceled) {
		return StepPower{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.series.stepPower(step, from.Sub(s.start), to.Sub(s.start))
}

var errEnded = errors.New("it must run until its context ends")

// stepPower is the power of a step that lasted from one moment to another.
func (s *Series) stepPower(step Step, from, to time.Duration) (StepPower, error) {
	w, err := s.Window(from, to)
	if err != nil {
		return StepPower{}, err
	}
	e := w.Energy(s.desc)
	p := StepPower{Name: step.Name, Load: step.Load, Total: e.Gross.over(w.Seconds), Window: w}
	for i, rail := range s.desc.Rails {
		r := w.Rails[i]
		l := rail.Budget.limits(r.EnergyJ, r.MeanV, w.Seconds)
		p.Rails = append(p.Rails, RailPower{
			Name: rail.Name, MeanW: e.Rails[i].over(w.Seconds), MeanV: r.MeanV,
			NoiseW: s.scatter(i, from, to), OffsetW: l.offset / w.Seconds, StepW: 2 * l.step / w.Seconds,
		})
		if !rail.InTotal && !math.IsNaN(r.EnergyJ) {
			p.PartsW += r.EnergyJ / w.Seconds
		}
	}
	return p, nil
}

func (i Interval) over(seconds float64) Interval {
	return Interval{i.Value / seconds, i.Lo / seconds, i.Hi / seconds}
}

// scatter is the standard deviation of a rail's power from reading to reading, by
// their differences, so that a drift does not count.
func (s *Series) scatter(rail int, from, to time.Duration) float64 {
	var watts []float64
	pts := s.points(rail, from, to)
	end := (to - from).Seconds()
	for k, p := range pts {
		switch {
		case p.x < 0 || p.x > end:
		case !s.desc.Rails[rail].Counter:
			watts = append(watts, p.y)
		case k > 0:
			watts = append(watts, (p.y-pts[k-1].y)/(p.x-pts[k-1].x))
		}
	}
	sum := 0.0
	for k := 1; k < len(watts); k++ {
		d := watts[k] - watts[k-1]
		sum += d * d / 2
	}
	return math.Sqrt(sum / float64(max(1, len(watts)-1)))
}

// fit is least squares of the total over the load.
func (c *Calibration) fit() {
	n := float64(len(c.Steps))
	var x, y, xx, xy float64
	for _, s := range c.Steps {
		x += s.Load / n
		y += s.Total.Value / n
	}
	for _, s := range c.Steps {
		xx += (s.Load - x) * (s.Load - x)
		xy += (s.Load - x) * (s.Total.Value - y)
	}
	if xx > 0 {
		c.SlopeW = xy / xx
	}
	c.BaseW = y - c.SlopeW*x
	for _, s := range c.Steps {
		c.ResidualW = max(c.ResidualW, math.Abs(s.Total.Value-c.BaseW-c.SlopeW*s.Load))
	}
}
