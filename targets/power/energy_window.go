package power

import (
	"fmt"
	"math"
	"time"
)

// Window is what the readings say of the time between two moments, with the
// errors of the integration. Window.Energy adds those of the sensor.
type Window struct {
	Seconds float64
	Rails   []RailWindow
	// TotalJ is the energy by the meter's total rule.
	TotalJ float64
	// Reads counts the meter's readings in the window. Fresh counts the new
	// values of that rail in the total which has the fewest, Gaps its times of
	// more than three periods without one.
	Reads, Fresh, Gaps int
	// Saturated and Missing count the values of the total's rails with those
	// flags; StaleShare is the share of stale ones, and StaleDue the share that
	// polling faster than the sensor converts explains.
	Saturated, Missing   int
	StaleShare, StaleDue float64
	// CPUShare is the CPU time of the sampler as a share of one core, NaN where
	// the system does not tell.
	CPUShare float64
	// SyncError is the limit of error of the clock that the window is given in
	// against that of the readings; 0 where it is the same.
	SyncError time.Duration
}

// RailWindow is one rail's part of a Window.
type RailWindow struct {
	EnergyJ float64 // NaN where there was no fresh reading
	// MeanV is NaN where the sensor tells no volts.
	MeanV       float64
	Fresh, Gaps int
	// NoiseJ is the standard error of the integration, EdgeJ the limit of error
	// of the window's ends (see Energy).
	NoiseJ, EdgeJ float64
}

// MeanW is the mean power of the total.
func (w Window) MeanW() float64 { return w.TotalJ / w.Seconds }

// Window integrates the readings from one moment to another.
func (s *Series) Window(from, to time.Duration) (Window, error) { return s.window(from, to, 0) }

// window is Window with a limit of error of its ends' moments.
func (s *Series) window(from, to, sync time.Duration) (Window, error) {
	lo, hi, err := s.span(from, to)
	if err != nil {
		return Window{}, err
	}
	w := Window{Seconds: (to - from).Seconds(), Reads: hi - lo, Fresh: math.MaxInt, SyncError: sync}
	w.CPUShare = s.cpuShare(lo, hi)
	stale, values, sum := 0, 0, 0.0
	for i, rail := range s.desc.Rails {
		r := s.rail(i, from, to, sync)
		for k := lo; k < hi; k++ {
			v := s.value(k, i)
			if s.fresh(k, i) {
				r.Fresh++
			}
			if !rail.InTotal {
				continue
			}
			values++
			if v.Flags&Stale != 0 {
				stale++
			}
			if v.Flags&Saturated != 0 {
				w.Saturated++
			}
			if v.Flags&Missing != 0 {
				w.Missing++
			}
		}
		r.Gaps = s.gaps(i, lo, hi, from, to)
		w.Rails = append(w.Rails, r)
		if !rail.InTotal {
			continue
		}
		if math.IsNaN(r.EnergyJ) {
			return Window{}, fmt.Errorf("reading energy: rail %s of the total gave nothing in %.3g s", rail.Name, w.Seconds)
		}
		w.Fresh, w.Gaps = min(w.Fresh, r.Fresh), max(w.Gaps, r.Gaps)
		sum += r.EnergyJ
	}
	if values == 0 && w.Reads > 0 {
		return Window{}, fmt.Errorf("reading energy: no rail of %s is in its total", s.desc.Source)
	}
	if values > 0 {
		w.StaleShare = float64(stale) / float64(values)
	}
	if s.desc.Cycle > s.period {
		w.StaleDue = 1 - s.period.Seconds()/s.desc.Cycle.Seconds()
	}
	w.TotalJ = s.desc.Total.Gain*sum + s.desc.Total.OffsetW*w.Seconds
	return w, nil
}

// gaps counts the times without a fresh value that are longer than three periods.
func (s *Series) gaps(rail, lo, hi int, from, to time.Duration) int {
	n, last := 0, from
	see := func(at time.Duration) {
		if at-last > 3*s.turn() {
			n++
		}
		last = at
	}
	for k := lo; k < hi; k++ {
		if s.fresh(k, rail) {
			see(s.at[k])
		}
	}
	see(to)
	return n
}

func (s *Series) cpuShare(lo, hi int) float64 {
	if hi-lo < 2 || s.cpu[hi-1] == 0 {
		return math.NaN()
	}
	return (s.cpu[hi-1] - s.cpu[lo]).Seconds() / (s.at[hi-1] - s.at[lo]).Seconds()
}

// rail integrates one rail.
func (s *Series) rail(i int, from, to, sync time.Duration) RailWindow {
	pts := s.points(i, from, to)
	end := (to - from).Seconds()
	r := RailWindow{EnergyJ: math.NaN(), MeanV: s.meanVolts(i, from, to)}
	if s.desc.Rails[i].Counter {
		if len(pts) < 2 {
			return r
		}
		r.EnergyJ = interpolate(pts, end) - interpolate(pts, 0)
		slack := s.desc.Cycle.Seconds()/2 + sync.Seconds()
		r.EdgeJ = counterEdge(pts, 0, slack) + counterEdge(pts, end, slack)
		return r
	}
	if len(pts) == 0 {
		return r
	}
	_, late := s.age()
	covered := s.desc.Averaged.Seconds()
	slack := late.Seconds()
	r.EnergyJ = trapezoid(pts, end)
	r.NoiseJ = noise(pts, end, covered)
	for _, x := range []float64{0, end} {
		r.EdgeJ += powerEdge(pts, x, covered, slack) + math.Abs(interpolate(pts, x))*sync.Seconds()
	}
	return r
}

func (s *Series) meanVolts(rail int, from, to time.Duration) float64 {
	sum, n := 0.0, 0
	lo, hi, _ := s.span(from, to)
	for k := max(0, lo-1); k < min(hi+1, len(s.at)); k++ {
		if v := s.value(k, rail); s.fresh(k, rail) && !math.IsNaN(v.Volts) {
			sum += v.Volts
			n++
		}
	}
	return sum / float64(n) // NaN without any
}

// interpolate is the curve's value at x, its ends' beyond them.
func interpolate(pts []point, x float64) float64 {
	k := after(pts, x)
	switch k {
	case 0:
		return pts[0].y
	case len(pts):
		return pts[k-1].y
	}
	a, b := pts[k-1], pts[k]
	return a.y + (b.y-a.y)*(x-a.x)/(b.x-a.x)
}

// after is the index of the first point beyond x.
func after(pts []point, x float64) int {
	for k, p := range pts {
		if p.x > x {
			return k
		}
	}
	return len(pts)
}

// trapezoid is the integral of the curve over [0, end], whose ends lie between
// points or, within a reading's age, beyond the last.
func trapezoid(pts []point, end float64) float64 {
	sum, last := 0.0, point{0, interpolate(pts, 0)}
	for _, p := range pts {
		if p.x <= 0 {
			continue
		}
		if p.x >= end {
			break
		}
		sum += (p.x - last.x) * (p.y + last.y) / 2
		last = p
	}
	return sum + (end-last.x)*(interpolate(pts, end)+last.y)/2
}
