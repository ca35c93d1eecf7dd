package sweep

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Whatever makes a trial doubtful, nothing that it measured may be in a figure: a
// reader would take a hot board's watts or a busy one's latency for its own.
func TestNoDoubtfulTrialEntersAFigure(t *testing.T) {
	energy := func(j float64) func(*wire.MeasureResult) {
		return func(m *wire.MeasureResult) {
			m.Energy = &wire.Energy{Source: "pmic", GrossJ: j, GrossLo: j - 1, GrossHi: j + 1, NetJ: j, NetLo: j - 1, NetHi: j + 1, WindowS: 2}
		}
	}
	good := []wire.MeasureResult{with(timed(1), energy(10)), with(timed(2), energy(12)), with(timed(3), energy(11))}
	want := recorded(good...).Rows()
	for _, metric := range []string{"latency_ms_p50", "throughput_per_s", "energy_j", "power_w", "tops_per_w", "peak_rss_bytes"} {
		if row(t, want, metric).Value == nil {
			t.Fatalf("the valid trials have no %s: nothing would be shown", metric)
		}
	}
	for _, v := range []wire.Verdict{wire.Throttled, wire.Contended, wire.Undervolted, wire.Unsettled, wire.Sensor, wire.Faulted} {
		doubtful := with(timed(1000), energy(5000))
		doubtful.Verdict, doubtful.Reason, doubtful.PeakRSSBytes, doubtful.ModelBytes = v, "seen", 9e9, 9e9
		doubtful.ExecutedMAC, doubtful.Warnings = 9e15, []wire.Warning{{Code: "hot"}}
		doubtful.Env.Tier = "other"
		r := recorded(append(good[:3:3], doubtful)...)
		r.Trials[3].Ended = r.Trials[2].Ended // rows tell the time of the last trial of any kind
		if diff := cmp.Diff(want, r.Rows()); diff != "" {
			t.Errorf("a trial that is %s changes the figures (-without +with):\n%s", v, diff)
		}
		for _, x := range recorded(doubtful).Rows() {
			if x.Value != nil || x.N != 0 || x.Verdict != string(v) {
				t.Errorf("%s alone: %s is %s of %d with verdict %q", v, x.Metric, figureOf(x), x.N, x.Verdict)
			}
		}
	}
}
