package power

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Frame is what a meter shows at one moment.
type Frame struct {
	At    time.Duration // since the watch began
	Total Rolling
	Rails []Rolling // in the meter's order
}

// Rolling is a power now and over the span until now, in watts; NaN where there
// is none, as at a counter's first reading.
type Rolling struct {
	NowW, MeanW, MinW, MaxW float64
	Flags                   Flag // of the last reading; for the total of any of its rails
}

// Watch reads a meter every period and shows each reading with what happened
// within the span before it, until ctx ends or show fails. It returns nil at the
// end of ctx.
func Watch(ctx context.Context, m Meter, period, span time.Duration, show func(Frame) error) error {
	if period <= 0 || span < period {
		return fmt.Errorf("watching power: every %v over %v: use a period above 0 and a span that has one", period, span)
	}
	const most = 100_000
	if span/period > most {
		return fmt.Errorf("watching power: every %v over %v are more than %d readings: use a longer period or a shorter span", period, span, most)
	}
	d := m.Describe()
	w := watch{desc: d, keep: int(span / period), rings: make([][]float64, len(d.Rails)+1), last: make([]count, len(d.Rails))}
	if w.desc.Total.Gain == 0 {
		w.desc.Total.Gain = 1
	}
	start := time.Now()
	values := make([]Value, len(d.Rails))
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		if err := m.Read(values); err != nil {
			return fmt.Errorf("watching power: %w", err)
		}
		if err := show(w.frame(time.Since(start), values)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// watch is what was seen so far.
type watch struct {
	desc  Description
	keep  int
	rings [][]float64 // watts, oldest first; the total's is the last
	last  []count
}

// count is a counter's last value.
type count struct {
	joules float64
	at     time.Duration
	known  bool
}

func (w *watch) frame(at time.Duration, values []Value) Frame {
	f := Frame{At: at, Rails: make([]Rolling, len(values))}
	sum := 0.0
	var flags Flag
	for i, rail := range w.desc.Rails {
		v := values[i]
		now := v.Watts
		switch {
		case v.Flags&Missing != 0:
			now = math.NaN()
		case rail.Counter:
			now = math.NaN()
			if last := w.last[i]; last.known {
				now = (v.Joules - last.joules) / (at - last.at).Seconds()
			}
			w.last[i] = count{v.Joules, at, true}
		}
		f.Rails[i] = w.roll(i, now, v.Flags)
		if rail.InTotal {
			sum += now
			flags |= v.Flags
		}
	}
	f.Total = w.roll(len(values), w.desc.Total.Gain*sum+w.desc.Total.OffsetW, flags)
	return f
}

func (w *watch) roll(i int, now float64, flags Flag) Rolling {
	r := Rolling{NowW: now, MeanW: math.NaN(), MinW: math.NaN(), MaxW: math.NaN(), Flags: flags}
	if !math.IsNaN(now) {
		w.rings[i] = append(w.rings[i], now)
		if n := len(w.rings[i]); n > w.keep {
			w.rings[i] = append(w.rings[i][:0], w.rings[i][n-w.keep:]...)
		}
	}
	if len(w.rings[i]) == 0 {
		return r
	}
	sum := 0.0
	r.MinW, r.MaxW = math.Inf(1), math.Inf(-1)
	for _, x := range w.rings[i] {
		sum += x
		r.MinW, r.MaxW = min(r.MinW, x), max(r.MaxW, x)
	}
	r.MeanW = sum / float64(len(w.rings[i]))
	return r
}
