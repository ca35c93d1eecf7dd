package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// A board of twelve times and one throughput, with 1 % noise of a trial.
func board(nights int, value func(metric, night int) float64) []History {
	rng := rand.New(rand.NewPCG(11, 11))
	out := make([]History, 13)
	for m := range out {
		out[m] = History{Name: fmt.Sprint(m), Group: "pi5", HigherIsBetter: m == 12}
		for n := range nights {
			repeats := make([]float64, 10)
			for i := range repeats {
				repeats[i] = value(m, n) * math.Exp(0.01*rng.NormFloat64())
			}
			out[m].Nights = append(out[m].Nights, NightOf(repeats))
		}
	}
	return out
}

// What the gate must say of a step, of a slow night of the whole board, of a
// throughput, and of a metric that was not measured.
func TestTonight(t *testing.T) {
	const nights = 25
	last := func(n int) bool { return n == nights-1 }
	for name, c := range map[string]struct {
		value   func(m, n int) float64
		name    string
		outcome Outcome
		pct     float64
		shift   bool
	}{
		"a step tonight": {func(m, n int) float64 {
			if m == 3 && last(n) {
				return 10.5
			}
			return 10
		}, "3", Regressed, 5, false},
		"faster": {func(m, n int) float64 {
			if m == 3 && last(n) {
				return 9.5
			}
			return 10
		}, "3", Improved, -5, false},
		"two per cent for three nights": {func(m, n int) float64 {
			if m == 5 && n >= nights-3 {
				return 10.2
			}
			return 10
		}, "5", Regressed, 2, false},
		"throughput falls": {func(m, n int) float64 {
			if m == 12 && last(n) {
				return 9.5
			}
			return 10
		}, "12", Regressed, -5, false},
		"a slow night of the board": {func(m, n int) float64 {
			switch {
			case !last(n):
				return 10
			case m == 12:
				return 10 / 1.05
			}
			return 10.5
		}, "", "", 0, true},
		"a step on a slow night": {func(m, n int) float64 {
			v := 10.0
			if last(n) && m != 12 {
				v = 10.5
			} else if last(n) {
				v = 10 / 1.05
			}
			if m == 3 && last(n) {
				v *= 1.06
			}
			return v
		}, "3", Regressed, 6, true},
		"not measured": {func(m, n int) float64 {
			if m == 3 && last(n) {
				return math.NaN()
			}
			return 10
		}, "", "", 0, false},
	} {
		// Suspicions of the rest are not at issue: only what is sure.
		found, shifts := Watch{Suspect: 4, Alarm: 5, MaterialPct: 50}.Tonight(board(nights, c.value))
		switch {
		case c.name == "" && len(found) > 0:
			t.Errorf("%s: found %+v", name, found)
		case c.name != "" && (len(found) != 1 || found[0].Name != c.name || found[0].Outcome != c.outcome):
			t.Errorf("%s: found %+v, want %s of metric %s", name, found, c.outcome, c.name)
		case c.name != "" && (math.Abs(found[0].Change.Value-c.pct) > 1.2 || found[0].Change.Lo > found[0].Change.Value || found[0].Change.Hi < found[0].Change.Value):
			t.Errorf("%s: a change of %v, want %g %%", name, found[0].Change, c.pct)
		}
		if len(shifts) != 1 || (math.Abs(shifts[0].Pct-5) < 1) != c.shift || shifts[0].Suspect != c.shift {
			t.Errorf("%s: shifts %+v, want one of 5 %%: %v", name, shifts, c.shift)
		}
	}
	if found, shifts := (Watch{}).Tonight(board(7, func(int, int) float64 { return 10 })); len(found)+len(shifts) > 0 {
		t.Errorf("seven nights told %v, %v", found, shifts)
	}
	if n := NightOf([]float64{1, -1}); n.N != 0 {
		t.Errorf("a negative time made a night of %+v", n)
	}
}
