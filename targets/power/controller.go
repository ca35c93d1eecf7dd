package power

import (
	"context"
	"fmt"
	"time"
)

// Exchange asks the runner for the time: when it heard the question and when it
// answered, by its monotonic clock.
type Exchange func(context.Context) (heard, answered time.Duration, err error)

// Controller reads a meter that hangs on this machine for windows that another
// machine, the runner, gives by its own clock.
type Controller struct {
	sampler *Sampler
	offsets []Offset
}

// StartController samples a meter as StartSampler does, and compares the clocks.
func StartController(ctx context.Context, m Meter, period time.Duration, seed uint64, ask Exchange) (*Controller, error) {
	s, err := StartSampler(m, period, seed)
	if err != nil {
		return nil, err
	}
	c := &Controller{sampler: s}
	if err := c.Sync(ctx, ask); err != nil {
		s.Stop() //nolint:errcheck // the clocks' error says more
		return nil, err
	}
	return c, nil
}

// Sync compares the clocks. Called again at the end of a trial, it makes good the
// drift between.
func (c *Controller) Sync(ctx context.Context, ask Exchange) error {
	pings := make([]Ping, 0, MinPings)
	for range MinPings {
		p := Ping{Sent: time.Since(c.sampler.start)}
		var err error
		if p.Heard, p.Answered, err = ask(ctx); err != nil {
			return fmt.Errorf("comparing clocks: %w", err)
		}
		p.Back = time.Since(c.sampler.start)
		pings = append(pings, p)
	}
	o, err := EstimateOffset(pings)
	if err != nil {
		return err
	}
	if _, err := NewClock(append(c.offsets, o)...); err != nil {
		return err
	}
	c.offsets = append(c.offsets, o)
	return nil
}

// Mark takes a reading now.
func (c *Controller) Mark() error { return c.sampler.Mark() }

// Stop ends the sampling.
func (c *Controller) Stop() error { return c.sampler.Stop() }

// Window is the energy between two moments of the runner's clock.
func (c *Controller) Window(from, to time.Duration) (Window, error) {
	clock, err := NewClock(c.offsets...)
	if err != nil {
		return Window{}, err
	}
	c.sampler.mu.Lock()
	defer c.sampler.mu.Unlock()
	return c.sampler.series.PeerWindow(clock, from, to)
}

// Concentration is Series.Concentration of a load whose cycles begin at moments of
// the runner's clock.
func (c *Controller) Concentration(starts []time.Duration) (r float64, n int) {
	clock, err := NewClock(c.offsets...)
	if err != nil {
		return 0, 0
	}
	own := make([]time.Duration, len(starts))
	for i, t := range starts {
		own[i] = clock.Own(t)
	}
	c.sampler.mu.Lock()
	defer c.sampler.mu.Unlock()
	return c.sampler.series.Concentration(own)
}

// PeerWindow is Window for moments of a peer's clock. What the clocks may differ
// by is an error of either end.
func (s *Series) PeerWindow(c *Clock, from, to time.Duration) (Window, error) {
	a, b := c.Own(from), c.Own(to)
	w, err := s.window(a, b, max(c.Limit(a), c.Limit(b)))
	if err != nil {
		return w, fmt.Errorf("by the controller's clock: %w", err)
	}
	return w, nil
}
