package page_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// A reader who cannot see how sure a front is, or what was not measured, takes a lucky
// cell for the best.
func TestFrontSection(t *testing.T) {
	row := stat.Row{Cell: "a", Target: "local", Bits: 8, RankRatio: 1, Batch: 1, Metric: "latency_ms_p50"}
	row.SetValue(1, 1)
	d := page.Data{
		Title: "t", Run: "r", Started: time.Unix(0, 0), Rows: []stat.Row{row},
		Searches: []page.Search{{
			Target: "local", Kind: "halving", Objectives: []string{"latency_ms_p50", "f1_macro"}, Where: "f1_macro>=0.9 && energy_j<1",
			Cells: []page.Candidate{
				{Cell: "a", P: 0.973, Front: true, Trials: 6, Verdict: "undecided"},
				{Cell: "b", P: 0.004, Rank: 1, Trials: 1, Verdict: "violated"},
				{Cell: "c", P: math.NaN(), Rank: -1, Verdict: "undecided"},
			},
			Rounds:     []page.Round{{Number: 1, Repeats: 1, Cells: 3, Dropped: 1, Further: 1}},
			Curve:      []page.Spent{{Trials: 1, Share: 0.5}, {Trials: 9, Share: 1}},
			Unmeasured: "1 of 3 cells have no valid trial",
			Notes:      []string{"the other half <&>"},
		}},
	}
	var b strings.Builder
	if err := page.Render(&b, d); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		`href="#front"`, "<td>0.97</td><td>yes</td>", "<td>unknown</td><td>no</td><td>–</td>", "undecided",
		"1 of 3 cells have no valid trial", "1 further cells", "f1_macro&gt;=0.9 &amp;&amp; energy_j&lt;1", "the other half &lt;&amp;&gt;", "share of hypervolume",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	d.Searches = nil
	b.Reset()
	if err := page.Render(&b, d); err != nil || strings.Contains(b.String(), `href="#front"`) {
		t.Errorf("a report without a search leads to one: %v", err)
	}
}
