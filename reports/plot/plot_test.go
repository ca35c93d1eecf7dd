package plot_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/reports/plot"
)

func point(label string, x, y float64) plot.Point {
	return plot.Point{
		Label: label,
		X:     plot.Estimate{Value: x, Lo: x * 0.95, Hi: x * 1.05},
		Y:     plot.Estimate{Value: y, Lo: y - 0.01, Hi: math.NaN()},
	}
}

// A reader picks a variant from the front: a dominated cell there costs them speed or F1.
func TestFront(t *testing.T) {
	less, more := plot.Dimension{}, plot.Dimension{More: true}
	points := []plot.Point{point("fast", 1, 0.8), point("good", 4, 0.95), point("beaten", 4.1, 0.94), point("twin", 1, 0.8), point("slow", 9, 0.8)}
	if n := plot.Front(points, less, more); n != 3 {
		t.Errorf("%d points on the front, want 3", n)
	}
	for _, p := range points {
		if want := p.Label != "beaten" && p.Label != "slow"; p.Front != want {
			t.Errorf("%s: front is %v", p.Label, p.Front)
		}
	}
}

// A picture that is no well-formed SVG breaks the whole report.
func TestPicturesAreWellFormed(t *testing.T) {
	x := plot.Dimension{Title: "latency p50 / ms", Log: true}
	y := plot.Dimension{Title: "macro-F1 <&>", More: true}
	points := []plot.Point{point("a", 1, 0.9), point("b", 20, 0.92)}
	plot.Front(points, x, y)
	one := []plot.Point{point("only", 3, 0.5)}
	for name, draw := range map[string]func(io.Writer) error{
		"trade-off": func(w io.Writer) error { return plot.TradeOff(w, x, y, points) },
		"one point": func(w io.Writer) error { return plot.TradeOff(w, x, y, one) },
		"along": func(w io.Writer) error {
			return plot.Along(w, "bits", y, []float64{4, 8, 16}, []plot.Estimate{{Value: 0.9}, {Value: 0.9}, {Value: 0.9}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := draw(&b); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(b.String(), "<svg") {
				t.Errorf("does not begin with <svg: %.40q", b.String())
			}
			d := xml.NewDecoder(strings.NewReader(b.String()))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if dir := os.Getenv("PLOT_OUT"); dir != "" {
				if err := os.WriteFile(dir+"/"+name+".svg", []byte(b.String()), 0o644); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A picture that hangs or panics takes the whole report with it.
func TestOddValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	log, linear := plot.Dimension{Title: "x", Log: true}, plot.Dimension{Title: "y"}
	one := plot.Estimate{Value: 1, Lo: 0.5, Hi: 2}
	for name, c := range map[string]struct {
		x, y plot.Estimate
		ok   bool
	}{
		"interval to 0":         {plot.Estimate{Value: 1, Lo: 0, Hi: 2}, one, true},
		"interval below 0":      {plot.Estimate{Value: 1, Lo: -3, Hi: 2}, one, true},
		"endless interval":      {plot.Estimate{Value: 1, Lo: 0.5, Hi: inf}, plot.Estimate{Value: 1, Lo: -inf, Hi: 2}, true},
		"no interval":           {plot.Estimate{Value: 1, Lo: nan, Hi: nan}, plot.Estimate{Value: 0, Lo: nan, Hi: nan}, true},
		"interval turned round": {plot.Estimate{Value: 1, Lo: 2, Hi: 0.5}, one, true},
		"far apart":             {plot.Estimate{Value: 1, Lo: 1e-12, Hi: 1e12}, one, true},
		"0 on a log axis":       {plot.Estimate{Value: 0, Lo: 0, Hi: 1}, one, false},
		"below 0 on a log axis": {plot.Estimate{Value: -1, Lo: 0, Hi: 1}, one, false},
		"not a number":          {one, plot.Estimate{Value: nan}, false},
		"endless":               {one, plot.Estimate{Value: inf}, false},
	} {
		points := []plot.Point{{X: c.x, Y: c.y}, {X: one, Y: one}}
		if err := plot.TradeOff(io.Discard, log, linear, points); (err == nil) != c.ok {
			t.Errorf("trade-off, %s: %v", name, err)
		}
		if err := plot.Along(io.Discard, "bits", log, []float64{1, 2}, []plot.Estimate{one, c.x}); (err == nil) != (c.ok || c.x == one) {
			t.Errorf("along, %s: %v", name, err)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	if err := plot.TradeOff(io.Discard, plot.Dimension{}, plot.Dimension{}, nil); err == nil {
		t.Error("a picture without a point is no error")
	}
	if err := plot.Along(io.Discard, "bits", plot.Dimension{}, []float64{1}, nil); err == nil {
		t.Error("settings without values are no error")
	}
}
