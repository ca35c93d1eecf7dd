package plot

import (
	"fmt"
	"io"
	"math"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// Past is a figure of one night.
type Past struct {
	At    time.Time
	Value Estimate
}

// History writes an SVG picture of a figure over nights, the oldest first. steps are
// the indices of nights that begin a new level: a level is drawn as the median of its
// nights, and the beginning of a new one is marked.
func History(w io.Writer, y Dimension, nights []Past, steps []int) error {
	if len(nights) == 0 {
		return fmt.Errorf("drawing %s: no night", y.Title)
	}
	p := newPlot(Dimension{}, y)
	var all, fresh marks
	begins := map[int]bool{}
	for _, s := range steps {
		if s <= 0 || s >= len(nights) {
			return fmt.Errorf("drawing %s: a step at night %d of %d", y.Title, s, len(nights))
		}
		begins[s] = true
	}
	for i, n := range nights {
		m := &all
		if begins[i] {
			m = &fresh
		}
		x := Estimate{Value: float64(n.At.Unix()), Lo: math.NaN(), Hi: math.NaN()}
		if err := m.addOn(Dimension{}, y, x, n.Value); err != nil {
			return err
		}
	}
	for _, s := range levels(nights, steps) {
		l, err := plotter.NewLine(s)
		if err != nil {
			return fmt.Errorf("drawing %s: %w", y.Title, err)
		}
		l.Color, l.Width = accent, vg.Points(1.4)
		p.Add(l)
	}
	if err := all.draw(p, accent); err != nil {
		return err
	}
	if err := fresh.draw(p, reference); err != nil {
		return err
	}
	p.X.Tick.Marker = dates{}
	first, last := nights[0].At, nights[len(nights)-1].At
	pad := max(last.Sub(first).Seconds()/40, 3600)
	p.X.Min, p.X.Max = float64(first.Unix())-pad, float64(last.Unix())+pad
	return write(w, p, 4.2*vg.Inch, 2.3*vg.Inch)
}

// levels are lines at the median of the nights between steps.
func levels(nights []Past, steps []int) []plotter.XYs {
	var out []plotter.XYs
	from := 0
	for _, to := range append(append([]int{}, steps...), len(nights)) {
		if to <= from {
			continue
		}
		v := make([]float64, 0, to-from)
		for _, n := range nights[from:to] {
			v = append(v, n.Value.Value)
		}
		m := stat.Median(v)
		out = append(out, plotter.XYs{{X: float64(nights[from].At.Unix()), Y: m}, {X: float64(nights[to-1].At.Unix()), Y: m}})
		from = to
	}
	return out
}

// dates puts a few days below an axis of seconds.
type dates struct{}

// Ticks implements plot.Ticker.
func (dates) Ticks(lo, hi float64) []plot.Tick {
	const most = 4
	days := int((hi-lo)/86400) + 1
	every := (days + most - 1) / most
	at := time.Unix(int64(lo), 0).UTC().Truncate(24 * time.Hour)
	var ticks []plot.Tick
	for ; float64(at.Unix()) <= hi; at = at.AddDate(0, 0, every) {
		if v := float64(at.Unix()); v >= lo {
			ticks = append(ticks, plot.Tick{Value: v, Label: at.Format("2 Jan")})
		}
	}
	if len(ticks) == 0 { // within a day
		v := (lo + hi) / 2
		ticks = append(ticks, plot.Tick{Value: v, Label: time.Unix(int64(v), 0).UTC().Format("2 Jan 15:04")})
	}
	return ticks
}
