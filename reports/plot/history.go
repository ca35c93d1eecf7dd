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
		x := Estimate{Value: since(nights, n.At), Lo: math.NaN(), Hi: math.NaN()}
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
	p.X.Tick.Marker = dates{nights[0].At}
	last := since(nights, nights[len(nights)-1].At)
	pad := max(last/40, 0.1)
	p.X.Min, p.X.Max = -pad, last+pad
	return write(w, p, 4.2*vg.Inch, 2.3*vg.Inch)
}

// since is a time on the axis, in days after the first night.
func since(nights []Past, t time.Time) float64 { return t.Sub(nights[0].At).Hours() / 24 }

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
		out = append(out, plotter.XYs{{X: since(nights, nights[from].At), Y: m}, {X: since(nights, nights[to-1].At), Y: m}})
		from = to
	}
	return out
}

// dates puts a few days below an axis of days after the first night.
type dates struct{ first time.Time }

// Ticks implements plot.Ticker.
func (d dates) Ticks(lo, hi float64) []plot.Tick {
	const most = 4
	every := max(1, int(math.Ceil((hi-lo)/most)))
	var ticks []plot.Tick
	for v := 0.0; v <= hi; v += float64(every) {
		ticks = append(ticks, plot.Tick{Value: v, Label: d.first.UTC().AddDate(0, 0, int(v)).Format("2 Jan")})
	}
	return ticks
}
