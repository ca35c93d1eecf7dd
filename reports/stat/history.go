package stat

import (
	"math"
	"slices"
)

// Night is one metric of one cell as one night saw it.
type Night struct {
	Value float64 // median of the repeats; 0 or NaN: not measured
	Error float64 // standard error of log Value by the repeats alone, 0 if unknown
	N     int
}

// NightOf sums the valid repeats of a night up. Values that are not positive
// make the night one that was not measured.
func NightOf(repeats []float64) Night {
	l := logs(repeats)
	if l == nil {
		return Night{}
	}
	out := Night{Value: math.Exp(sortedQuantile(l, 0.5)), N: len(l)}
	if len(l) > 1 {
		out.Error = medianError(l)
	}
	return out
}

// History is what the nights saw of one metric of one cell, oldest first. The
// last one is tonight. Nights before a step that was accepted are left out by the
// caller, so that the baseline is the level since.
type History struct {
	Name           string
	HigherIsBetter bool
	// Group is the machine whose drift the metric shares, as all times on a board
	// do; "" for a metric that has none, such as bytes.
	Group  string
	Nights []Night
}

// Finding is a metric that moved.
type Finding struct {
	Name    string   `json:"name"`
	Outcome Outcome  `json:"outcome"` // Regressed or Improved
	Change  Interval `json:"change"`  // per cent, after the group's own drift; 95 %
	Score   float64  `json:"score"`   // standard errors, the larger the surer
	Nights  int      `json:"nights"`  // on how many nights it rests, tonight included
	// Sure findings are alarms. The others are suspicions: they ask for an ABBA
	// series against the baseline on the same night (Comparison) and are no alarm
	// without it.
	Sure bool `json:"sure"`
}

// Shift is how far all metrics of a group moved together tonight. It is the
// machine's drift, or a change that slowed everything: which, only an ABBA series
// against the baseline can tell.
type Shift struct {
	Group   string  `json:"group"`
	Pct     float64 `json:"pct"` // in time: positive is slower
	Score   float64 `json:"score"`
	Suspect bool    `json:"suspect"`
	Sure    bool    `json:"sure"` // beyond what the group's nights ever did
}

// Watch finds steps in the histories of a sweep.
//
// Repeats of one night agree better than nights do, so a test of tonight's
// repeats against another night's calls every drift a regression. Watch measures
// against the scatter of the nights themselves:
//
//  1. The drift that a group's metrics share is the median of their deviations
//     from their baselines (the median of up to Window nights, the last two left
//     out so that a fresh step does not hide in it). It is subtracted: a slow night
//     of the board is no regression. Groups of fewer than minGroup metrics keep it.
//  2. A metric's scale is the robust scatter of its own nights after that, drawn
//     towards what the whole group's nights scatter for repeats as noisy as its own,
//     since the MAD of a few nights is itself uncertain.
//  3. Tonight is scored alone, with last night, and with the last two nights. Over
//     several nights the weakest must agree, so one bad night cannot carry two good
//     ones.
//
// Compare: asv fits piecewise constants to one metric at a time and flags 5 %;
// rustc-perf flags what exceeds Q3 + 3·IQR of a metric's own past changes between
// two commits; benchstat tests the repeats of two nights against each other. None
// subtracts what the machine did to all metrics, nor borrows strength over them.
type Watch struct {
	Window  int     // nights of baseline, default 30
	Alarm   float64 // score of one night that is sure, default 8
	Suspect float64 // score of one night that is suspicious, default 2.5
	// MaterialPct is a change of one night that is put to the test however noisy
	// the night was, default 2.5.
	MaterialPct float64
}

const (
	minGroup  = 10 // metrics that make a common drift
	minNights = 5  // of baseline before anything can be told
	// ownWeight and poolWeight are the worth, in degrees of freedom, of a night of
	// a metric's own history and of its group's ratio of scales.
	ownWeight, poolWeight = 0.37, 12.0
	// shiftPrior is the worth, in nights, of taking a group's drift to be as large as
	// the sampling error of its metrics: five nights may agree by chance.
	shiftPrior = 5.0
	leastScale = 2e-4 // no history is steadier than its clock
)

func (w Watch) withDefaults() Watch {
	if w.Window <= 0 {
		w.Window = 30
	}
	if w.Alarm <= 0 {
		w.Alarm = 8
	}
	if w.Suspect <= 0 {
		w.Suspect = 2.5
	}
	if w.MaterialPct <= 0 {
		w.MaterialPct = 2.5
	}
	return w
}

// patterns are the ways in which the last nights can show a step: the mean of
// that many nights scores at least mean, and the weakest at least least, both in
// units of Watch.Alarm or Watch.Suspect.
var patterns = [...]struct {
	nights      int
	mean, least float64
}{{1, 1, 1}, {2, 0.85, 0.45}, {3, 0.8, 0.3}}

// ConfirmError and ConfirmPairs make the series that a suspicion asks for: of 1,000
// suspicions of nothing at most one becomes an alarm of a regression.
const (
	ConfirmError = 0.002
	ConfirmPairs = 60
)

// Confirm is the series that a suspicion of Watch asks for, of changes beyond a margin
// in per cent.
func Confirm(marginPct float64) Comparison {
	return Comparison{Level: 1 - ConfirmError, MarginPct: marginPct, MaxPairs: ConfirmPairs}
}

// Tonight returns the metrics whose last night moved, sure ones first, and the
// drift of each group. Histories shorter than five nights before the last three
// tell nothing.
func (w Watch) Tonight(histories []History) ([]Finding, []Shift) {
	w = w.withDefaults()
	groups := map[string][]*level{}
	var names []string
	var all []*level
	for i := range histories {
		l := w.level(&histories[i])
		if l == nil {
			continue
		}
		g := histories[i].Group
		if groups[g] == nil {
			names = append(names, g)
		}
		groups[g] = append(groups[g], l)
		all = append(all, l)
	}
	var shifts []Shift
	for _, g := range names {
		if g != "" && len(groups[g]) >= minGroup {
			shifts = append(shifts, w.subtractDrift(g, groups[g]))
		}
		setScales(groups[g])
	}
	var out []Finding
	for _, l := range all {
		if f, ok := w.finding(l); ok {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		if a.Sure != b.Sure {
			if a.Sure {
				return -1
			}
			return 1
		}
		return compare(b.Score, a.Score)
	})
	return out, shifts
}

// level is one history in logarithms of cost, tonight first.
type level struct {
	history *History
	y       []float64 // NaN: not measured; [0] tonight
	errors  []float64 // standard errors by the repeats, as y
	base    float64
	nights  int     // of the baseline
	within  float64 // typical standard error of a night
	scale   float64
}

// recent is how many of the last nights are judged and not yet baseline.
const recent = 3

func (w Watch) level(h *History) *level {
	n := min(len(h.Nights), w.Window+recent)
	if n < recent+minNights {
		return nil
	}
	l := &level{history: h, y: make([]float64, n), errors: make([]float64, n)}
	for i := range l.y {
		night := h.Nights[len(h.Nights)-1-i]
		l.y[i] = math.NaN()
		if night.Value > 0 && !math.IsInf(night.Value, 0) {
			l.y[i] = math.Log(night.Value)
			if h.HigherIsBetter {
				l.y[i] = -l.y[i]
			}
		}
		l.errors[i] = night.Error
	}
	l.within = max(Median(l.errors), leastScale)
	if l.rebase(); l.nights < minNights || math.IsNaN(l.y[0]) {
		return nil
	}
	return l
}

// rebase sets the baseline anew from all but the recent nights.
func (l *level) rebase() {
	old := measured(l.y[recent:])
	l.nights = len(old)
	l.base = Median(old)
}

func measured(xs []float64) []float64 {
	out := make([]float64, 0, len(xs))
	for _, x := range xs {
		if !math.IsNaN(x) {
			out = append(out, x)
		}
	}
	return out
}

// subtractDrift removes from every night what the group's metrics share.
func (w Watch) subtractDrift(name string, group []*level) Shift {
	longest := 0
	for _, l := range group {
		longest = max(longest, len(l.y))
	}
	drift := make([]float64, longest)
	for t := range drift {
		moves := make([]float64, 0, len(group))
		for _, l := range group {
			if t < len(l.y) && !math.IsNaN(l.y[t]) {
				moves = append(moves, l.y[t]-l.base)
			}
		}
		if len(moves) >= minGroup {
			drift[t] = Median(moves)
		}
		for _, l := range group {
			if t < len(l.y) {
				l.y[t] -= drift[t]
			}
		}
	}
	for _, l := range group {
		l.rebase()
	}
	old := drift[recent:]
	n := float64(len(old))
	within := make([]float64, len(group))
	for i, l := range group {
		within[i] = l.within
	}
	own, prior := MAD(old)/0.6745, Median(within)
	scale := math.Sqrt((n*own*own + shiftPrior*prior*prior) / (n + shiftPrior))
	scale = max(scale, leastScale) * math.Sqrt(1+1.57/n)
	s := Shift{Group: name, Pct: 100 * math.Expm1(drift[0]-Median(old)), Score: (drift[0] - Median(old)) / scale}
	s.Suspect, s.Sure = math.Abs(s.Score) >= w.Suspect, math.Abs(s.Score) >= w.Alarm
	return s
}

// setScales gives every level of a group its scatter from night to night.
func setScales(group []*level) {
	ratios := make([]float64, len(group))
	for i, l := range group {
		l.scale = MAD(measured(l.y[recent:])) / 0.6745
		ratios[i] = l.scale / l.within
	}
	ratio := Median(ratios)
	for _, l := range group {
		own, pool := l.scale, ratio*l.within
		weight := ownWeight * float64(l.nights)
		prior := poolWeight
		if len(group) < minGroup {
			prior, pool = 1, max(pool, l.within)
		}
		l.scale = math.Sqrt((weight*own*own + prior*pool*pool) / (weight + prior))
		l.scale = max(l.scale, leastScale)
	}
}

// finding scores the last nights of a history.
func (w Watch) finding(l *level) (Finding, bool) {
	base := 1.57 / float64(l.nights) // variance of the baseline's median in units of scale²
	sum, moved, least, sign := 0.0, 0.0, math.Inf(1), 1.0
	if l.y[0] < l.base {
		sign = -1
	}
	var out Finding
	found := false
	for i, p := range patterns {
		// A night of repeats that agree less than usual counts for less.
		scale := l.scale * max(1, l.errors[i]/l.within)
		z := sign * (l.y[i] - l.base) / scale
		if math.IsNaN(z) {
			break
		}
		n := float64(p.nights)
		sum += z
		moved += sign * (l.y[i] - l.base)
		se := math.Sqrt(1/n + base)
		mean := sum / n / se
		least = min(least, z/math.Sqrt(1+base))
		for _, kind := range []struct {
			limit float64
			sure  bool
		}{{w.Alarm, true}, {w.Suspect, false}} {
			enough := mean >= p.mean*kind.limit && least >= p.least*kind.limit
			if i == 0 && !kind.sure && moved >= w.MaterialPct/100 {
				enough = true
			}
			if !enough || found && (out.Sure || !kind.sure) {
				continue
			}
			found = true
			change, half := sign*moved/n, 1.96*se*scale
			out = Finding{
				Name: l.history.Name, Outcome: Regressed, Score: mean, Nights: p.nights, Sure: kind.sure,
				Change: Interval{Value: change, Lo: change - half, Hi: change + half, N: p.nights, Level: 0.95, Method: Nights},
			}
			break
		}
	}
	if !found {
		return Finding{}, false
	}
	if sign < 0 {
		out.Outcome = Improved
	}
	if l.history.HigherIsBetter { // back from cost to the metric
		c := out.Change
		out.Change.Value, out.Change.Lo, out.Change.Hi = -c.Value, -c.Hi, -c.Lo
	}
	out.Change = percent(out.Change)
	return out, true
}
