package gate

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// part is a slice of one latency, ms, and as many items as it had time for.
func part(ms float64) wire.MeasureResult {
	return wire.MeasureResult{
		Verdict: wire.Valid, Samples: []wire.Sample{{LatencyMS: ms}}, Items: int(math.Round(1e6 / ms)), WindowS: 0.25,
		ModelBytes: 100, PeakRSSBytes: int64(ms),
	}
}

// A machine that slows down all the time, and a neighbour that comes for one slice,
// must not show in the ratio of two arms.
func TestSlicesOfAPair(t *testing.T) {
	const by = 1.03
	var pair, mirrored trials
	at := func() float64 { return 10 * math.Exp(0.02*float64(len(pair.parts[0])+len(pair.parts[1]))) }
	for round := range 5 {
		for i := range 4 {
			side := (i + 1) / 2 % 2 // ABBA
			if round%2 == 1 {
				side = 1 - side
			}
			ms := at()
			if side == 1 {
				ms *= by
			}
			if round == 3 && i == 2 {
				ms *= 1.5
			}
			pair.parts[side] = append(pair.parts[side], part(ms))
		}
	}
	mirrored.parts[0], mirrored.parts[1] = pair.parts[1], pair.parts[0]
	for name, want := range map[string]float64{"latency_ms_p50": by, "throughput_per_s": 1 / by} {
		m, err := FindMetric(name)
		if err != nil {
			t.Fatal(err)
		}
		v, w := m.sides(pair), m.sides(mirrored)
		if got := v[1] / v[0]; math.Abs(got-want) > 1e-3 {
			t.Errorf("%s: the ratio is %.5f, want %.5f", name, got, want)
		}
		if math.Abs(v[0]-w[1]) > 1e-9*v[0] || math.Abs(v[1]-w[0]) > 1e-9*v[1] {
			t.Errorf("%s: the arms exchanged: %v, then %v", name, v, w)
		}
	}
	for name, want := range map[string][2]float64{"model_bytes": {100, 100}, "peak_rss_bytes": {19, 14}, "latency_ms_p90": {math.NaN(), math.NaN()}} {
		m, err := FindMetric(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, m.sides(pair), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A tail that no slice is long enough for is that of the whole window.
func TestATailIsOfTheWholeWindow(t *testing.T) {
	m, err := FindMetric("latency_ms_p90")
	if err != nil {
		t.Fatal(err)
	}
	var pair trials
	for side := range pair.parts {
		for i := range 40 {
			p := part(10)
			for j := range 10 {
				p.Samples = append(p.Samples, wire.Sample{LatencyMS: float64(i + j + side)})
			}
			pair.parts[side] = append(pair.parts[side], p)
		}
	}
	if v := m.sides(pair); !(v[1] > v[0] && v[0] > 30) {
		t.Errorf("the tails are %v", v)
	}
}

func TestWindowsAreCut(t *testing.T) {
	for window, want := range map[time.Duration]int{0: 1, 100 * time.Millisecond: 1, time.Second: 2, 2 * time.Second: 4} {
		d := Duel{Request: wire.Measure{NoEnergy: true, Window: window}}
		if got := d.rounds(); got != want {
			t.Errorf("a window of %v is %d rounds, want %d", window, got, want)
		}
		d.Request.NoEnergy = false
		if got := d.rounds(); got != 0 {
			t.Errorf("with a sensor a window of %v is %d rounds", window, got)
		}
	}
}
