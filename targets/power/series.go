package power

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// maxValues bounds what a Series keeps (21 MB): 1.8 h of four rails every 50 ms.
const maxValues = 1 << 19

// Series is what a meter read, in the order of time. Times are those of one
// monotonic clock, since any moment. All that is computed from it is a function
// of the readings alone.
type Series struct {
	desc   Description
	period time.Duration
	most   int // readings kept

	at     []time.Duration // of the middle of a reading
	cpu    []time.Duration // CPU time that the reader had used by then
	values []Value         // [reading][rail]
}

// NewSeries returns an empty series of a meter that is read every period.
func NewSeries(d Description, period time.Duration) (*Series, error) {
	if period <= 0 {
		return nil, fmt.Errorf("sampling power: period %v: use more than 0", period)
	}
	if len(d.Rails) == 0 {
		return nil, fmt.Errorf("sampling power: %s has no rails", d.Source)
	}
	if d.Total.Gain == 0 {
		d.Total.Gain = 1
	}
	return &Series{desc: d, period: period, most: max(2, maxValues/len(d.Rails))}, nil
}

// Add appends the readings of one moment, a value a rail. When the series is
// full the older half is forgotten.
func (s *Series) Add(at time.Duration, values []Value) error { return s.add(at, 0, values) }

func (s *Series) add(at, cpu time.Duration, values []Value) error {
	if len(values) != len(s.desc.Rails) {
		return fmt.Errorf("sampling power: %d values for %d rails", len(values), len(s.desc.Rails))
	}
	if n := len(s.at); n > 0 && at <= s.at[n-1] {
		return fmt.Errorf("sampling power: a reading at %v after one at %v", at, s.at[n-1])
	}
	if len(s.at) == s.most {
		half := s.most / 2
		s.at = slices.Delete(s.at, 0, half)
		s.cpu = slices.Delete(s.cpu, 0, half)
		s.values = slices.Delete(s.values, 0, half*len(values))
	}
	s.at = append(s.at, at)
	s.cpu = append(s.cpu, cpu)
	s.values = append(s.values, values...)
	return nil
}

// ErrOutside is returned for a window that the readings do not cover.
var ErrOutside = errors.New("the window is not covered by readings")

// span checks a window and returns the readings [lo, hi) within it.
func (s *Series) span(from, to time.Duration) (lo, hi int, err error) {
	n := len(s.at)
	switch {
	case n == 0:
		return 0, 0, fmt.Errorf("reading energy: %w: there are none", ErrOutside)
	case to <= from:
		return 0, 0, fmt.Errorf("reading energy: %w: it ends at %v, before its start at %v", ErrOutside, to, from)
	case from < s.at[0] || to > s.at[n-1]:
		return 0, 0, fmt.Errorf("reading energy: %w: it lies from %v to %v, they from %v to %v", ErrOutside, from, to, s.at[0], s.at[n-1])
	}
	lo, _ = slices.BinarySearch(s.at, from)
	hi, exact := slices.BinarySearch(s.at, to)
	if exact {
		hi++
	}
	return lo, hi, nil
}

// value is a rail's in one reading.
func (s *Series) value(reading, rail int) Value { return s.values[reading*len(s.desc.Rails)+rail] }

// fresh says whether a rail's value in one reading is one of its own: a stale one
// repeats another, and what is no number was not read. Of the two quantities a
// meter tells the one that the rail is read by; the other may be no number.
func (s *Series) fresh(reading, rail int) bool {
	v := s.value(reading, rail)
	x := v.Watts
	if s.desc.Rails[rail].Counter {
		x = v.Joules
	}
	return v.Flags&(Stale|Missing) == 0 && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// turn is the time in which a new reading is due.
func (s *Series) turn() time.Duration { return max(s.period, s.desc.Cycle) }

// age is how long ago, in the mean, the middle of the time that a power reading
// stands for was, and how far that may be off: the reading averages over
// Averaged, and was made at any moment since the last one could have been read.
func (s *Series) age() (mean, limit time.Duration) {
	wait := s.period
	if s.desc.Cycle > 0 {
		wait = min(wait, s.desc.Cycle)
	}
	if s.desc.Cycle == 0 {
		return 0, wait
	}
	return (s.desc.Averaged + wait) / 2, wait / 2
}

// point is a reading of one rail; y is watts, or joules of a counter.
type point struct {
	x float64 // s since the window's start
	y float64
}

// around is how many points beyond a window tell what happens at its ends.
const around = 3

// points returns a rail's fresh readings within [from, to] and up to three
// beyond each end, at the moments that they stand for.
func (s *Series) points(rail int, from, to time.Duration) []point {
	var age time.Duration
	if !s.desc.Rails[rail].Counter {
		age, _ = s.age()
	}
	first, _ := slices.BinarySearch(s.at, from+age)
	for n := 0; first > 0 && n < around; {
		first--
		if s.fresh(first, rail) {
			n++
		}
	}
	var out []point
	for i, beyond := first, 0; i < len(s.at) && beyond < around; i++ {
		if !s.fresh(i, rail) {
			continue
		}
		v := s.value(i, rail)
		p := point{x: (s.at[i] - age - from).Seconds(), y: v.Watts}
		if s.desc.Rails[rail].Counter {
			p.y = v.Joules
		}
		out = append(out, p)
		if s.at[i]-age > to {
			beyond++
		}
	}
	return out
}
