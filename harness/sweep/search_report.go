package sweep

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// FrontProbability is the metric of a searched run's rows that says how sure a
// cell is to be on the Pareto front.
const FrontProbability = "front_probability"

// Searches says of each target how its Pareto front was found and how sure each
// cell is to be on it, given the run's rows.
func (r *Record) Searches(rows []stat.Row) []page.Search {
	var out []page.Search
	for _, target := range r.Plan.Targets {
		if s, ok := r.searchOn(target, rows); ok {
			out = append(out, s)
		}
	}
	return out
}

// searchOn is false where fewer than two cells have a value of every objective.
func (r *Record) searchOn(target string, rows []stat.Row) (page.Search, bool) {
	objectives, where, ok := r.measuredObjectives(target)
	if !ok {
		return page.Search{}, false
	}
	e, ids := r.evidence(target, objectives, where)
	values := e.Values()
	s := page.Search{Target: target, Kind: string(SearchGrid), Where: r.Plan.Where}
	if r.Plan.Search != "" {
		s.Kind = string(r.Plan.Search)
	}
	for _, o := range objectives {
		s.Objectives = append(s.Objectives, o.Name)
	}
	p := e.Probabilities(search.DefaultDraws, r.Plan.Seed)
	rank := search.Rank(objectives, values)
	verdicts := judged(rows, where)
	whole, rest := 0, 0
	for i, id := range ids {
		c := page.Candidate{Cell: id, P: p[i], Rank: rank[i], Trials: len(e.Cells[i].Trials)}
		if rank[i] >= 0 {
			whole++
		}
		if c.Trials == 0 {
			rest++
		}
		if where != nil {
			c.Verdict = string(verdicts[id])
		}
		s.Cells = append(s.Cells, c)
	}
	for i, on := range e.Front() {
		s.Cells[i].Front = on
	}
	if rest > 0 {
		s.Unmeasured = fmt.Sprintf("%d of %d cells have no valid trial", rest, len(ids))
	}
	s.Rounds = r.rounds(target)
	s.Curve = r.curve(e, ids)
	if r.Plan.Search == SearchHalving {
		s.Notes = append(s.Notes,
			"The search saw one half of the test items, which the seed chose. The front was measured again at the end: its figures are of those trials alone, its F1 of the other half.")
	}
	return s, whole > 1
}

// measuredObjectives are those of the plan that some cell of a target has.
func (r *Record) measuredObjectives(target string) ([]search.Metric, *search.Where, bool) {
	all, err := r.Plan.objectives()
	if err != nil {
		return nil, nil, false // of a version that knew other metrics
	}
	where, err := r.Plan.constraint()
	if err != nil {
		return nil, nil, false
	}
	e, _ := r.evidence(target, all, nil)
	var out []search.Metric
	for k, o := range all {
		if slices.ContainsFunc(e.Values(), func(row []float64) bool { return !math.IsNaN(row[k]) }) {
			out = append(out, o)
		}
	}
	return out, where, len(out) > 0
}

// evidence is what all valid trials of a target tell. Of cells whose front was
// measured again only those trials count: the earlier ones chose them.
func (r *Record) evidence(target string, objectives []search.Metric, where *search.Where) (search.Evidence, []string) {
	columns := search.Columns(objectives, where)
	items := half(r.Qualities, r.Plan.Seed, 0)
	if r.Plan.Search != SearchHalving {
		items = slices.Concat(items, half(r.Qualities, r.Plan.Seed, 1))
		slices.Sort(items)
	}
	scores := scored(r.Qualities, columns, items, r.Plan.Seed)
	e := search.Evidence{Objectives: objectives, Where: where, Answers: scores.of}
	again := r.again()
	at := map[string]int{}
	var ids []string
	var axes []Axes
	for _, c := range r.Cells {
		if c.Target == target {
			at[c.ID] = len(ids)
			ids = append(ids, c.ID)
			e.Cells = append(e.Cells, search.Known{Subject: scores.subject(c.Artefact, c.Axes.Threshold)})
			axes = append(axes, c.Axes)
		}
	}
	for i, levels := range Levels(axes) {
		e.Cells[i].Levels = levels
	}
	for _, t := range r.Trials {
		i, ok := at[t.Cell]
		if ok && t.Result.Verdict == wire.Valid && (!again[t.Cell] || t.Repeat >= r.Plan.picks()) {
			e.Cells[i].Trials = append(e.Cells[i].Trials, rowOf(columns, t.Result, r.Timing(t)))
		}
	}
	return e, ids
}

// again are the cells that a search measured again at its end.
func (r *Record) again() map[string]bool {
	out := map[string]bool{}
	if r.Plan.Search != SearchHalving {
		return out
	}
	for _, t := range r.Trials {
		if t.Repeat >= r.Plan.picks() && t.Result.Verdict == wire.Valid {
			out[t.Cell] = true
		}
	}
	return out
}

// judged is what the rows' intervals say of the constraint, by cell.
func judged(rows []stat.Row, where *search.Where) map[string]search.Verdict {
	out := map[string]search.Verdict{}
	if where == nil {
		return out
	}
	figures := map[string]map[string]stat.Row{}
	for _, row := range rows {
		if figures[row.Cell] == nil {
			figures[row.Cell] = map[string]stat.Row{}
		}
		figures[row.Cell][row.Metric] = row
	}
	for id, of := range figures {
		out[id] = where.Judge(func(metric string) (lo, hi float64) {
			if row := of[metric]; row.Lo != nil && row.Hi != nil {
				return *row.Lo, *row.Hi
			}
			return math.NaN(), math.NaN()
		})
	}
	return out
}

// rounds reads a search's decisions from its events.
func (r *Record) rounds(target string) []page.Round {
	var out []page.Round
	for _, e := range r.Events {
		var d Decision
		if e.Code != searchEvent || e.Target != target || json.Unmarshal([]byte(e.Text), &d) != nil {
			continue
		}
		out = append(out, page.Round{Number: d.Round, Repeats: d.Repeats, Cells: d.Cells, Dropped: len(d.Dropped), Further: d.Further})
	}
	return out
}

// curvePoints is at how many costs the hypervolume is computed.
const curvePoints = 40

// curve is the hypervolume of the cells that looked best after so many trials, at
// their final values, as a share of the final front's. The reference point is the
// worst final value of each objective.
func (r *Record) curve(e search.Evidence, ids []string) []page.Spent {
	final := e.Values()
	objectives, final := varying(e.Objectives, final)
	corner := search.Worst(objectives, final)
	var front [][]float64
	for i, on := range e.Front() {
		if on {
			front = append(front, final[i])
		}
	}
	whole := search.Volume(objectives, front, corner)
	if whole == 0 {
		return nil
	}
	at := map[string]int{}
	early := e
	early.Cells = make([]search.Known, len(ids))
	for i, id := range ids {
		at[id] = i
		early.Cells[i].Subject = e.Cells[i].Subject
	}
	columns := search.Columns(e.Objectives, e.Where)
	var mine []store.Trial
	for _, t := range r.Trials {
		if _, ok := at[t.Cell]; ok {
			mine = append(mine, t)
		}
	}
	every := max(1, len(mine)/curvePoints)
	var out []page.Spent
	for n, t := range mine {
		if t.Result.Verdict == wire.Valid {
			i := at[t.Cell]
			early.Cells[i].Trials = append(early.Cells[i].Trials, rowOf(columns, t.Result, r.Timing(t)))
		}
		if (n+1)%every != 0 && n+1 != len(mine) {
			continue
		}
		var chosen [][]float64
		for i, on := range early.Front() {
			if on {
				chosen = append(chosen, final[i])
			}
		}
		out = append(out, page.Spent{Trials: n + 1, Share: search.Volume(objectives, chosen, corner) / whole})
	}
	return out
}

// varying leaves out objectives in which no two cells differ: there is no volume
// along them.
func varying(objectives []search.Metric, values [][]float64) ([]search.Metric, [][]float64) {
	var kept []search.Metric
	out := make([][]float64, len(values))
	for k, o := range objectives {
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, row := range values {
			if !math.IsNaN(row[k]) {
				lo, hi = min(lo, row[k]), max(hi, row[k])
			}
		}
		if !(lo < hi) {
			continue
		}
		kept = append(kept, o)
		for i, row := range values {
			out[i] = append(out[i], row[k])
		}
	}
	return kept, out
}

// Chosen says whether the plan asks for a front by name: by a search, objectives or
// a constraint.
func (r *Record) Chosen() bool {
	p := r.Plan
	return p.Search == SearchHalving || p.Search == SearchRandom || len(p.Objectives) > 0 || p.Where != ""
}

// Searched are the run's rows as a search publishes them: those of a cell that was
// measured again at the end are of these trials and of the test items that the
// search did not see, and every cell has a row of its probability to be on the
// front. Of a grid they are the rows as they are.
func (r *Record) Searched() []stat.Row {
	if r.Plan.Search != SearchHalving && r.Plan.Search != SearchRandom {
		return r.Rows()
	}
	plain := *r
	plain.Plan.Search = ""
	again := r.again()
	plain.Trials = slices.DeleteFunc(slices.Clone(r.Trials), func(t store.Trial) bool { return again[t.Cell] && t.Repeat < r.Plan.picks() })
	rows := plain.Rows()
	r.holdOut(rows, again)
	for _, s := range r.Searches(rows) {
		for _, c := range s.Cells {
			i := slices.IndexFunc(rows, func(row stat.Row) bool { return row.Cell == c.Cell })
			row := rows[i]
			row.Metric, row.Unit, row.Warnings = FrontProbability, "", nil
			row.Value, row.Lo, row.Hi, row.N = nil, nil, nil, 0
			if !search.Unknown(c.P) {
				row.SetValue(c.P, search.DefaultDraws)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// holdOut puts scores on the items that the search did not see into the rows of
// the cells that it chose.
func (r *Record) holdOut(rows []stat.Row, chosen map[string]bool) {
	items := half(r.Qualities, r.Plan.Seed, 1)
	keys := map[string]qualityKey{}
	for _, c := range r.Cells {
		keys[c.ID] = qualityKey{c.Artefact, c.Axes.Threshold}
	}
	known := map[qualityKey]*Assessment{}
	for i := range rows {
		row := &rows[i]
		key := keys[row.Cell]
		res := r.quality(key.artefact, key.threshold)
		if !chosen[row.Cell] || res == nil || !slices.Contains([]string{"f1_macro", "f1_micro", "accuracy"}, row.Metric) {
			continue
		}
		if known[key] == nil {
			a := Assess(part(*res, items), nil, r.Plan.Seed)
			known[key] = &a
		}
		for _, m := range known[key].Metrics() {
			if m.Name == row.Metric && m.Value.N > 0 {
				row.Set(m.Value)
				row.Warnings = append(row.Warnings, fmt.Sprintf("held out: of the %d test items that the search did not see", len(items)))
			}
		}
	}
}

// part is an evaluation's answers on some items.
func part(res wire.EvalResult, items []int) wire.EvalResult {
	out := wire.EvalResult{Labels: res.Labels, SkipRate: res.SkipRate, Items: len(items)}
	for _, i := range items {
		if i < len(res.Predictions) && i < len(res.Truth) {
			out.Predictions = append(out.Predictions, res.Predictions[i])
			out.Truth = append(out.Truth, res.Truth[i])
		}
	}
	return out
}
