package power

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The contributions to an interval, each alone, by hand.
func TestEnergyInterval(t *testing.T) {
	// 10 s at 5 W and 5 V; idle 2 W.
	work := Window{Seconds: 10, TotalJ: 50, Rails: []RailWindow{{EnergyJ: 50, MeanV: 5}}}
	idle := Window{Seconds: 4, TotalJ: 8, Rails: []RailWindow{{EnergyJ: 8, MeanV: 5}}}
	u := func(limits ...float64) float64 {
		sum := 0.0
		for _, a := range limits {
			sum += a * a
		}
		return 1.96 * math.Sqrt(sum/3)
	}
	tests := []struct {
		name       string
		budget     Budget
		rel        float64
		change     func(work, idle *Window)
		gross, net float64 // half-widths
		stated     bool
	}{
		{name: "gain", budget: Budget{GainRel: 0.01}, gross: u(0.5), net: u(0.3), stated: true},
		{name: "shunt", budget: Budget{ShuntRel: 0.02}, gross: u(1), net: u(0.6), stated: true},
		{name: "an offset cancels in the difference", budget: Budget{OffsetA: 0.01}, gross: u(0.5), net: 0, stated: true},
		{
			name: "but for the change of voltage", budget: Budget{OffsetA: 0.01}, stated: true,
			change: func(w, _ *Window) { w.Rails[0].MeanV = 4.8 }, gross: u(0.48), net: u(0.02),
		},
		{name: "steps of current do not", budget: Budget{GainRel: 1e-9, LSBA: 0.02}, gross: u(0.5), net: u(0.5 * math.Sqrt2), stated: true},
		{name: "steps of power", budget: Budget{GainRel: 1e-9, LSBW: 0.1}, gross: u(0.5), net: u(0.5 * math.Sqrt2), stated: true},
		{name: "steps of voltage", budget: Budget{GainRel: 1e-9, LSBV: 0.1}, gross: u(0.5), net: u(math.Hypot(0.5, 0.2)), stated: true},
		{name: "the rule's own", rel: 0.1, gross: u(5), net: u(3), stated: true},
		{name: "nothing is stated", gross: 0, net: 0},
		{
			name: "integration", change: func(w, i *Window) {
				w.Rails[0].NoiseJ, w.Rails[0].EdgeJ = 0.3, 0.4
				i.Rails[0].NoiseJ = 0.2
			},
			gross: 1.96 * math.Sqrt(0.09+0.16/3), net: 1.96 * math.Sqrt(0.09+0.16/3+0.25),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Description{Rails: []Rail{{Name: "in", InTotal: true, Budget: tt.budget}}, Total: Total{Gain: 1, RelError: tt.rel}}
			w, i := work, idle
			w.Rails, i.Rails = []RailWindow{work.Rails[0]}, []RailWindow{idle.Rails[0]}
			if tt.change != nil {
				tt.change(&w, &i)
			}
			e := w.Energy(d, i)
			if math.Abs(e.Gross.Half()-tt.gross) > 1e-6 || math.Abs(e.Net.Half()-tt.net) > 1e-6 {
				t.Errorf("half-widths %g and %g, want %g and %g", e.Gross.Half(), e.Net.Half(), tt.gross, tt.net)
			}
			if e.Gross.Value != 50 || e.Net.Value != 30 || e.IdleW != 2 || e.Stated != tt.stated {
				t.Errorf("gross %g, net %g, idle %g W, stated %t", e.Gross.Value, e.Net.Value, e.IdleW, e.Stated)
			}
			if alone := w.Energy(d); alone.Net != alone.Gross || alone.IdleW != 0 {
				t.Errorf("without an idle window net is %v, gross %v", alone.Net, alone.Gross)
			}
		})
	}
}

// Idle that drifted between the two windows is no exact baseline.
func TestIdleDriftWidensNet(t *testing.T) {
	d := Description{Rails: []Rail{{Name: "in", InTotal: true}}, Total: Total{Gain: 1}}
	window := func(seconds, joules float64) Window {
		return Window{Seconds: seconds, TotalJ: joules, Rails: []RailWindow{{EnergyJ: joules, MeanV: math.NaN()}}}
	}
	e := window(10, 50).Energy(d, window(2, 4), window(2, 6)) // 2 W and 3 W
	if want := 1.96 * 5 / math.Sqrt(3); e.Net.Value != 25 || math.Abs(e.Net.Half()-want) > 1e-9 {
		t.Errorf("net %v, want 25 ± %g", e.Net, want)
	}
	e = window(10, 50).Energy(d, window(2, 8), window(1, 7))
	if e.IdleW != 5 {
		t.Errorf("idle windows of 8 J in 2 s and 7 J in 1 s are %g W, want 5", e.IdleW)
	}
}

// Gain is one converter's for all rails: their errors do not average out. Shunts
// are each its own.
func TestRailsOfATotal(t *testing.T) {
	d := Description{Rails: []Rail{
		{Name: "a", InTotal: true, Budget: Budget{GainRel: 0.01}}, {Name: "b", InTotal: true, Budget: Budget{GainRel: 0.01}},
	}, Total: Total{Gain: 2}}
	w := Window{Seconds: 1, TotalJ: 40, Rails: []RailWindow{{EnergyJ: 10, MeanV: 5}, {EnergyJ: 10, MeanV: 5}}}
	if got, want := w.Energy(d).Gross.Half(), 1.96*0.4/math.Sqrt(3); math.Abs(got-want) > 1e-9 {
		t.Errorf("gain: %g, want %g", got, want)
	}
	for i := range d.Rails {
		d.Rails[i].Budget = Budget{ShuntRel: 0.01}
	}
	if got, want := w.Energy(d).Gross.Half(), 1.96*0.2*math.Sqrt(2.0/3); math.Abs(got-want) > 1e-9 {
		t.Errorf("shunts: %g, want %g", got, want)
	}
}

// A sensor that meets every inference at the same point measures that point.
// Nothing in its readings tells: they are all alike.
func TestAliasingIsSeen(t *testing.T) {
	const period = 40 * time.Millisecond
	starts := func(every time.Duration) (out []time.Duration) {
		for t := seconds(simFrom); t <= seconds(simTo); t += every {
			out = append(out, t)
		}
		return out
	}
	hwmon := func() *chip { return newINA3221(0.3, period) }
	tests := []struct {
		name    string
		chip    *chip
		strict  bool
		load    time.Duration
		aliased bool
	}{
		{"strict polling in the load's rhythm", hwmon(), true, period, true},
		{"strict polling in twice the load's rhythm", hwmon(), true, period / 2, true},
		{"strict polling in another rhythm", hwmon(), true, 37 * time.Millisecond, false},
		{"jittered polling in the load's rhythm", hwmon(), false, period, false},
		{"a load slower than the readings", hwmon(), false, 500 * time.Millisecond, false},
		{"conversions in the load's rhythm", hwmon(), false, hwmon().desc.Cycle, true},
		{"averages over the load's period", newINA226(0.3), false, newINA226(0).desc.Cycle, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := square(tt.load.Seconds())
			var r *rhythm
			if !tt.strict {
				r = newRhythm(tt.chip.period, 5)
			}
			tt.chip.rate = 1
			c, n := tt.chip.run(t, l, r).Concentration(starts(tt.load))
			if Aliased(c, n) != tt.aliased {
				t.Errorf("concentration %.2f of %d readings, aliased %t", c, n, tt.aliased)
			}
		})
	}
	if c, n := series(t, counted, period, []float64{0, 1}, [][]Value{{{}}, {{}}}).Concentration(starts(period)); c != 0 || n != 0 {
		t.Errorf("a counter misses nothing, but has %g of %d", c, n)
	}
	// Of readings at random moments at most one series in a thousand is aliased.
	const all = 20_000
	rng, found := rand.New(rand.NewPCG(1, 2)), 0
	for range all {
		n := 30 + rng.IntN(50)
		var x, y float64
		for range n {
			s, c := math.Sincos(2 * math.Pi * rng.Float64())
			x, y = x+c, y+s
		}
		if Aliased(math.Hypot(x, y)/float64(n), n) {
			found++
		}
	}
	if found == 0 || found > 2*all/1000 {
		t.Errorf("%d of %d series of random readings are aliased", found, all)
	}
}

// A counter moves once a millisecond: a short window cannot be sharper.
func TestTheEdgesOfACounter(t *testing.T) {
	d := counted
	d.Cycle = time.Millisecond
	at, values := []float64{}, [][]Value{}
	for i := range 21 {
		at = append(at, float64(10*i))
		values = append(values, []Value{{Joules: 0.1 * float64(i)}}) // 10 W
	}
	w, err := series(t, d, 10*time.Millisecond, at, values).Window(ms(55), ms(155))
	if err != nil {
		t.Fatal(err)
	}
	e := w.Energy(d)
	if want := 1.96 * 2 * 10 * 0.0005 / math.Sqrt(3); math.Abs(e.Gross.Half()-want) > 1e-9 || math.Abs(e.Gross.Value-1) > 1e-9 || e.Stated {
		t.Errorf("%+v, want 1 J ± %g", e.Gross, want)
	}
}
