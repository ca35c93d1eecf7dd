package search

import (
	"math"
	"math/rand/v2"
	"testing"
)

// posteriorOf is that of evidence in which every cell is known.
func posteriorOf(e Evidence) *posterior {
	values := e.Values()
	known := make([]bool, len(values))
	for i := range known {
		known[i] = true
	}
	return e.posterior(values, known, e.noise(), 5)
}

// What is taken apart must be whole again, else every draw is off.
func TestSplitAndJoin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	e := Evidence{Objectives: []Metric{{Name: "latency_ms_p50"}, {Name: "f1_macro", More: true}}}
	a := Answers{Draws: make([][]float64, 20)}
	for i, l := range grid(5, 4, 4) {
		if subject := i / 3; subject == len(a.Value) {
			a.Value = append(a.Value, rng.Float64())
			for d := range a.Draws {
				a.Draws[d] = append(a.Draws[d], rng.Float64())
			}
		}
		e.Cells = append(e.Cells, Known{Subject: i / 3, Levels: l, Trials: [][]float64{{1 + rng.Float64(), math.NaN()}, {1 + rng.Float64(), math.NaN()}}})
	}
	e.Answers = map[string]Answers{"f1_macro": a}
	r := posteriorOf(e).regular
	if len(r.groups) != len(a.Value) {
		t.Fatalf("%d groups, want %d", len(r.groups), len(a.Value))
	}
	y := make([]float64, len(e.Cells))
	for i := range y {
		y[i] = rng.NormFloat64()
	}
	for i, v := range r.join(r.split(y)) {
		if math.Abs(v-y[i]) > 1e-9 {
			t.Fatalf("cell %d was %g, is %g", i, y[i], v)
		}
	}
}

// A metric that is seen well tells of one that is not, where they go together: draws
// must be as near to the truth, and as wide, as the rules of normal values have it.
func TestMetricsAreDrawnTogether(t *testing.T) {
	const (
		fast, slow   = 0.05, 0.5 // how irregular the metrics are
		noisy, quiet = 0.1, 0.02 // their noise in a trial, of which a cell has two
		corr         = 0.9
	)
	rng := rand.New(rand.NewPCG(3, 4))
	e := Evidence{Objectives: []Metric{{Name: "latency_ms_p50"}, {Name: "energy_j"}, {Name: "model_bytes"}}}
	var truth []float64
	for _, l := range grid(12, 10, 8) {
		x := rng.NormFloat64()
		y := corr*x + math.Sqrt(1-corr*corr)*rng.NormFloat64()
		latency, energy := 0.3*float64(l[0])+fast*x, 0.2*float64(l[1])+slow*y
		truth = append(truth, latency)
		k := Known{Subject: -1, Levels: l}
		for range 2 {
			k.Trials = append(k.Trials, []float64{math.Exp(latency + noisy*rng.NormFloat64()), math.Exp(energy + quiet*rng.NormFloat64()), 1000 * float64(1+l[0]) * float64(1+l[1])})
		}
		e.Cells = append(e.Cells, k)
	}
	p := posteriorOf(e)
	const draws = 200
	mean, square := make([]float64, len(truth)), make([]float64, len(truth))
	for n := range draws {
		for i, row := range p.draw(n) {
			v := math.Log(row[0])
			mean[i] += v / draws
			square[i] += v * v / draws
		}
	}
	var off, wide float64
	for i, v := range truth {
		off += (mean[i] - v) * (mean[i] - v) / float64(len(truth))
		wide += (square[i] - mean[i]*mean[i]) / float64(len(truth))
	}
	// Of the latency's irregularity the energy leaves so much, which its own figure tells.
	seen := slow*slow + quiet*quiet/2
	left := fast * fast * (1 - corr*corr*slow*slow/seen)
	want := left * noisy * noisy / 2 / (left + noisy*noisy/2)
	t.Logf("root mean square error %.4f, width %.4f, want %.4f", math.Sqrt(off), math.Sqrt(wide), math.Sqrt(want))
	// Alone its variance would be 3.8 times that; the structure takes some of what is known.
	for what, got := range map[string]float64{"error of the draws' mean": off, "variance of the draws": wide} {
		if got < 0.7*want || got > 2*want {
			t.Errorf("%s is %.2g, want %.2g", what, got, want)
		}
	}
}

// The unit of a metric that has no noise must change no draw, nor must what
// rounding leaves of its irregularity.
func TestUnitsChangeNothing(t *testing.T) {
	drawn := func(unit float64) []float64 {
		rng := rand.New(rand.NewPCG(5, 6))
		e := Evidence{Objectives: []Metric{{Name: "latency_ms_p50"}, {Name: "model_bytes"}}}
		for _, l := range grid(4, 4, 3, 4) {
			k := Known{Subject: -1, Levels: l}
			for range 2 {
				k.Trials = append(k.Trials, []float64{math.Exp(0.3*float64(l[0]) + 0.1*rng.NormFloat64()), unit * float64(1+l[0]) * float64(1+l[1])})
			}
			e.Cells = append(e.Cells, k)
		}
		var out []float64
		for _, row := range posteriorOf(e).draw(1) {
			out = append(out, math.Log(row[0]))
		}
		return out
	}
	want := drawn(1)
	for _, unit := range []float64{3, 1000, 1e-6} {
		for i, v := range drawn(unit) {
			if math.Abs(v-want[i]) > 1e-9 {
				t.Fatalf("in units of %g cell %d is drawn as %g, not %g", unit, i, v, want[i])
			}
		}
	}
}
