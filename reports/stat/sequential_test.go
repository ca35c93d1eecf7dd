package stat

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// noises are differences of exchangeable pairs: heavy tails, skewed trials, and
// a spread that grows while one measures.
var noises = map[string]func(r *rand.Rand, i int) float64{
	"normal":  func(r *rand.Rand, _ int) float64 { return 0.01 * r.NormFloat64() },
	"cauchy":  func(r *rand.Rand, _ int) float64 { return 0.005 * math.Tan(math.Pi*(r.Float64()-0.5)) },
	"skewed":  func(r *rand.Rand, _ int) float64 { return 0.02 * (r.ExpFloat64() - r.ExpFloat64()) },
	"growing": func(r *rand.Rand, i int) float64 { return 0.002 * float64(i+1) * r.NormFloat64() },
	"ticks":   func(r *rand.Rand, _ int) float64 { return 0.01 * float64(r.IntN(3)-1) },
}

func series(seed uint64, n int, effect float64, noise func(*rand.Rand, int) float64) []Pair {
	rng := rand.New(rand.NewPCG(seed, 3))
	out := make([]Pair, n)
	for i := range out {
		d := max(-50, min(50, noise(rng, i)))
		out[i] = Pair{A: 10 * math.Exp(-d/2), B: 10 * math.Exp(effect+d/2)}
	}
	return out
}

// Looking after every pair and stopping at the first verdict must not raise the
// error: this is what a repeated t-test gets wrong.
func TestLookingDoesNotInflateTheError(t *testing.T) {
	if testing.Short() {
		t.Skip("tens of seconds of simulation")
	}
	const runs, pairs = 400, 40
	c := Comparison{Level: 0.9, MarginPct: 0.01}
	for name, noise := range noises {
		wrong, missed := 0, 0
		for seed := range uint64(runs) {
			all := series(seed, pairs, 0, noise)
			if d, _ := c.Follow(all); d.Outcome == Regressed || d.Outcome == Improved {
				wrong++
			}
			if i := c.Decide(all).Change; i.Lo > 0 || i.Hi < 0 {
				missed++
			}
		}
		if limit := 0.1*runs + 3*math.Sqrt(0.09*runs); float64(wrong) > limit || float64(missed) > limit {
			t.Errorf("%s: %d of %d series without a change found one (%d sequences exclude zero), at most %.0f should", name, wrong, runs, missed, limit)
		}
	}
}

// Each outcome, what it costs, and that directions are told apart.
func TestDecide(t *testing.T) {
	normal := noises["normal"]
	for name, c := range map[string]struct {
		c       Comparison
		pairs   []Pair
		want    Outcome
		done    bool
		further bool
	}{
		"slower":            {Comparison{}, series(1, 20, 0.05, normal), Regressed, true, false},
		"faster":            {Comparison{}, series(1, 20, -0.05, normal), Improved, true, false},
		"more throughput":   {Comparison{HigherIsBetter: true}, series(1, 20, 0.05, normal), Improved, true, false},
		"less throughput":   {Comparison{HigherIsBetter: true}, series(1, 20, -0.05, normal), Regressed, true, false},
		"same":              {Comparison{MarginPct: 2}, series(1, 40, 0, normal), Same, true, false},
		"small but sure":    {Comparison{MarginPct: 2}, series(1, 200, 0.005, normal), Same, true, false},
		"too few":           {Comparison{}, series(1, 4, 0.05, normal), CannotTell, false, true},
		"too noisy":         {Comparison{}, series(1, 40, 0.02, func(r *rand.Rand, _ int) float64 { return 0.2 * r.NormFloat64() }), CannotTell, true, true},
		"none":              {Comparison{}, nil, CannotTell, false, false},
		"a stopped clock":   {Comparison{}, []Pair{{1, 0}, {1, 1}}, CannotTell, true, false},
		"without any noise": {Comparison{}, series(1, 8, 0.03, func(*rand.Rand, int) float64 { return 0 }), Regressed, true, false},
	} {
		d := c.c.Decide(c.pairs)
		if d.Outcome != c.want || d.Done != c.done || (d.Further > 0) != c.further || d.Reason == "" && len(c.pairs) > 0 {
			t.Errorf("%s: %+v, want %s (done %v)", name, d, c.want, c.done)
		}
		if d.Outcome == CannotTell && d.Further > 0 && !strings.Contains(d.Reason, "more pairs") {
			t.Errorf("%s: %q does not say what being sure costs", name, d.Reason)
		}
	}
}

// The forecast must be good enough to plan a night by: the pairs really needed
// lie within a factor of 2.5 for most series.
func TestForecast(t *testing.T) {
	c := Comparison{MaxPairs: 1000}
	noise := func(r *rand.Rand, _ int) float64 { return 0.03 * r.NormFloat64() }
	good, asked := 0, 0
	for seed := range uint64(60) {
		all := series(seed, 400, 0.03, noise)
		d := c.Decide(all[:12])
		if d.Done {
			continue
		}
		asked++
		_, need := c.Follow(all)
		if ratio := float64(d.Further+12) / float64(need); ratio > 1/2.5 && ratio < 2.5 {
			good++
		}
	}
	if asked < 20 || good < asked*7/10 {
		t.Errorf("%d of %d forecasts are within a factor of 2.5", good, asked)
	}
}

// The interval only shrinks while pairs come in, so a verdict is never taken back.
func TestVerdictsStand(t *testing.T) {
	for name, noise := range noises {
		all := series(9, 40, 0.02, noise)
		lo, hi := math.Inf(-1), math.Inf(1)
		for n := 1; n <= len(all); n++ {
			i := Comparison{}.Decide(all[:n]).Change
			if i.Lo < lo-1e-9 || i.Hi > hi+1e-9 || i.Value < i.Lo || i.Value > i.Hi {
				t.Fatalf("%s: after %d pairs %v, before [%g, %g]", name, n, i, lo, hi)
			}
			lo, hi = i.Lo, i.Hi
		}
	}
}

// A machine that grows 1 % slower with every trial must not make a change.
func TestChangeCancelsDrift(t *testing.T) {
	var pairs []Pair
	at := 10.0
	for i := range 12 {
		first := at
		second := at * 1.01
		at = second * 1.01
		p := Pair{first, second * 1.02}
		if !AFirst(i) {
			p = Pair{second, first * 1.02}
		}
		pairs = append(pairs, p)
	}
	if i := Change(pairs, 0.95); math.Abs(i.Value-2) > 0.01 || i.Lo < 0.9 || i.Hi > 3.1 {
		t.Errorf("2 %% under a drift of 1 %% a trial is %v", i)
	}
	if i := Change([]Pair{{1, -1}}, 0.95); !math.IsNaN(i.Value) {
		t.Errorf("a negative time compares as %v", i)
	}
}
