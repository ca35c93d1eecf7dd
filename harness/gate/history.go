package gate

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/plot"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Night is what a history page needs of a run.
type Night struct {
	Run    string
	Commit string
	Time   time.Time
	Trials int
	Valid  int
	// Values are those of valid trials, by cell and metric.
	Values map[[2]string][]float64
	// Roofs are the median rates of the machines, by target and roof.
	Roofs map[[2]string]float64
}

// NightOf reads a run.
func NightOf(r *sweep.Record) Night {
	n := Night{Run: r.Run.ID, Commit: r.Run.Commit, Time: r.Run.Started, Trials: len(r.Trials), Values: map[[2]string][]float64{}, Roofs: map[[2]string]float64{}}
	rates := map[[2]string][]float64{}
	targets := map[string]string{}
	for _, c := range r.Cells {
		targets[c.ID] = c.Target
	}
	for _, t := range r.Trials {
		if t.Result.Verdict != wire.Valid {
			continue
		}
		n.Valid++
		for roof, of := range roofs {
			if v := of(t.Result.Evidence); !math.IsNaN(v) {
				key := [2]string{targets[t.Cell], roof}
				rates[key] = append(rates[key], v)
			}
		}
		for _, m := range Metrics {
			if v := m.Of(t.Result); !math.IsNaN(v) {
				key := [2]string{t.Cell, m.Name}
				n.Values[key] = append(n.Values[key], v)
			}
		}
	}
	for key, xs := range rates {
		n.Roofs[key] = stat.Median(xs)
	}
	return n
}

// Track is one metric of one cell over the nights.
type Track struct {
	Cell   string
	Target string
	Metric Metric
	Points []plot.Past
	Nights []int // index of each point's night
	Steps  []TrackStep
}

// TrackStep is a lasting change in a track.
type TrackStep struct {
	At        int // index of the first point after it
	ChangePct float64
	Worse     bool
	Run       string
	Commits   string
	When      time.Time
}

// Tracks are the tracks of nights, those with steps first, the worst of them before.
func Tracks(nights []Night, p Policy) []Track {
	metrics := p.Metrics
	if metrics == nil {
		metrics = Metrics
	}
	cells := map[string]bool{}
	for _, n := range nights {
		for key := range n.Values {
			cells[key[0]] = true
		}
	}
	var out []Track
	for cell := range cells {
		for _, m := range metrics {
			t := Track{Cell: cell, Target: targetOf(cell), Metric: m}
			for i, n := range nights {
				xs := n.Values[[2]string{cell, m.Name}]
				if len(xs) == 0 {
					continue
				}
				ci := stat.MedianCI(xs, confidence)
				t.Points = append(t.Points, plot.Past{At: n.Time, Value: plot.Estimate{Value: ci.Value, Lo: ci.Lo, Hi: ci.Hi}})
				t.Nights = append(t.Nights, i)
			}
			if len(t.Points) > 0 {
				out = append(out, t)
			}
		}
	}
	steps(out, nights, p)
	slices.SortFunc(out, func(a, b Track) int {
		return cmp.Or(-cmp.Compare(a.worst(), b.worst()), cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Metric.Name, b.Metric.Name))
	})
	return out
}

// worst is the greatest step for the worse in per cent, then any step, else 0.
func (t *Track) worst() float64 {
	w := 0.0
	for _, s := range t.Steps {
		if s.Worse {
			w = max(w, 1+math.Abs(s.ChangePct))
		} else {
			w = max(w, 0.5)
		}
	}
	return w
}

//go:embed history.html
var historyPage string

var history = template.Must(template.New("history").Funcs(template.FuncMap{
	"day":   func(t time.Time) string { return t.UTC().Format("2006-01-02") },
	"when":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	"short": func(s string) string { return fmt.Sprintf("%.10s", orUnknown(s)) },
	"pct":   func(v float64) string { return fmt.Sprintf("%+.2f %%", v) },
	"last": func(t Track) string {
		return fmt.Sprintf("%.4g %s", t.Points[len(t.Points)-1].Value.Value, t.Metric.Unit)
	},
}).Parse(historyPage))

// maxPictures bounds the tracks that are drawn; the rest are told in a line each.
const maxPictures = 60

// WriteHistory writes the page of a branch's nights: a single file that loads nothing.
func WriteHistory(w io.Writer, branch string, nights []Night, p Policy) error {
	type picture struct {
		Track
		SVG template.HTML
	}
	data := struct {
		Branch   string
		Nights   []Night
		Pictures []picture
		More     []Track
		Steps    int
		Margin   float64
	}{Branch: branch, Nights: slices.Clone(nights), Margin: p.MarginPct}
	slices.Reverse(data.Nights)
	for _, t := range Tracks(nights, p) {
		data.Steps += len(t.Steps)
		if len(data.Pictures) >= maxPictures {
			data.More = append(data.More, t)
			continue
		}
		var svg strings.Builder
		var steps []int
		for _, s := range t.Steps {
			steps = append(steps, s.At)
		}
		if err := plot.History(&svg, plot.Dimension{Title: t.Metric.Name + " (" + t.Metric.Unit + ")"}, t.Points, steps); err != nil {
			return fmt.Errorf("drawing %s of %s: %w", t.Metric.Name, t.Cell, err)
		}
		data.Pictures = append(data.Pictures, picture{t, template.HTML(svg.String())}) //nolint:gosec // drawn by ourselves from numbers
	}
	return history.Execute(w, data)
}

// targetOf is the target in a cell's name.
func targetOf(cell string) string {
	if _, target, ok := strings.Cut(cell, "@"); ok {
		return target
	}
	return sweep.Local
}
