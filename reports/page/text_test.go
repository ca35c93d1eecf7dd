package page

import (
	"math"
	"testing"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// A figure with more digits than its interval supports, or a zero where nothing
// was measured, is read as precision that is not there.
func TestFigureText(t *testing.T) {
	set := func(v, lo, hi float64, warnings ...string) stat.Row {
		r := stat.Row{Warnings: warnings}
		r.Set(stat.Interval{Value: v, Lo: lo, Hi: hi, N: 6})
		return r
	}
	nan := math.NaN()
	for _, c := range []struct {
		metric string
		row    stat.Row
		want   string
	}{
		{"latency_ms_p50", set(1.23456, 1, 2.5), "1.235 [1.000, 2.500]"},
		{"latency_ms_p50", set(0.00012345, nan, nan), "0.000123"},
		{"latency_ms_p50", set(12345.6, 12000, 13000), "12346 [12000, 13000]"},
		{"latency_ms_p50", set(150, 99, 200), "150.0 [99.00, 200.0]"},
		{"f1_macro", set(0.9, 0.8, 0.95), "0.900 [0.800, 0.950]"},
		{"skip_rate", set(0, nan, nan), "0.000"},
		{"model_bytes", set(4.25e6, 4.25e6, 4.25e6), "4.25 MB"},
		{"peak_rss_bytes", set(2.5e9, nan, nan), "2.50 GB"},
		{"energy_j", stat.Row{}, "–"},
		{"energy_j", set(nan, nan, nan), "–"},
		{"energy_j", set(2, 1, 3, "one trial", "simulated"), "2.000 [1.000, 3.000] simulated"},
	} {
		if got := figure(map[string]stat.Row{c.metric: c.row}, c.metric); got != c.want {
			t.Errorf("%s reads %q, want %q", c.metric, got, c.want)
		}
	}
	if got := figure(nil, "energy_j"); got != "–" {
		t.Errorf("a missing row reads %q", got)
	}
}

func TestSmallTexts(t *testing.T) {
	half := 0.5
	for got, want := range map[string]string{
		share(nil): "unknown", share(&half): "50.0 %", bytesText(0): "–", bytesText(999): "999 B", bytesText(1500): "1.5 kB",
		pValue(0.0004): "< 0.001", pValue(0.0216): "0.022", signed(-0.01234): "-0.0123", letter(0) + letter(25) + letter(26) + letter(51): "AZAAAZ",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
