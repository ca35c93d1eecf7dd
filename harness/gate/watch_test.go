package gate

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// What slows every cell down, with a machine that is as fast as ever, must not pass for
// a slow night, however many nights there are; a slow machine must.
func TestWholeSweepSlower(t *testing.T) {
	for _, nights := range []int{7, 12} {
		var base []*sweep.Record
		for d := range nights {
			base = append(base, night(uint64(d), d, 12, 10, 1, same))
		}
		all := func(cell int) float64 { return 1.2 * same(cell) }
		findings, _ := Compare(base, night(50, nights, 12, 10, 1, all), DefaultPolicy())
		for cell := range 12 {
			if f := verdictOf(t, findings, cell, "latency_ms_p50"); f.Verdict != stat.Regressed || !strings.Contains(f.Note, "all of its target moved by +") {
				t.Errorf("%d nights: cell %d, 20 %% slower, is %s: %s", nights, cell, f.Verdict, f.Why())
			}
		}
		findings, _ = Compare(base, night(50, nights, 12, 10, 1/1.2, same), DefaultPolicy())
		if bad := told(findings, stat.Regressed); len(bad) > 0 {
			t.Errorf("%d nights: a slow machine is called a regression: %v", nights, bad)
		}
	}
}

// A suspicion of the nights is put to a series although the comparison calls it the same.
func TestWatchedIsSuspect(t *testing.T) {
	f := Finding{Verdict: stat.Same, Watched: true, Less: true}
	if !f.Suspect(DefaultPolicy()) {
		t.Error("what the nights suspect is not measured")
	}
}

// Who asks for a series gets one where a few trials of another day rule nothing out, after
// all that suggests a regression; a night's own stay with what is suspect.
func TestWhatIsOpenComesLast(t *testing.T) {
	wide := stat.Interval{Value: -1.5, Lo: -6, Hi: 2.5}
	told := stat.Interval{Value: -1.5, Lo: -2, Hi: 0.5}
	r := Result{Findings: []Finding{
		{Cell: "told", Metric: "latency_ms_p50", Less: true, Verdict: stat.CannotTell, Raw: told, Effect: told},
		{Cell: "open", Metric: "latency_ms_p50", Less: true, Verdict: stat.CannotTell, Raw: wide, Effect: wide},
		{Cell: "slower", Metric: "latency_ms_p50", Less: true, Verdict: stat.CannotTell, Raw: stat.Interval{Value: 1.2, Lo: -1, Hi: 3}},
		{Cell: "fewer", Metric: "throughput_per_s", Verdict: stat.CannotTell, Raw: stat.Interval{Value: 1, Lo: -2, Hi: 3}, Effect: stat.Interval{Value: 1, Lo: -2, Hi: 3}},
	}}
	cells := func(open bool) (out []string) {
		for _, group := range r.Suspects(DefaultPolicy(), 4, open) {
			out = append(out, group[0].Cell)
		}
		return out
	}
	if got := cells(true); !slices.Equal(got, []string{"slower", "open", "fewer"}) {
		t.Errorf("asked for, series of %v", got)
	}
	if got := cells(false); !slices.Equal(got, []string{"slower"}) {
		t.Errorf("of a night, series of %v", got)
	}
}

// The series of a night is the one whose false alarms were measured.
func TestConfirmRuleIsTheSimulated(t *testing.T) {
	r, c := ConfirmRule(1), stat.Confirm(1)
	if 1-r.Error != c.Level || pairsOfBlock*r.MaxBlocks != c.MaxPairs || r.MarginPct != c.MarginPct {
		t.Errorf("rule %+v, simulated %+v", r, c)
	}
}
