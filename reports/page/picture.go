package page

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/seed-c6f48606/harness/reports/plot"
	"github.com/seed-c6f48606/harness/reports/stat"
)

type tradeOff struct {
	Title string
	SVG   template.HTML
	Front []frontCell
}

type frontCell struct {
	Letter string
	Cell   *cell
	X, Y   stat.Row
}

type axisPicture struct {
	Title, At string
	Panels    []template.HTML
}

func estimate(r stat.Row) plot.Estimate {
	e := plot.Estimate{Value: *r.Value, Lo: math.NaN(), Hi: math.NaN()}
	if r.Lo != nil && r.Hi != nil {
		e.Lo, e.Hi = *r.Lo, *r.Hi
	}
	return e
}

// scaled turns bytes into MB, as the pictures' titles say.
func scaled(e plot.Estimate, m metric) plot.Estimate {
	if strings.HasSuffix(m.Name, "_bytes") {
		e.Value, e.Lo, e.Hi = e.Value/1e6, e.Lo/1e6, e.Hi/1e6
	}
	return e
}

func dimension(m metric) plot.Dimension {
	d := plot.Dimension{Title: m.Title, Log: m.Log, More: m.More}
	if strings.HasSuffix(m.Name, "_bytes") {
		d.Title += " / MB"
	}
	return d
}

// drawTradeOffs draws the Pareto fronts of quality against every cost.
func (v *view) drawTradeOffs(g *group) error {
	quality := "f1_macro"
	if !v.has(quality) {
		quality = "perplexity"
	}
	for _, x := range []string{"latency_ms_p50", "model_bytes", "peak_rss_bytes", "tops_executed", "throughput_per_s", "energy_j", "tops_per_w"} {
		if !v.has(x) || !v.has(quality) {
			continue
		}
		mx, my := metricOf(x), metricOf(quality)
		var points []plot.Point
		var cells []*cell
		for _, c := range g.Cells {
			rx, ry := c.Figures[x], c.Figures[quality]
			if !rx.Available() || !ry.Available() || mx.Log && *rx.Value <= 0 {
				continue
			}
			p := plot.Point{X: scaled(estimate(rx), mx), Y: estimate(ry), Dense: c.Dense}
			if slices.ContainsFunc(points, func(q plot.Point) bool { return q.X.Value == p.X.Value && q.Y.Value == p.Y.Value }) {
				continue // another batch of the same artefact: same size, same quality
			}
			points = append(points, p)
			cells = append(cells, c)
		}
		if len(points) == 0 {
			continue
		}
		dx, dy := dimension(mx), dimension(my)
		dx.Title += marked(cells, x)
		plot.Front(points, dx, dy)
		t := tradeOff{Title: dy.Title + " against " + dx.Title}
		if v.Several {
			t.Title += ", " + g.Name
		}
		order := make([]int, 0, len(points))
		for i := range points {
			if points[i].Front {
				order = append(order, i)
			}
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(points[a].X.Value, points[b].X.Value) })
		for n, i := range order {
			points[i].Label = letter(n)
			t.Front = append(t.Front, frontCell{letter(n), cells[i], cells[i].Figures[x], cells[i].Figures[quality]})
		}
		var b strings.Builder
		if err := plot.TradeOff(&b, dx, dy, points); err != nil {
			return err
		}
		t.SVG = template.HTML(b.String())
		g.TradeOff = append(g.TradeOff, t)
	}
	return nil
}

// marked is what a picture's axis says of figures with no hardware behind them.
func marked(cells []*cell, name string) string {
	for _, c := range cells {
		if text := labels(c.Figures[name]); text != "" {
			return " (" + text + ")"
		}
	}
	return ""
}

// letter names the n-th point of a front: A … Z, then AA, AB …
func letter(n int) string {
	if n < 26 {
		return string(rune('A' + n))
	}
	return letter(n/26-1) + letter(n%26)
}

func metricOf(name string) metric {
	i := slices.IndexFunc(metrics, func(m metric) bool { return m.Name == name })
	return metrics[i]
}

func (v *view) has(name string) bool {
	return slices.ContainsFunc(v.Metrics, func(m metric) bool { return m.Name == name })
}

// axes of a sweep with the way to read and to reset each in a row.
var axes = []struct {
	name  string
	value func(*stat.Row) float64
	reset func(r *stat.Row, to stat.Row)
}{
	{"bits", func(r *stat.Row) float64 { return float64(r.Bits) }, func(r *stat.Row, to stat.Row) { r.Bits = to.Bits }},
	{"rank ratio", func(r *stat.Row) float64 { return r.RankRatio }, func(r *stat.Row, to stat.Row) { r.RankRatio = to.RankRatio }},
	{"prune ratio", func(r *stat.Row) float64 { return r.PruneRatio }, func(r *stat.Row, to stat.Row) { r.PruneRatio = to.PruneRatio }},
	{"threshold", func(r *stat.Row) float64 { return r.Threshold }, func(r *stat.Row, to stat.Row) { r.Threshold = to.Threshold }},
	{"batch", func(r *stat.Row) float64 { return float64(r.Batch) }, func(r *stat.Row, to stat.Row) { r.Batch = to.Batch }},
	{"threads", func(r *stat.Row) float64 { return float64(r.Threads) }, func(r *stat.Row, to stat.Row) { r.Threads = to.Threads }},
}

// drawAxes draws every axis that has more than one value, the others at the
// reference cell's values.
func (v *view) drawAxes(g *group) error {
	ref := g.Dense().Row
	for _, a := range axes {
		var line []*cell
		for _, c := range g.Cells {
			r := c.Row
			a.reset(&r, ref)
			if compareAxes(sameCell(r), sameCell(ref)) == 0 {
				line = append(line, c)
			}
		}
		if len(line) < 2 {
			continue
		}
		slices.SortFunc(line, func(x, y *cell) int { return cmp.Compare(a.value(&x.Row), a.value(&y.Row)) })
		pic := axisPicture{Title: a.name, At: "other axes as in the reference: " + g.Dense().Name}
		shown := []string{"latency_ms_p50", "f1_macro", "model_bytes", "peak_rss_bytes"}
		switch a.name {
		case "threshold":
			shown = []string{"latency_ms_p50", "f1_macro", "skip_rate", "tops_executed"}
		case "batch", "threads":
			shown = []string{"latency_ms_p50", "throughput_per_s", "peak_rss_bytes", "tops_executed"}
		}
		for _, name := range shown {
			svg, err := v.drawAlong(a.name, metricOf(name), line, a.value)
			if err != nil {
				return err
			}
			if svg != "" {
				pic.Panels = append(pic.Panels, svg)
			}
		}
		g.Axes = append(g.Axes, pic)
	}
	return nil
}

func sameCell(r stat.Row) stat.Row {
	r.Cell = ""
	return r
}

func (v *view) drawAlong(axis string, m metric, line []*cell, value func(*stat.Row) float64) (template.HTML, error) {
	var xs []float64
	var ys []plot.Estimate
	for _, c := range line {
		if r := c.Figures[m.Name]; r.Available() {
			xs = append(xs, value(&c.Row))
			ys = append(ys, scaled(estimate(r), m))
		}
	}
	if len(xs) < 2 {
		return "", nil
	}
	d := dimension(m)
	d.Log = false
	d.Title += marked(line, m.Name)
	var b strings.Builder
	if err := plot.Along(&b, axis, d, xs, ys); err != nil {
		return "", fmt.Errorf("axis %s: %w", axis, err)
	}
	return template.HTML(b.String()), nil
}
