// Package plot draws the pictures of a report as SVG: trade-offs between two
// metrics with their Pareto front, and one metric along one axis of a sweep.
// Every mark carries its interval.
package plot

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	ink       = color.RGBA{R: 0x33, G: 0x3a, B: 0x45, A: 0xff}
	faint     = color.RGBA{R: 0xa9, G: 0xb1, B: 0xbd, A: 0xff}
	grid      = color.RGBA{R: 0xe6, G: 0xe9, B: 0xee, A: 0xff}
	accent    = color.RGBA{R: 0x0b, G: 0x6b, B: 0xcb, A: 0xff}
	reference = color.RGBA{R: 0xc2, G: 0x41, B: 0x0c, A: 0xff}
)

// Estimate is a value with its 95 % interval; Lo and Hi are NaN where none is known.
type Estimate struct{ Value, Lo, Hi float64 }

// Dimension is one metric of a picture.
type Dimension struct {
	Title string // with the unit
	Log   bool   // logarithmic scale; values must be above 0
	More  bool   // more is better
}

// Point is one cell of a sweep in a trade-off picture.
type Point struct {
	Label string // drawn beside the mark when the point is on the front
	X, Y  Estimate
	Dense bool // the uncompressed reference, drawn in its own colour
	Front bool // set by Front
}

// Front marks the points that no other point beats in both dimensions and
// returns how many there are. It compares the values, not the intervals.
func Front(points []Point, x, y Dimension) int {
	n := 0
	for i := range points {
		points[i].Front = true
		for j := range points {
			if i != j && dominates(points[j], points[i], x, y) {
				points[i].Front = false
				break
			}
		}
		if points[i].Front {
			n++
		}
	}
	return n
}

func dominates(a, b Point, x, y Dimension) bool {
	dx, dy := a.X.Value-b.X.Value, a.Y.Value-b.Y.Value
	if !x.More {
		dx = -dx
	}
	if !y.More {
		dy = -dy
	}
	return dx >= 0 && dy >= 0 && (dx > 0 || dy > 0)
}

// TradeOff writes an SVG picture of points, the front joined and labelled. It
// returns an error when there is no point, or one that has no place on an axis.
func TradeOff(w io.Writer, x, y Dimension, points []Point) error {
	if len(points) == 0 {
		return fmt.Errorf("drawing %s over %s: no point", y.Title, x.Title)
	}
	p := newPlot(x, y)
	var groups [3]marks // dominated, front, dense
	var labels plotter.XYLabels
	for _, q := range points {
		g := 0
		switch {
		case q.Dense:
			g = 2
		case q.Front:
			g = 1
		}
		if err := groups[g].addOn(x, y, q.X, q.Y); err != nil {
			return err
		}
		if q.Front && q.Label != "" {
			labels.XYs = append(labels.XYs, plotter.XY{X: q.X.Value, Y: q.Y.Value})
			labels.Labels = append(labels.Labels, q.Label)
		}
	}
	if line := frontLine(points, x); len(line) > 1 {
		l, err := plotter.NewLine(line)
		if err != nil {
			return fmt.Errorf("drawing the front: %w", err)
		}
		l.Color, l.Width = accent, vg.Points(1.2)
		p.Add(l)
	}
	for g, style := range []color.Color{faint, accent, reference} {
		if err := groups[g].draw(p, style); err != nil {
			return err
		}
	}
	if len(labels.XYs) > 0 {
		l, err := plotter.NewLabels(labels)
		if err != nil {
			return fmt.Errorf("labelling the front: %w", err)
		}
		for i := range l.TextStyle {
			l.TextStyle[i].Font.Size = vg.Points(9)
			l.TextStyle[i].Color = ink
		}
		l.Offset = vg.Point{X: vg.Points(4), Y: vg.Points(4)}
		p.Add(l)
	}
	return write(w, p, 5.6*vg.Inch, 3.7*vg.Inch)
}

// frontLine returns the front in order of x, without the labels.
func frontLine(points []Point, x Dimension) plotter.XYs {
	var line plotter.XYs
	for _, q := range points {
		if q.Front {
			line = append(line, plotter.XY{X: q.X.Value, Y: q.Y.Value})
		}
	}
	sortByX(line)
	return line
}

// Along writes an SVG picture of metric y at the values xs of one axis, drawn
// at even distances since the values are settings and no measurements.
func Along(w io.Writer, axis string, y Dimension, xs []float64, ys []Estimate) error {
	if len(xs) == 0 || len(xs) != len(ys) {
		return fmt.Errorf("drawing %s along %s: %d settings and %d values", y.Title, axis, len(xs), len(ys))
	}
	p := newPlot(Dimension{Title: axis}, y)
	ticks := make([]plot.Tick, len(xs))
	var m marks
	line := make(plotter.XYs, len(xs))
	for i := range xs {
		ticks[i] = plot.Tick{Value: float64(i), Label: strconv.FormatFloat(xs[i], 'g', -1, 64)}
		if err := m.addOn(Dimension{Title: axis}, y, Estimate{Value: float64(i), Lo: math.NaN(), Hi: math.NaN()}, ys[i]); err != nil {
			return err
		}
		line[i] = plotter.XY{X: float64(i), Y: ys[i].Value}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.X.Min, p.X.Max = -0.4, float64(len(xs))-0.6
	l, err := plotter.NewLine(line)
	if err != nil {
		return fmt.Errorf("drawing %s along %s: %w", y.Title, axis, err)
	}
	l.Color, l.Width = accent, vg.Points(1.2)
	p.Add(l)
	if err := m.draw(p, accent); err != nil {
		return err
	}
	return write(w, p, 2.9*vg.Inch, 2.2*vg.Inch)
}

func newPlot(x, y Dimension) *plot.Plot {
	p := plot.New()
	sans := func(size float64) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	}
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = grid, grid
	p.Add(g)
	for _, a := range []struct {
		axis *plot.Axis
		dim  Dimension
	}{{&p.X, x}, {&p.Y, y}} {
		a.axis.Label.Text = a.dim.Title
		a.axis.Label.TextStyle.Font, a.axis.Label.TextStyle.Color = sans(10), ink
		a.axis.Tick.Label.Font, a.axis.Tick.Label.Color = sans(9), ink
		a.axis.LineStyle.Color, a.axis.Tick.LineStyle.Color = faint, faint
		a.axis.Padding = vg.Points(4)
		if a.dim.Log {
			a.axis.Scale, a.axis.Tick.Marker = plot.LogScale{}, logTicks{}
		}
	}
	return p
}

// write pads ranges that are too small to read and writes the picture without
// the XML prologue, ready to stand inside an HTML page.
func write(w io.Writer, p *plot.Plot, width, height vg.Length) error {
	widen(&p.X)
	widen(&p.Y)
	c := vgsvg.New(width, height)
	p.Draw(draw.New(c))
	var buf bytes.Buffer
	if _, err := c.WriteTo(&buf); err != nil {
		return fmt.Errorf("writing picture: %w", err)
	}
	svg := buf.Bytes()
	if i := bytes.Index(svg, []byte("<svg")); i > 0 {
		svg = svg[i:]
	}
	if _, err := w.Write(svg); err != nil {
		return fmt.Errorf("writing picture: %w", err)
	}
	return nil
}
