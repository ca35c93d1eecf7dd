package power

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// series is of readings at moments in milliseconds.
func series(t testing.TB, d Description, period time.Duration, at []float64, values [][]Value) *Series {
	t.Helper()
	s, err := NewSeries(d, period)
	if err != nil {
		t.Fatal(err)
	}
	for i := range at {
		if err := s.Add(ms(at[i]), values[i]); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func watts(w float64, f ...Flag) Value {
	v := Value{Watts: w, Volts: 5, Amps: w / 5}
	for _, f := range f {
		v.Flags |= f
	}
	return v
}

var (
	one     = Description{Source: "one", Total: Total{Gain: 1}, Rails: []Rail{{Name: "in", InTotal: true}}}
	counted = Description{Source: "counted", Total: Total{Gain: 1}, Rails: []Rail{{Name: "pkg", InTotal: true, Counter: true}}}
)

// Readings rarely fall on a window's ends: what lies outside must not be charged
// to it, and what a sensor did not see must be said.
func TestWindow(t *testing.T) {
	rows := func(vs ...Value) [][]Value {
		var out [][]Value
		for _, v := range vs {
			out = append(out, []Value{v})
		}
		return out
	}
	joules := func(js ...float64) [][]Value {
		var out [][]Value
		for _, j := range js {
			out = append(out, []Value{{Joules: j}})
		}
		return out
	}
	tests := []struct {
		name     string
		desc     Description
		at       []float64
		values   [][]Value
		from, to float64
		joules   float64
		reads    int
		fresh    int
		gaps     int
		sat      int
		missing  int
		stale    float64
	}{
		{"a counter between readings", counted, []float64{0, 10, 20, 60, 70}, joules(0, 1, 2, 10, 12), 5, 65, 10.5, 3, 3, 1, 0, 0, 0},
		{"a power between readings", one, []float64{0, 10, 20, 30}, rows(watts(1), watts(3), watts(3), watts(5)), 5, 25, (2+3)*0.0025 + 0.03 + (3+4)*0.0025, 2, 2, 0, 0, 0, 0},
		{"a stale value is no point", one, []float64{0, 10, 20, 30}, rows(watts(2), watts(2, Stale), watts(4), watts(4)), 0, 30, 0.06 + 0.04, 4, 3, 0, 0, 0, 0.25},
		{"a missing value is no zero", one, []float64{0, 10, 20, 30}, rows(watts(2), watts(0, Missing), watts(2), watts(2)), 0, 30, 0.06, 4, 3, 0, 0, 1, 0},
		{"saturation is counted", one, []float64{0, 10, 20, 30}, rows(watts(2), watts(2, Saturated), watts(2), watts(2)), 0, 30, 0.06, 4, 4, 0, 1, 0, 0},
		{"a long staleness is a gap", one, []float64{0, 10, 20, 30, 40, 50}, rows(watts(2), watts(2, Stale), watts(2, Stale), watts(2, Stale), watts(2), watts(2)), 0, 50, 0.1, 6, 3, 1, 0, 0, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := series(t, tt.desc, 10*time.Millisecond, tt.at, tt.values)
			w, err := s.Window(ms(tt.from), ms(tt.to))
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(w.TotalJ-tt.joules) > 1e-12 {
				t.Errorf("%g J, want %g", w.TotalJ, tt.joules)
			}
			got := [5]int{w.Reads, w.Fresh, w.Gaps, w.Saturated, w.Missing}
			if want := [5]int{tt.reads, tt.fresh, tt.gaps, tt.sat, tt.missing}; got != want || w.StaleShare != tt.stale {
				t.Errorf("reads, fresh, gaps, saturated, missing %v, stale %g; want %v, %g", got, w.StaleShare, want, tt.stale)
			}
		})
	}
}

// The Pi 5's total is a fit over its rails; the rails stay as they were read.
func TestTheTotalsRule(t *testing.T) {
	d := Description{
		Source: "pmic", Total: Total{Gain: 1.1451, OffsetW: 0.5879},
		Rails: []Rail{{Name: "core", InTotal: true}, {Name: "3v3", InTotal: true}, {Name: "in"}},
	}
	v := []Value{watts(2), watts(1), watts(9)}
	s := series(t, d, time.Second, []float64{0, 1000, 2000}, [][]Value{v, v, v})
	w, err := s.Window(0, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * (1.1451*3 + 0.5879); math.Abs(w.TotalJ-want) > 1e-12 || w.Rails[2].EnergyJ != 18 {
		t.Errorf("total %g J, rail %g J; want %g and 18", w.TotalJ, w.Rails[2].EnergyJ, want)
	}
}

// A rail of the total that gives nothing must not be a total without it.
func TestNoTotalWithoutItsRails(t *testing.T) {
	d := Description{Source: "two", Rails: []Rail{{Name: "cpu", InTotal: true}, {Name: "gpu", InTotal: true}}}
	gone := []Value{watts(1), watts(0, Missing)}
	s := series(t, d, time.Second, []float64{0, 1000, 2000}, [][]Value{gone, gone, gone})
	if _, err := s.Window(0, time.Second); err == nil || !strings.Contains(err.Error(), "gpu") {
		t.Errorf("got %v", err)
	}
	d.Rails[0].InTotal, d.Rails[1].InTotal = false, false
	s = series(t, d, time.Second, []float64{0, 1000}, [][]Value{gone, gone})
	if _, err := s.Window(0, time.Second); err == nil {
		t.Error("a total of no rails was given")
	}
}

// A series that is never read out must not take the board's memory.
func TestASeriesIsBounded(t *testing.T) {
	s, err := NewSeries(one, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	v := []Value{watts(1)}
	n := maxValues + maxValues/2
	for i := range n {
		if err := s.Add(time.Duration(i), v); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.at) > maxValues || len(s.values) > maxValues {
		t.Errorf("%d readings are kept, at most %d", len(s.at), maxValues)
	}
	if _, err := s.Window(time.Duration(n-maxValues/2), time.Duration(n-1)); err != nil {
		t.Errorf("the latest readings: %v", err)
	}
	if _, err := s.Window(0, time.Duration(n-1)); !errors.Is(err, ErrOutside) {
		t.Errorf("forgotten readings gave %v", err)
	}
}

func TestSeriesRefuses(t *testing.T) {
	if _, err := NewSeries(Description{Source: "none"}, time.Second); err == nil {
		t.Error("a meter without rails was accepted")
	}
	s := series(t, one, time.Second, []float64{0, 1}, [][]Value{{watts(1)}, {watts(1)}})
	if err := s.Add(ms(1), []Value{watts(1)}); err == nil {
		t.Error("a reading at the time of the last was accepted")
	}
	if err := s.Add(ms(2), nil); err == nil {
		t.Error("a reading without its rail was accepted")
	}
}

// Drivers tell a quantity that their sensor does not have as no number. Taken for
// a reading that failed, it would cost every energy of such boards.
func TestAQuantityThatASensorLacksIsNoFailure(t *testing.T) {
	d := Description{Source: "both", Total: Total{Gain: 1}, Rails: []Rail{{Name: "in", InTotal: true}, {Name: "count", Counter: true}}}
	nan := math.NaN()
	var at []float64
	var values [][]Value
	for i := range 11 {
		at = append(at, float64(100*i))
		values = append(values, []Value{
			{Watts: 3, Joules: nan, Volts: nan, Amps: nan}, {Joules: float64(i), Watts: nan, Volts: nan, Amps: nan},
		})
	}
	w, err := series(t, d, 100*time.Millisecond, at, values).Window(0, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if w.Fresh != 11 || w.Gaps != 0 || math.Abs(w.TotalJ-3) > 1e-9 || math.Abs(w.Rails[1].EnergyJ-10) > 1e-9 {
		t.Errorf("got %+v, want 11 readings, 3 J in all, and 10 J counted beside", w)
	}
}
