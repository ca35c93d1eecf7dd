package power

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// Sampler polls a meter until it is stopped. One goroutine on a thread of its
// own takes all readings, so that its CPU time can be told.
type Sampler struct {
	meter Meter
	start time.Time // of the series' times
	marks chan chan error
	stop  chan struct{}
	once  sync.Once
	done  chan struct{}

	mu     sync.Mutex
	series *Series
	err    error // of the last reading
	failed int
}

// PollPeriod is how often to poll a meter for windows of that length, of which
// each is to have so many readings: at least every 50 ms, at most every 5 ms, and
// slower sensors, and those whose averages leave nothing out, twice in a cycle, so
// that no reading of theirs is lost. A sensor faster than that is not followed.
func PollPeriod(d Description, window time.Duration, readings int) time.Duration {
	const least, most = 5 * time.Millisecond, 50 * time.Millisecond
	period := min(most, max(least, window/time.Duration(max(1, readings))))
	switch {
	case d.Cycle == 0:
		return period
	case d.Cycle > period, d.Cycle >= least && d.Averaged >= d.Cycle/2:
		return max(least, d.Cycle/2)
	}
	return period
}

// StartSampler takes a first reading and then one in every period, at a moment
// drawn from seed: a strict rhythm would meet a load of the same rhythm always at
// the same point.
func StartSampler(m Meter, period time.Duration, seed uint64) (*Sampler, error) {
	series, err := NewSeries(m.Describe(), period)
	if err != nil {
		return nil, err
	}
	s := &Sampler{
		meter: m, start: time.Now(), series: series,
		marks: make(chan chan error), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go s.poll(newRhythm(period, seed))
	if err := s.Mark(); err != nil {
		s.Stop() //nolint:errcheck // it is the same error
		return nil, err
	}
	return s, nil
}

// rhythm draws one moment in every period.
type rhythm struct {
	period time.Duration
	rand   *rand.Rand
	turn   time.Duration // number of the period
}

func newRhythm(period time.Duration, seed uint64) *rhythm {
	return &rhythm{period: period, rand: rand.New(rand.NewPCG(seed, 0))}
}

// next is a moment in the first period that begins after now, or in the one
// after the last.
func (r *rhythm) next(now time.Duration) time.Duration {
	r.turn = max(r.turn, now/r.period) + 1
	return r.turn*r.period + time.Duration(r.rand.Int64N(int64(r.period)))
}

func (s *Sampler) poll(r *rhythm) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	values := make([]Value, len(s.series.desc.Rails))
	timer := time.NewTimer(r.next(0))
	defer timer.Stop()
	for {
		select {
		case <-s.stop:
			return
		case reply := <-s.marks:
			reply <- s.read(values)
		case <-timer.C:
			// An error is kept; the sensor may come back.
			s.read(values) //nolint:errcheck
			now := time.Since(s.start)
			timer.Reset(r.next(now) - now)
		}
	}
}

// read takes one reading. It runs on the sampler's thread.
func (s *Sampler) read(values []Value) error {
	before := time.Since(s.start)
	err := s.meter.Read(values)
	at := (before + time.Since(s.start)) / 2
	cpu := threadCPU()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.series.at); err == nil && n > 0 {
		at = max(at, s.series.at[n-1]+1)
	}
	if err == nil {
		err = s.series.add(at, cpu, values)
	}
	if err != nil {
		s.failed++
		err = fmt.Errorf("sampling power: %w", err)
	}
	s.err = err
	return err
}

var errStopped = errors.New("sampling power: the sampler was stopped")

// Mark takes a reading now.
func (s *Sampler) Mark() error {
	reply := make(chan error, 1)
	select {
	case s.marks <- reply:
		return <-reply
	case <-s.done:
		return errStopped
	}
}

// Stop ends the polling, and returns the error of the last reading. Readings that
// failed before one that did not show as gaps.
func (s *Sampler) Stop() error {
	s.once.Do(func() { close(s.stop) })
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Failed is how many readings failed so far.
func (s *Sampler) Failed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Window integrates the readings from one moment to another.
func (s *Sampler) Window(from, to time.Time) (Window, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.series.Window(from.Sub(s.start), to.Sub(s.start))
}

// Concentration is Series.Concentration of a load whose cycles begin at starts.
func (s *Sampler) Concentration(starts []time.Time) (r float64, n int) {
	since := make([]time.Duration, len(starts))
	for i, t := range starts {
		since[i] = t.Sub(s.start)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.series.Concentration(since)
}
