package gate

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// enoughNights of baseline let what happens from night to night be told from a change.
const enoughNights = 7

// watch judges findings by the scatter of the nights of the baseline, which is larger
// than that of a night's repeats: against the repeats alone every drift of the machine
// is a change.
func watch(findings []Finding, baseline []*sweep.Record, run *sweep.Record, p Policy) {
	var nights []Night
	for _, r := range append(slices.Clone(baseline), run) {
		nights = append(nights, NightOf(r))
	}
	if len(nights) <= enoughNights {
		fewNights(findings, nights[:len(nights)-1], p)
		return
	}
	var histories []stat.History
	for i := range findings {
		if m, err := FindMetric(findings[i].Metric); err == nil {
			histories = append(histories, historyOf(strconv.Itoa(i), findings[i].Cell, findings[i].Target, m, nights))
		}
	}
	told, _ := stat.Watch{}.Tonight(histories)
	shifts := shiftsBeyondRoofs(findings, nights)
	known := map[string]stat.Finding{}
	for _, w := range told {
		known[w.Name] = w
	}
	for i := range findings {
		f := &findings[i]
		m, err := FindMetric(f.Metric)
		if err != nil {
			continue // what is predicted does not drift
		}
		w, moved := known[strconv.Itoa(i)]
		shift, shared := shifts[f.Target]
		shared = shared && shift.Suspect && math.Abs(shift.Pct) > p.MarginPct && m.Timed
		if shared {
			f.remark(fmt.Sprintf("all of its target moved by %+.1f %% in time beyond what its roofs did (%.1f standard errors)", shift.Pct, shift.Score))
		}
		f.Watched = moved && w.Outcome == stat.Regressed || shared && shift.Pct > 0
		switch {
		case shared && shift.Sure && f.beyond(p.MarginPct):
			// The verdict stands: what all cells share and the roofs do not is no drift.
		case moved && w.Sure && math.Abs(w.Change.Value) > p.MarginPct && f.Q <= p.FalseShare && !(shared && shift.Sure):
			f.Verdict, f.Effect, f.Further = w.Outcome, w.Change, 0
			f.remark(fmt.Sprintf("%.1f standard errors of its nights", w.Score))
		case f.Verdict == stat.Regressed || f.Verdict == stat.Improved:
			f.Verdict = stat.CannotTell
			f.remark("within what its nights scatter")
			f.Further = max(1, f.Further)
		case moved:
			f.remark("suspicious beside its nights")
		}
	}
}

// beyond says that a change was told of which the whole interval, with the machine's
// own change taken out, lies beyond the margin.
func (f *Finding) beyond(marginPct float64) bool {
	return (f.Verdict == stat.Regressed || f.Verdict == stat.Improved) && (f.Effect.Lo > marginPct || f.Effect.Hi < -marginPct)
}

// shiftsBeyondRoofs says how far all times of a target moved together tonight, beside
// how they did on its nights, after the change of the machine's roofs is taken out of
// every night. A target of which a night knows no roof keeps it.
func shiftsBeyondRoofs(findings []Finding, nights []Night) map[string]stat.Shift {
	var histories []stat.History
	for _, f := range findings {
		m, err := FindMetric(f.Metric)
		if err != nil || !m.Timed {
			continue
		}
		h := historyOf(f.Cell+" "+f.Metric, f.Cell, f.Target, m, nights)
		if f.Control != nil {
			scaleByRoof(&h, m, [2]string{f.Target, f.Control.Roof}, nights)
		}
		histories = append(histories, h)
	}
	_, shifts := stat.Watch{}.Tonight(histories)
	out := map[string]stat.Shift{}
	for _, s := range shifts {
		out[s.Group] = s
	}
	return out
}

// scaleByRoof states a history as on a machine of one speed.
func scaleByRoof(h *stat.History, m Metric, roof [2]string, nights []Night) {
	for _, n := range nights {
		if !(n.Roofs[roof] > 0) {
			return
		}
	}
	for i := range h.Nights {
		if m.Less {
			h.Nights[i].Value *= nights[i].Roofs[roof]
		} else {
			h.Nights[i].Value /= nights[i].Roofs[roof]
		}
	}
}

// fewNights lets a change stand only where tonight is beyond every night of the
// baseline.
func fewNights(findings []Finding, nights []Night, p Policy) {
	for i := range findings {
		f := &findings[i]
		if f.Verdict != stat.Regressed && f.Verdict != stat.Improved {
			continue
		}
		if len(nights) == 1 {
			f.remark("one run of baseline: what changes from night to night is not known")
			continue
		}
		for _, n := range nights {
			xs := n.Values[[2]string{f.Cell, f.Metric}]
			if len(xs) == 0 {
				continue
			}
			v := stat.Median(xs)
			beyond := (f.After > v) == (f.After > f.Before) && math.Abs(f.After/v-1) > p.MarginPct/100
			if !beyond {
				f.Verdict, f.Further = stat.CannotTell, max(1, f.Further)
				f.remark("a night of the baseline was like it")
				break
			}
		}
	}
}

func (f *Finding) remark(text string) {
	if f.Note != "" {
		text = f.Note + "; " + text
	}
	f.Note = text
}

// historyOf is a metric of a cell over nights.
func historyOf(name, cell, target string, m Metric, nights []Night) stat.History {
	h := stat.History{Name: name, HigherIsBetter: !m.Less}
	if m.Timed {
		h.Group = target
	}
	for _, n := range nights {
		h.Nights = append(h.Nights, stat.NightOf(n.Values[[2]string{cell, m.Name}]))
	}
	return h
}

// steps marks the lasting changes of tracks: the first of the nights on which a sure
// finding rests. From there on the level is a new one.
func steps(tracks []Track, nights []Night, p Policy) {
	from := make([]int, len(tracks))
	for i := range nights {
		var histories []stat.History
		for k := range tracks {
			t := &tracks[k]
			histories = append(histories, historyOf(strconv.Itoa(k), t.Cell, t.Target, t.Metric, nights[from[k]:i+1]))
		}
		told, _ := stat.Watch{}.Tonight(histories)
		for _, w := range told {
			k, err := strconv.Atoi(w.Name)
			if err != nil || !w.Sure || math.Abs(w.Change.Value) <= p.MarginPct {
				continue
			}
			at := i - w.Nights + 1
			tracks[k].step(nights, at, w)
			from[k] = at
		}
	}
}

// step adds the step that begins with a night.
func (t *Track) step(nights []Night, at int, w stat.Finding) {
	point := slices.Index(t.Nights, at)
	if point <= 0 {
		return
	}
	n, before := nights[at], nights[t.Nights[point-1]]
	s := TrackStep{At: point, ChangePct: w.Change.Value, Worse: w.Outcome == stat.Regressed, Run: n.Run, When: n.Time}
	switch {
	case n.Commit != "" && n.Commit == before.Commit:
		s.Commits = "the commit did not change"
	case n.Commit != "" && before.Commit != "":
		s.Commits = fmt.Sprintf("commits %.10s to %.10s", before.Commit, n.Commit)
	}
	t.Steps = append(t.Steps, s)
}
