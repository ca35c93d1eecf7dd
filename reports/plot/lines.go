package plot

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series are points that are joined in their order.
type Series struct {
	Name string // in the legend; empty = not in it
	X, Y []float64
	// Low and High are the ends of each point's bar; nil = no bars.
	Low, High []float64
	Points    bool // marked, not only joined
	Aside     bool // drawn faint and dashed, as a line to compare with
}

// Lines writes an SVG picture of series. It returns an error when there is no
// point, or one that has no place on an axis.
func Lines(w io.Writer, x, y Dimension, series []Series) error {
	p := newPlot(x, y)
	p.Legend.XOffs, p.Legend.YOffs = -vg.Points(6), vg.Points(6) // in the lower right corner
	p.Legend.TextStyle.Color = ink
	colors := []color.Color{accent, reference, ink}
	drawn := 0
	for i, s := range series {
		if len(s.X) != len(s.Y) || s.Low != nil && (len(s.Low) != len(s.X) || len(s.High) != len(s.X)) {
			return fmt.Errorf("drawing %s: %d and %d coordinates", s.Name, len(s.X), len(s.Y))
		}
		var m marks
		for k := range s.X {
			e := Estimate{Value: s.Y[k], Lo: math.NaN(), Hi: math.NaN()}
			if s.Low != nil {
				e.Lo, e.Hi = s.Low[k], s.High[k]
			}
			if err := m.addOn(x, y, Estimate{Value: s.X[k], Lo: math.NaN(), Hi: math.NaN()}, e); err != nil {
				return err
			}
		}
		if len(m.XYs) == 0 {
			continue
		}
		drawn++
		l, err := plotter.NewLine(m.XYs)
		if err != nil {
			return fmt.Errorf("drawing %s: %w", s.Name, err)
		}
		l.Color, l.Width = colors[i%len(colors)], vg.Points(1.2)
		if s.Aside {
			l.Color, l.Dashes = faint, []vg.Length{vg.Points(3), vg.Points(3)}
		}
		p.Add(l)
		if s.Name != "" {
			p.Legend.Add(s.Name, l)
		}
		if s.Points {
			if err := m.draw(p, l.Color); err != nil {
				return err
			}
		}
	}
	if drawn == 0 {
		return fmt.Errorf("drawing %s over %s: no point", y.Title, x.Title)
	}
	p.Legend.ThumbnailWidth = vg.Points(18)
	p.Legend.TextStyle.Font = p.X.Tick.Label.Font
	p.Legend.TextStyle.YAlign = draw.YCenter
	p.Legend.Padding = 0.8 * p.Legend.TextStyle.Font.Size // a centred line counts as half of its height
	return write(w, p, 5.6*vg.Inch, 3.7*vg.Inch)
}
