package plot_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/reports/plot"
)

// Nights must fill the picture, and a step at no night is a mistake of the caller.
func TestHistory(t *testing.T) {
	var nights []plot.Past
	for d := range 40 {
		v := 3.0
		if d >= 26 {
			v = 3.2
		}
		nights = append(nights, plot.Past{At: time.Date(2026, 11, 1+d, 2, 0, 0, 0, time.UTC), Value: plot.Estimate{Value: v, Lo: v - 0.01, Hi: v + 0.01}})
	}
	y := plot.Dimension{Title: "latency"}
	var b bytes.Buffer
	if err := plot.History(&b, y, nights, []int{26}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 Nov", "12 Nov", "4 Dec"} {
		if !strings.Contains(b.String(), ">"+want+"<") {
			t.Errorf("no tick at %s", want)
		}
	}
	for _, far := range []string{"Apr", "Jun"} {
		if strings.Contains(b.String(), far) {
			t.Errorf("the axis reaches to %s", far)
		}
	}
	if err := plot.History(&b, y, nights[:1], nil); err != nil {
		t.Errorf("one night: %v", err)
	}
	if plot.History(&b, y, nil, nil) == nil || plot.History(&b, y, nights, []int{40}) == nil || plot.History(&b, y, nights, []int{0}) == nil {
		t.Error("no night, or a step at none, was drawn")
	}
	nights[3].Value.Value = math.NaN()
	if plot.History(&b, y, nights, nil) == nil {
		t.Error("a night without a value was drawn")
	}
}
