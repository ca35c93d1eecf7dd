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
	known := map[string]stat.Finding{}
	for _, w := range told {
		known[w.Name] = w
	}
	for i := range findings {
		f := &findings[i]
		if _, err := FindMetric(f.Metric); err != nil {
			continue // what is predicted does not drift
		}
		w, moved := known[strconv.Itoa(i)]
		switch {
		case moved && w.Sure && math.Abs(w.Change.Value) > p.MarginPct:
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
