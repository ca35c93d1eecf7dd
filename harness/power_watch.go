package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/targets/power"
)

func (a *app) powerWatchCommand(f *powerFlags) *cobra.Command {
	var period, span, length time.Duration
	c := &cobra.Command{
		Use: "watch TARGET", Short: "The rails of a target, live", Args: cobra.ExactArgs(1),
		ValidArgsFunction: targetNames(&f.inventory, sweep.Local),
		Long: `Shows what every rail carries now, and its mean, least and greatest of a while: as a graph
on a terminal, a line a reading otherwise, until Ctrl-C.`,
		Example: "  harness power watch local\n  harness power watch orin --period 1s --span 1m\n  harness power watch pi5 --for 10s -o jsonl > rails.jsonl",
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interruptible(c.Context())
			defer stop()
			return f.at(ctx, args[0], true, func(p *place) error {
				watching := ctx
				if length > 0 {
					var end context.CancelFunc
					watching, end = context.WithTimeout(ctx, length)
					defer end()
				}
				if p.meter != nil {
					return sensorFault(power.Watch(watching, p.meter, period, span, a.rails(p.meter.Describe()).frame))
				}
				return p.ask(watching, func(r io.Reader) error {
					var show *rails
					return command.ReadPower(r, func(d power.Description) error {
						show = a.rails(d)
						return nil
					}, func(f power.Frame) error { return show.frame(f) })
				}, "watch", "--period", period.String(), "--span", span.String())
			})
		},
	}
	c.Flags().DurationVar(&period, "period", 200*time.Millisecond, "time between readings")
	c.Flags().DurationVar(&span, "span", 10*time.Second, "time that mean, least and greatest are of")
	c.Flags().DurationVar(&length, "for", 0, "end after that long (default at Ctrl-C)")
	return c
}

// rails shows a sensor's readings: a graph on a terminal, else lines or jsonl.
type rails struct {
	w     io.Writer
	desc  power.Description
	jsonl bool
	graph bool
	width int
	past  [][]float64 // of every rail and, last, the total
	drawn int         // lines that the last picture took
	begun bool
}

func (a *app) rails(d power.Description) *rails {
	r := &rails{w: a.out, desc: d, jsonl: a.format == "jsonl" || a.format == "json", past: make([][]float64, len(d.Rails)+1), width: a.width()}
	if f, ok := a.out.(interface{ Fd() uintptr }); ok && a.format == "table" {
		r.graph = term.IsTerminal(int(f.Fd()))
	}
	return r
}

// title says what is measured.
func (r *rails) title() string {
	text := r.desc.Source
	if r.desc.Scope != "" {
		text += ", " + r.desc.Scope
	}
	if r.desc.TotalRule != "" {
		text += "; total: " + r.desc.TotalRule
	}
	if r.desc.Simulated {
		text += "; simulated"
	}
	return text
}

// frame shows one reading.
func (r *rails) frame(f power.Frame) error {
	switch {
	case r.jsonl:
		return r.json(f)
	case r.graph:
		return r.draw(f)
	}
	if !r.begun {
		r.begun = true
		if _, err := fmt.Fprintln(r.w, r.title()); err != nil {
			return err
		}
	}
	parts := []string{fmt.Sprintf("%8.2f s  total %s W", f.At.Seconds(), watts(f.Total.NowW))}
	for i, x := range f.Rails {
		parts = append(parts, fmt.Sprintf("%s %s W", r.desc.Rails[i].Name, watts(x.NowW)))
	}
	_, err := fmt.Fprintln(r.w, strings.Join(parts, "  "))
	return err
}

// values shows readings that come without a history.
func (r *rails) values(at time.Duration, values []power.Value) error {
	f := power.Frame{At: at, Rails: make([]power.Rolling, len(values))}
	sum := 0.0
	for i, v := range values {
		f.Rails[i] = power.Rolling{NowW: v.Watts, MeanW: math.NaN(), MinW: math.NaN(), MaxW: math.NaN(), Flags: v.Flags}
		if r.desc.Rails[i].InTotal {
			sum += v.Watts
		}
	}
	gain := r.desc.Total.Gain
	if gain == 0 {
		gain = 1
	}
	f.Total = power.Rolling{NowW: gain*sum + r.desc.Total.OffsetW, MeanW: math.NaN(), MinW: math.NaN(), MaxW: math.NaN()}
	return r.frame(f)
}

// json writes tidy rows of a frame, a rail each.
func (r *rails) json(f power.Frame) error {
	type line struct {
		AtS       float64  `json:"at_s"`
		Rail      string   `json:"rail"`
		Watts     *float64 `json:"watts"`
		Saturated bool     `json:"saturated,omitempty"`
		Stale     bool     `json:"stale,omitempty"`
		Missing   bool     `json:"missing,omitempty"`
		Simulated bool     `json:"simulated,omitempty"`
	}
	of := func(name string, x power.Rolling) line {
		l := line{
			AtS: f.At.Seconds(), Rail: name, Simulated: r.desc.Simulated,
			Saturated: x.Flags&power.Saturated != 0, Stale: x.Flags&power.Stale != 0, Missing: x.Flags&power.Missing != 0,
		}
		if !math.IsNaN(x.NowW) && !math.IsInf(x.NowW, 0) {
			l.Watts = &x.NowW
		}
		return l
	}
	lines := []line{of("total", f.Total)}
	for i, x := range f.Rails {
		lines = append(lines, of(r.desc.Rails[i].Name, x))
	}
	return writeJSONLines(r.w, lines)
}

// heights are the eight heights of a graph of text.
var heights = []rune("▁▂▃▄▅▆▇█")

// draw redraws the picture in place: a rail a line, each in its own scale from 0.
func (r *rails) draw(f power.Frame) error {
	var b strings.Builder
	if r.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", r.drawn)
	}
	line := func(text string) {
		b.WriteString(clip(text, r.width-1))
		b.WriteString("\x1b[K\n")
	}
	line(r.title())
	line(fmt.Sprintf("%-16s %9s %9s %9s %9s", "rail", "now W", "mean W", "least W", "most W"))
	r.row(line, "total", len(f.Rails), f.Total)
	for i, x := range f.Rails {
		r.row(line, r.desc.Rails[i].Name, i, x)
	}
	r.drawn = len(f.Rails) + 3
	_, err := io.WriteString(r.w, b.String())
	return err
}

func (r *rails) row(line func(string), name string, i int, x power.Rolling) {
	const columns = 58 // of the text before the graph
	room := max(0, min(r.width-1-columns, 200))
	r.past[i] = append(r.past[i], x.NowW)
	if n := len(r.past[i]); n > room {
		r.past[i] = append(r.past[i][:0], r.past[i][n-room:]...)
	}
	mark := ""
	if x.Flags&power.Saturated != 0 {
		mark = "!"
	}
	line(fmt.Sprintf("%-16s %9s %9s %9s %9s %s %s", clip(name, 16), watts(x.NowW), watts(x.MeanW), watts(x.MinW), watts(x.MaxW), mark, spark(r.past[i])))
}

// spark draws values from 0 to their greatest; a gap where there is none.
func spark(values []float64) string {
	top := 0.0
	for _, v := range values {
		if v > top {
			top = v
		}
	}
	out := make([]rune, len(values))
	for i, v := range values {
		switch {
		case math.IsNaN(v):
			out[i] = ' '
		case top == 0 || v <= 0:
			out[i] = heights[0]
		default:
			out[i] = heights[min(len(heights)-1, int(v/top*float64(len(heights))))]
		}
	}
	return string(out)
}

func clip(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:max(0, width)])
	}
	return text
}

func watts(v float64) string {
	if math.IsNaN(v) {
		return none
	}
	return digits(v)
}
