package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// A metric is what a sample tells of a run.
type metric struct {
	Name, Unit   string
	HigherBetter bool
	FirstToken   bool                 // of tasks that stop there
	of           func(sample) float64 // 0 = not in this sample
}

var metrics = []metric{
	{Name: "speed", Unit: "tok/s", HigherBetter: true, of: func(s sample) float64 { return s.Rate }},
	{Name: "time to first token", Unit: "ms", FirstToken: true, of: func(s sample) float64 { return s.FirstTokenMS }},
	{Name: "peak resident memory", Unit: "MB", of: func(s sample) float64 { return float64(s.PeakRSSBytes) / 1e6 }},
}

// figure is what one program reached in a cell. Without values Reason says why.
type figure struct {
	Program string  `json:"program"`
	Median  float64 `json:"median,omitempty"`
	Min     float64 `json:"min,omitempty"`
	Max     float64 `json:"max,omitempty"`
	N       int     `json:"n"`
	Failed  int     `json:"failed,omitempty"`
	Skipped int     `json:"skipped,omitempty"`
	Reason  string  `json:"reason,omitempty"`

	// How many times better the first program is: the ratio of the medians,
	// with the distribution-free interval of the median of the rounds' ratios.
	// Absent for the first program.
	Ratio      float64 `json:"ratio,omitempty"`
	RatioLo    float64 `json:"ratio_lo,omitempty"`
	RatioHi    float64 `json:"ratio_hi,omitempty"`
	RatioLevel float64 `json:"ratio_level,omitempty"`
}

// row is one line of the table.
type row struct {
	Kind    string   `json:"kind"` // "row"
	Model   string   `json:"model"`
	Threads int      `json:"threads"`
	Task    string   `json:"task"`
	Metric  string   `json:"metric"`
	Unit    string   `json:"unit"`
	Figures []figure `json:"figures"`
}

// summarize makes the rows of a cell from its samples; programs stand in the
// given order and the first is compared with each of the others.
func summarize(c cell, programs []string, samples []sample) []row {
	var out []row
	for _, m := range metrics {
		if m.FirstToken != c.Task.FirstToken {
			continue
		}
		r := row{Kind: "row", Model: c.Model.Name, Threads: c.Threads, Task: c.Task.Name, Metric: m.Name, Unit: m.Unit}
		for i, p := range programs {
			f := figureOf(m, p, samples)
			if i > 0 {
				f.compare(m, programs[0], r.Figures[0], samples)
			}
			r.Figures = append(r.Figures, f)
		}
		out = append(out, r)
	}
	return out
}

func figureOf(m metric, program string, samples []sample) figure {
	f := figure{Program: program, Reason: "not measured"}
	var values []float64
	for _, s := range samples {
		switch {
		case s.Program != program:
		case s.Error != "":
			f.Reason = s.Error
			if s.Skipped {
				f.Skipped++
			} else {
				f.Failed++
				f.Reason = "failed: " + s.Error
			}
		case m.of(s) > 0:
			values = append(values, m.of(s))
		}
	}
	if len(values) == 0 {
		return f
	}
	if f.Failed+f.Skipped == 0 {
		f.Reason = ""
	}
	f.N, f.Median, f.Min, f.Max = len(values), stat.Median(values), slices.Min(values), slices.Max(values)
	return f
}

// compare fills in how much better the first program is than f's.
func (f *figure) compare(m metric, first string, base figure, samples []sample) {
	if f.N == 0 || base.N == 0 {
		return
	}
	better := func(a, b float64) float64 {
		if m.HigherBetter {
			return a / b
		}
		return b / a
	}
	rounds := map[int]float64{}
	for _, s := range samples {
		if s.Program == first && s.Error == "" {
			rounds[s.Round] = m.of(s)
		}
	}
	var ratios []float64
	for _, s := range samples {
		if a := rounds[s.Round]; s.Program == f.Program && s.Error == "" && a > 0 && m.of(s) > 0 {
			ratios = append(ratios, better(a, m.of(s)))
		}
	}
	f.Ratio = better(base.Median, f.Median)
	if i := stat.MedianCI(ratios, 0.95); !math.IsNaN(i.Lo) {
		f.RatioLo, f.RatioHi, f.RatioLevel = i.Lo, i.Hi, i.Level
	}
}

func (f figure) text() string {
	switch f.N {
	case 0:
		return "–"
	case 1:
		return digits(f.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", digits(f.Median), digits(f.Min), digits(f.Max))
}

func (f figure) ratioText() string {
	switch {
	case f.Ratio == 0:
		return "–"
	case f.RatioLevel == 0:
		return fmt.Sprintf("%.2f", f.Ratio)
	}
	return fmt.Sprintf("**%.2f** [%.2f, %.2f]", f.Ratio, f.RatioLo, f.RatioHi)
}

// digits prints three significant digits, more of a large number.
func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
