package plot_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/reports/plot"
)

// A picture that fails late, or shows a line with a point missing, spoils a report.
func TestLines(t *testing.T) {
	x, y := plot.Dimension{Title: "trials"}, plot.Dimension{Title: "share"}
	good := plot.Series{Name: "a <&>", X: []float64{0, 1, 2}, Y: []float64{0, 0.5, 1}, Low: []float64{0, 0.4, 0.9}, High: []float64{0.1, 0.6, 1}, Points: true}
	var b strings.Builder
	if err := plot.Lines(&b, x, y, []plot.Series{good, {X: []float64{0, 1}, Y: []float64{0, 1}, Aside: true}}); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(b.String(), "stroke-dasharray"); n == 0 {
		t.Error("the line to compare with is not dashed")
	}
	for name, bad := range map[string][]plot.Series{
		"nothing":         nil,
		"no point":        {{Name: "a"}},
		"lengths":         {{X: []float64{1}, Y: []float64{1, 2}}},
		"bars of another": {{X: []float64{1}, Y: []float64{1}, Low: []float64{1, 2}, High: []float64{1}}},
		"not a number":    {{X: []float64{1}, Y: []float64{math.NaN()}}},
	} {
		if err := plot.Lines(io.Discard, x, y, bad); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}
