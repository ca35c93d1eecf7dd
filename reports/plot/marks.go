package plot

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// marks are points with error bars that share one style.
type marks struct {
	plotter.XYs
	plotter.XErrors
	plotter.YErrors
}

func (m *marks) add(x, y Estimate) {
	m.XYs = append(m.XYs, plotter.XY{X: x.Value, Y: y.Value})
	m.XErrors = append(m.XErrors, struct{ Low, High float64 }{below(x), above(x)})
	m.YErrors = append(m.YErrors, struct{ Low, High float64 }{below(y), above(y)})
}

// addOn adds a point to the axes of a picture. A value that is not finite, or not
// above 0 on a logarithmic axis, is an error.
func (m *marks) addOn(x, y Dimension, px, py Estimate) error {
	for _, c := range []struct {
		d Dimension
		e *Estimate
	}{{x, &px}, {y, &py}} {
		if v := c.e.Value; math.IsNaN(v) || math.IsInf(v, 0) || c.d.Log && v <= 0 {
			return fmt.Errorf("drawing %s: %g has no place on its axis", c.d.Title, v)
		}
		if c.d.Log && c.e.Lo <= 0 {
			c.e.Lo = c.e.Value / 10 // as far as is readable on an axis that never reaches 0
		}
	}
	m.add(px, py)
	return nil
}

func below(e Estimate) float64 {
	if math.IsNaN(e.Lo) || math.IsInf(e.Lo, 0) {
		return 0
	}
	return max(0, e.Value-e.Lo)
}

func above(e Estimate) float64 {
	if math.IsNaN(e.Hi) || math.IsInf(e.Hi, 0) {
		return 0
	}
	return max(0, e.Hi-e.Value)
}

func (m *marks) draw(p *plot.Plot, c color.Color) error {
	if len(m.XYs) == 0 {
		return nil
	}
	points, err := plotter.NewScatter(m.XYs)
	if err != nil {
		return fmt.Errorf("drawing points: %w", err)
	}
	points.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(2.6), Shape: draw.CircleGlyph{}}
	xbars, err := plotter.NewXErrorBars(m)
	if err != nil {
		return fmt.Errorf("drawing intervals: %w", err)
	}
	ybars, err := plotter.NewYErrorBars(m)
	if err != nil {
		return fmt.Errorf("drawing intervals: %w", err)
	}
	xbars.LineStyle.Color, ybars.LineStyle.Color = c, c
	xbars.CapWidth, ybars.CapWidth = vg.Points(3), vg.Points(3)
	p.Add(xbars, ybars, points)
	return nil
}

func sortByX(line plotter.XYs) {
	slices.SortFunc(line, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
}

// widen gives an axis whose values are all but equal a readable range.
func widen(a *plot.Axis) {
	if _, log := a.Scale.(plot.LogScale); log {
		if a.Max < a.Min*1.5 {
			a.Min, a.Max = a.Min/1.3, a.Max*1.3
		} else {
			a.Min, a.Max = a.Min/1.05, a.Max*1.05
		}
		return
	}
	span := a.Max - a.Min
	if least := 0.02 * max(math.Abs(a.Max), math.Abs(a.Min), 1e-9); span < least {
		a.Min, a.Max = a.Min-least, a.Max+least
		return
	}
	a.Max += 0.04 * span
}

// logTicks puts labels at 1, 2 and 5 in every decade.
type logTicks struct{}

// Ticks implements plot.Ticker.
func (logTicks) Ticks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for decade := math.Pow(10, math.Floor(math.Log10(lo))); decade <= hi; decade *= 10 {
		for d := 1.0; d < 10; d++ {
			v := decade * d
			if v < lo || v > hi {
				continue
			}
			label := ""
			if d == 1 || d == 2 || d == 5 || hi/lo < 4 {
				label = strconv.FormatFloat(v, 'g', 4, 64)
			}
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	return ticks
}
