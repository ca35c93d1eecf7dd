package power

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Meter counts joules on its rails.
type Meter interface {
	Rails() []Rail
	// Read writes joules since a fixed but arbitrary moment, a rail each.
	Read(dst []float64) error
}

// Sampler polls a meter until it is stopped.
type Sampler struct {
	meter  Meter
	period time.Duration
	stop   chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	times []time.Time // monotonic
	sums  []float64   // [reading][rail]
	err   error       // the first
}

// StartSampler takes a first reading and polls every period from then on.
func StartSampler(m Meter, period time.Duration) (*Sampler, error) {
	if period <= 0 {
		return nil, fmt.Errorf("sampling power: period %v: use more than 0", period)
	}
	s := &Sampler{meter: m, period: period, stop: make(chan struct{}), done: make(chan struct{})}
	if err := s.Mark(); err != nil {
		return nil, err
	}
	go s.poll()
	return s, nil
}

func (s *Sampler) poll() {
	defer close(s.done)
	tick := time.NewTicker(s.period)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			if s.Mark() != nil {
				return
			}
		}
	}
}

// Mark takes a reading now. Windows that begin and end at a mark need no
// interpolation.
func (s *Sampler) Mark() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.meter.Rails())
	s.sums = slices.Grow(s.sums, n)
	before := time.Now()
	err := s.meter.Read(s.sums[len(s.sums) : len(s.sums)+n])
	if err != nil {
		s.err = errors.Join(s.err, fmt.Errorf("sampling power: %w", err))
		return s.err
	}
	s.sums = s.sums[:len(s.sums)+n]
	s.times = append(s.times, before.Add(time.Since(before)/2))
	return nil
}

// Stop ends the polling and returns the first error of a reading.
func (s *Sampler) Stop() error {
	close(s.stop)
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Window is the energy between two moments.
type Window struct {
	Seconds float64
	RailJ   []float64 // a rail each
	TotalJ  float64   // of the rails in the total
	// Readings counts those inside, Gaps the times that two lay more than
	// three periods apart.
	Readings, Gaps int
}

// Watts is the mean power of the total.
func (w Window) Watts() float64 { return w.TotalJ / w.Seconds }

// ErrOutside is returned for a window that the readings do not cover.
var ErrOutside = errors.New("the window is not covered by readings")

// Window returns the energy from one moment to another, by linear interpolation
// between the readings around each.
func (s *Sampler) Window(from, to time.Time) (Window, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !to.After(from) || len(s.times) == 0 || from.Before(s.times[0]) || to.After(s.times[len(s.times)-1]) {
		return Window{}, fmt.Errorf("reading energy: %w", ErrOutside)
	}
	rails := s.meter.Rails()
	w := Window{Seconds: to.Sub(from).Seconds(), RailJ: make([]float64, len(rails))}
	for i, rail := range rails {
		w.RailJ[i] = s.at(to, i, len(rails)) - s.at(from, i, len(rails))
		if rail.InTotal {
			w.TotalJ += w.RailJ[i]
		}
	}
	last := from
	for _, t := range s.times {
		if t.Before(from) || t.After(to) {
			continue
		}
		w.Readings++
		if t.Sub(last) > 3*s.period {
			w.Gaps++
		}
		last = t
	}
	if to.Sub(last) > 3*s.period {
		w.Gaps++
	}
	return w, nil
}

// at returns a rail's joules at a moment within the readings.
func (s *Sampler) at(t time.Time, rail, rails int) float64 {
	next, exact := slices.BinarySearchFunc(s.times, t, time.Time.Compare)
	if exact {
		return s.sums[next*rails+rail]
	}
	t0, t1 := s.times[next-1], s.times[next]
	e0, e1 := s.sums[(next-1)*rails+rail], s.sums[next*rails+rail]
	return e0 + (e1-e0)*float64(t.Sub(t0))/float64(t1.Sub(t0))
}
