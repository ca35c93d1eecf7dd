package stat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A slow trial is marked and stays: it may be the finding.
func TestOutliers(t *testing.T) {
	for name, c := range map[string]struct {
		xs   []float64
		want []int
	}{
		"none":          {[]float64{10, 11, 10.5, 9.8, 10.2, 10.1}, nil},
		"one":           {[]float64{10, 11, 10.5, 99, 10.2, 10.1}, []int{3}},
		"below too":     {[]float64{10, 11, 10.5, 1, 10.2, 10.1}, []int{3}},
		"coarse clock":  {[]float64{5, 5, 5, 5, 5, 5, 5, 9}, []int{7}},
		"all alike":     {[]float64{5, 5, 5, 5, 5}, nil},
		"too few":       {[]float64{1, 1, 1, 99}, nil},
		"half and half": {[]float64{1, 1.1, 1.2, 5, 5.1, 5.2}, nil}, // two modes are no outliers
	} {
		kept := append([]float64(nil), c.xs...)
		var got []int
		for _, o := range Outliers(c.xs) {
			got = append(got, o.Index)
			if o.Value != c.xs[o.Index] || (o.Score > 0) != (o.Value > Median(c.xs)) {
				t.Errorf("%s: %v does not mark its value", name, o)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(kept, c.xs); diff != "" {
			t.Errorf("%s: values changed:\n%s", name, diff)
		}
	}
	o := Outlier{Index: 3, Value: 99, Score: 133.2}
	if got := o.String(); got != "value 99 (number 4) lies 133.2 robust deviations from the median" {
		t.Error(got)
	}
}
