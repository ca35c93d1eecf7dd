package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// figure prints a row as "value [lo, hi]" with the digits that its interval
// supports; an unavailable one as a dash.
func figure(rows map[string]stat.Row, name string) string {
	r, ok := rows[name]
	if !ok || !r.Available() {
		return "–"
	}
	show := number
	if strings.HasSuffix(name, "_bytes") {
		show = func(v float64) string { return bytesText(int64(v)) }
	}
	if strings.HasPrefix(name, "f1_") || name == "accuracy" || name == "top1_agree" || name == "skip_rate" {
		show = func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
	}
	text := show(*r.Value)
	if r.Lo != nil && r.Hi != nil && (*r.Lo != *r.Value || *r.Hi != *r.Value) {
		text += " [" + show(*r.Lo) + ", " + show(*r.Hi) + "]"
	}
	if marks := labels(r); marks != "" {
		text += " " + marks
	}
	return text
}

// labels say of a figure that no hardware stands behind it.
func labels(r stat.Row) string {
	var out []string
	for _, mark := range []string{stat.Emulated, stat.Simulated} {
		if slices.Contains(r.Warnings, mark) {
			out = append(out, mark)
		}
	}
	return strings.Join(out, ", ")
}

// number prints three significant digits, plainly where that is readable.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a == 0:
		return "0"
	case a >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a >= 0.01:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// bytesText prints a size in decimal units, as the pictures do; 0 is unknown.
func bytesText(n int64) string {
	switch {
	case n == 0:
		return "–"
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.2f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// share prints an optional share as per cent.
func share(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return strconv.FormatFloat(100**v, 'f', 1, 64) + " %"
}

func signed(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

func pValue(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}
