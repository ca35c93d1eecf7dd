package page

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// view is what the template reads.
type view struct {
	Data
	CSS      template.CSS
	JS       template.JS
	Cells    []*cell
	Groups   []*group // one a target
	Several  bool     // there is more than one
	Metrics  []metric // columns of the table
	Verdicts []count
	Columns  []string // verdicts that a trial of the run has
	Missing  []string // metrics that no cell has
	Fronts   []front  // the searches with their pictures
	Duration time.Duration
	// NotEnough says which percentiles cells lack for want of latencies.
	NotEnough string
}

// group is what is shown of one target.
type group struct {
	Target
	Cells    []*cell // the dense one first
	Headline []headline
	TradeOff []tradeOff
	Axes     []axisPicture
	counts   map[string]int
}

// Trials counts the target's trials, Count those of a verdict.
func (g *group) Trials() int {
	n := 0
	for _, c := range g.counts {
		n += c
	}
	return n
}

// Count is the number of trials of a verdict.
func (g *group) Count(verdict string) int { return g.counts[verdict] }

// Dense is the target's reference cell.
func (g *group) Dense() *cell { return g.Cells[0] }

// cell is one configuration with its figures and trials.
type cell struct {
	ID, Name string
	Row      stat.Row // the axes; its metric fields mean nothing
	Figures  map[string]stat.Row
	Trials   []Trial
	Dense    bool
	Warnings []string
	Outliers []string // what marks each trial as one, "" = nothing

	rows []stat.Row
}

type metric struct {
	Name, Title string
	Log, More   bool
}

type count struct {
	Name string
	N    int
}

type headline struct {
	Title string
	Cell  *cell
	Note  string
}

// metrics in the order of the table. Names are those of the tidy row.
var metrics = []metric{
	{Name: "latency_ms_p50", Title: "latency p50 / ms", Log: true},
	{Name: "latency_ms_p90", Title: "latency p90 / ms", Log: true},
	{Name: "latency_ms_p99", Title: "latency p99 / ms", Log: true},
	{Name: "throughput_per_s", Title: "items / s", Log: true, More: true},
	{Name: "f1_macro", Title: "macro-F1", More: true},
	{Name: "accuracy", Title: "accuracy", More: true},
	{Name: "model_bytes", Title: "model size"},
	{Name: "peak_rss_bytes", Title: "peak memory"},
	{Name: "tops_executed", Title: "TOPS executed", More: true},
	{Name: "tops_nominal", Title: "TOPS nominal", More: true},
	{Name: "skip_rate", Title: "skip rate", More: true},
	{Name: "perplexity", Title: "perplexity"},
	{Name: "kl_div", Title: "KL to dense / nat"},
	{Name: "top1_agree", Title: "top-1 agreement", More: true},
	{Name: "energy_j", Title: "energy / J"},
	{Name: "power_w", Title: "power / W"},
	{Name: "tops_per_w", Title: "TOPS/W", More: true},
}

func newView(d Data) (*view, error) {
	v := &view{Data: d}
	css, err := files.ReadFile("report.css")
	if err != nil {
		return nil, err
	}
	js, err := files.ReadFile("report.js")
	if err != nil {
		return nil, err
	}
	v.CSS, v.JS = template.CSS(css), template.JS(js)
	v.collect()
	if !d.Ended.IsZero() {
		v.Duration = d.Ended.Sub(d.Started).Round(time.Second)
	}
	for _, g := range v.Groups {
		g.headlines()
		if err := v.drawTradeOffs(g); err != nil {
			return nil, err
		}
		if err := v.drawAxes(g); err != nil {
			return nil, err
		}
	}
	return v, v.drawSearches()
}

// collect groups rows and trials by cell and the cells by target.
func (v *view) collect() {
	byID := map[string]*cell{}
	have := map[string]bool{}
	for _, r := range v.Rows {
		c := byID[r.Cell]
		if c == nil {
			c = &cell{ID: r.Cell, Row: r, Figures: map[string]stat.Row{}}
			c.Name = axesName(r)
			byID[r.Cell] = c
			v.Cells = append(v.Cells, c)
		}
		c.Figures[r.Metric] = r
		have[r.Metric] = have[r.Metric] || r.Available()
		c.rows = append(c.rows, r)
	}
	for _, t := range v.Trials {
		if c := byID[t.Cell]; c != nil {
			c.Trials = append(c.Trials, t)
		}
	}
	for _, c := range v.Cells {
		c.warn()
		c.mark()
	}
	v.group()
	v.countVerdicts()
	v.NotEnough = NotEnough(v.fewest())
	for _, m := range metrics {
		if have[m.Name] {
			v.Metrics = append(v.Metrics, m)
		} else {
			v.Missing = append(v.Missing, m.Title)
		}
	}
}

// warn collects what the cell's figures are warned of. What few of them are warned of
// is told with their names.
func (c *cell) warn() {
	of := map[string][]string{}
	var order []string
	for _, r := range c.rows {
		for _, w := range r.Warnings {
			if of[w] == nil {
				order = append(order, w)
			}
			of[w] = append(of[w], r.Metric)
		}
	}
	for _, w := range order {
		if names := of[w]; 2*len(names) < len(c.rows) {
			w = strings.Join(names, ", ") + ": " + w
		}
		c.Warnings = append(c.Warnings, w)
	}
}

// group divides the cells by target and finds the dense reference of each.
func (v *view) group() {
	at := map[string]*group{}
	for _, t := range v.Targets {
		at[t.Name] = &group{Target: t, counts: map[string]int{}}
		v.Groups = append(v.Groups, at[t.Name])
	}
	for _, c := range v.Cells {
		g := at[c.Row.Target]
		if g == nil {
			g = &group{Target: Target{Name: c.Row.Target, Environment: v.Environment}, counts: map[string]int{}}
			at[c.Row.Target] = g
			v.Groups = append(v.Groups, g)
		}
		g.Cells = append(g.Cells, c)
	}
	v.Groups = slices.DeleteFunc(v.Groups, func(g *group) bool { return len(g.Cells) == 0 })
	v.Several = len(v.Groups) > 1
	v.Cells = nil
	for _, g := range v.Groups {
		slices.SortStableFunc(g.Cells, func(a, b *cell) int { return compareAxes(a.Row, b.Row) })
		g.Cells[0].Dense = true
		v.Cells = append(v.Cells, g.Cells...)
		for _, c := range g.Cells {
			for _, t := range c.Trials {
				g.counts[t.Verdict]++
			}
			if v.Several {
				c.Name += " on " + g.Name
			}
		}
	}
}

func (v *view) countVerdicts() {
	verdicts := map[string]int{}
	for _, t := range v.Trials {
		verdicts[t.Verdict]++
	}
	for name, n := range verdicts {
		v.Verdicts = append(v.Verdicts, count{name, n})
	}
	slices.SortFunc(v.Verdicts, func(a, b count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	for _, c := range v.Verdicts {
		v.Columns = append(v.Columns, c.Name)
	}
	// The valid ones first, the others by name: a table's order must not depend on
	// how a night went.
	slices.SortFunc(v.Columns, func(a, b string) int {
		return cmp.Or(-cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

// valid is the verdict of the trials that enter figures.
const valid = string(wire.Valid)

func rank(verdict string) int {
	if verdict == valid {
		return 1
	}
	return 0
}

// compareAxes puts the least compressed cell first.
func compareAxes(a, b stat.Row) int {
	return cmp.Or(
		cmp.Compare(b.Bits, a.Bits), cmp.Compare(b.RankRatio, a.RankRatio),
		cmp.Compare(a.PruneRatio, b.PruneRatio), cmp.Compare(a.Threshold, b.Threshold),
		cmp.Compare(a.Batch, b.Batch), cmp.Compare(b.Threads, a.Threads), cmp.Compare(a.Cell, b.Cell))
}

// axesName is a cell's short name: what differs from dense, and the batch.
func axesName(r stat.Row) string {
	parts := []string{fmt.Sprintf("%d-bit", r.Bits)}
	if r.RankRatio != 1 {
		parts = append(parts, fmt.Sprintf("rank %g", r.RankRatio))
	}
	if r.PruneRatio != 0 {
		parts = append(parts, fmt.Sprintf("prune %g", r.PruneRatio))
	}
	if r.Threshold != 0 {
		parts = append(parts, fmt.Sprintf("τ %g", r.Threshold))
	}
	return strings.Join(append(parts, fmt.Sprintf("batch %d", r.Batch)), ", ")
}

// headlines picks the cells a reader asks for first. Each stands for a rule
// that is printed with it.
func (g *group) headlines() {
	dense := g.Dense()
	g.Headline = append(g.Headline, headline{Title: "Reference", Cell: dense, Note: "least compressed cell"})
	f1 := dense.Figures["f1_macro"]
	if !f1.Available() {
		return
	}
	floor := *f1.Value - 0.01
	pick := func(title, name, note string, sameBatch bool) {
		var best *cell
		for _, c := range g.Cells {
			q, m := c.Figures["f1_macro"], c.Figures[name]
			if !q.Available() || !m.Available() || *q.Value < floor || sameBatch && c.Row.Batch != dense.Row.Batch {
				continue
			}
			if best == nil || *m.Value < *best.Figures[name].Value {
				best = c
			}
		}
		// Where the reference itself is best there is nothing to recommend.
		if best != nil && !best.Dense {
			g.Headline = append(g.Headline, headline{Title: title, Cell: best, Note: note})
		}
	}
	pick("Fastest within 1 point of F1", "latency_ms_p50", "lowest p50 latency at the reference's batch with macro-F1 ≥ reference − 0.01", true)
	pick("Smallest within 1 point of F1", "model_bytes", "fewest bytes with macro-F1 ≥ reference − 0.01", true)
	pick("Least energy within 1 point of F1", "energy_j", "least energy at the reference's batch with macro-F1 ≥ reference − 0.01", true)
}

// Has says whether a metric of the cell was measured.
func (c *cell) Has(metric string) bool {
	r := c.Figures[metric]
	return r.Available()
}

// Valid counts the trials that enter the cell's figures.
func (c *cell) Valid() int {
	n := 0
	for _, t := range c.Trials {
		if t.Verdict == valid {
			n++
		}
	}
	return n
}
