package measure

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
)

// openSensor opens a sensor on a fixture tree and returns its package counter.
func openSensor(t *testing.T, window time.Duration) (s *sensor, counter string) {
	t.Helper()
	m := tree(t, raplTree)
	meter, reason, _ := m.openMeter()
	if meter == nil {
		t.Fatal(reason)
	}
	s = &sensor{meter: meter}
	if err := s.start(window, 1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Log(err)
		}
	})
	return s, filepath.Join(m.Root, "sys/class/powercap/intel-rapl:0/energy_uj")
}

// TOPS/W divides by these joules: gross is the window's, net is without what
// the machine takes for doing nothing.
func TestEnergyOfAWindow(t *testing.T) {
	window := func(seconds float64, reads int, joules ...float64) power.Window {
		w := power.Window{Seconds: seconds, TotalJ: joules[0], Reads: reads, Fresh: reads, CPUShare: math.NaN()}
		for _, j := range joules {
			w.Rails = append(w.Rails, power.RailWindow{EnergyJ: j, MeanV: math.NaN(), Fresh: reads})
		}
		return w
	}
	rails := func(pkg, dram float64) []wire.Rail {
		return []wire.Rail{{Name: "package-0", EnergyJ: pkg, Lo: pkg, Hi: pkg, InTotal: true}, {Name: "dram-0", EnergyJ: dram, Lo: dram, Hi: dram}}
	}
	gapped := window(10, 200, 120, 3)
	gapped.Gaps, gapped.Saturated, gapped.StaleShare, gapped.StaleDue, gapped.SyncError = 1, 2, 0.3, 0.1, time.Millisecond
	gapped.CPUShare = 0.004
	cost := 0.004
	holed := window(1, 20, 7, 0)
	holed.Gaps, holed.Saturated = 3, 1
	tests := []struct {
		name string
		idle []power.Window
		work power.Window
		want wire.Energy
	}{
		{
			name: "two idle windows of unequal length weigh by their time, and what they miss counts",
			idle: []power.Window{window(2, 40, 8, 0), holed}, // 5 W
			work: gapped,
			want: wire.Energy{
				// Idle drifted from 4 W to 7: ±1.5 W over 10 s are a limit of error.
				GrossJ: 120, GrossLo: 120, GrossHi: 120, IdleW: 5, NetJ: 70, NetLo: 70 - 1.96*15/math.Sqrt(3), NetHi: 70 + 1.96*15/math.Sqrt(3),
				WindowS: 10, Readings: 200, RateHz: 20, Gaps: 4, Saturated: 3, Stale: 0.3, StaleDue: 0.1, SyncErrorS: 0.001, SamplerCPU: &cost,
				Rails: rails(120, 3),
			},
		},
		{
			name: "no idle window leaves net at gross",
			work: window(2, 60, 9, 1),
			want: wire.Energy{
				GrossJ: 9, GrossLo: 9, GrossHi: 9, NetJ: 9, NetLo: 9, NetHi: 9, WindowS: 2, Readings: 60, RateHz: 30, Rails: rails(9, 1),
			},
		},
		{
			name: "less than idle is said, not hidden; and a rail that gave nothing",
			idle: []power.Window{window(1, 20, 6, 0)},
			work: window(2, 60, 10, math.NaN()),
			want: wire.Energy{
				GrossJ: 10, GrossLo: 10, GrossHi: 10, IdleW: 6, NetJ: -2, NetLo: -2, NetHi: -2, WindowS: 2, Readings: 60, RateHz: 30,
				Rails: []wire.Rail{rails(10, 0)[0], {Name: "dram-0", Missing: true}},
			},
		},
	}
	s, _ := openSensor(t, 10*time.Second)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.idle = tt.idle
			tt.want.Source, tt.want.Scope, tt.want.TotalRule = "rapl", "SoC-package", "sum of the package domains"
			tt.want.PeriodS = 0.05
			got := s.account(tt.work)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty(), near); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := json.Marshal(got); err != nil {
				t.Errorf("the record cannot be sent: %v", err)
			}
		})
	}
}

// Readings rarely fall on a window's ends: what lies outside must not be charged
// to it.
func TestAWindowIsClippedBetweenReadings(t *testing.T) {
	s, counter := openSensor(t, time.Hour)
	// Only this test takes readings: one at the start, one at each mark.
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.sampler, err = power.StartSampler(s.meter, time.Hour, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(counter, []byte("7000000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	time.Sleep(3 * time.Millisecond)
	to := time.Now()
	third := from.Add(to.Sub(from) / 3)
	if err := s.sampler.Mark(); err != nil {
		t.Fatal(err)
	}
	joules := func(from, to time.Time) float64 {
		w, err := s.sampler.Window(from, to)
		if err != nil {
			t.Fatal(err)
		}
		return w.TotalJ
	}
	whole, first, rest := joules(from, to), joules(from, third), joules(third, to)
	if !(whole > 0 && whole < 6) {
		t.Errorf("a window inside a span of 6 J has %g J", whole)
	}
	if math.Abs(first+rest-whole) > 1e-9 || math.Abs(first/third.Sub(from).Seconds()-rest/to.Sub(third).Seconds()) > 1e-6*first/third.Sub(from).Seconds() {
		t.Errorf("parts of %g J and %g J make a window of %g J at another power", first, rest, whole)
	}
	// Idle and work at one power: nothing is left of the work.
	if err := s.rest(from, third); err != nil {
		t.Fatal(err)
	}
	e, err := s.energy(&window{from: third, to: to})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.NetJ) > 1e-6*e.GrossJ || e.GrossJ != rest {
		t.Errorf("gross %g J of %g J, net %g J, want 0", e.GrossJ, rest, e.NetJ)
	}
	if _, err := s.energy(&window{from: from.Add(-time.Hour), to: to}); err == nil {
		t.Error("a window that began before the readings has an energy")
	}
}

func TestSensorPeriod(t *testing.T) {
	for window, want := range map[time.Duration]time.Duration{
		10 * time.Second: 50 * time.Millisecond, time.Minute: 50 * time.Millisecond,
		600 * time.Millisecond: 10 * time.Millisecond, time.Millisecond: 5 * time.Millisecond,
	} {
		s, _ := openSensor(t, window)
		if s.period != want {
			t.Errorf("a window of %v is read every %v, want %v", window, s.period, want)
		}
	}
}

// slow is a sensor that tells its power every 2 s.
type slow struct{ power.Meter }

func (slow) Describe() power.Description { return power.Description{Cycle: 2 * time.Second} }

// A sensor of few readings needs a longer window, or every trial fails for it.
func TestTheWindowOfASlowSensor(t *testing.T) {
	s, _ := openSensor(t, time.Second)
	if got := s.window(); got != energyWindow {
		t.Errorf("a quick sensor: %v, want %v", got, energyWindow)
	}
	if got := (&sensor{meter: slow{}}).window(); got != 2*time.Minute {
		t.Errorf("a slow sensor: %v, want %v", got, 2*time.Minute)
	}
	if got := EnergyWindow(time.Minute); got != LongestWindow {
		t.Errorf("the slowest: %v, want %v", got, LongestWindow)
	}
}

// Power follows the temperature, whoever reads it.
func TestEnergyNeedsASteadyTemperature(t *testing.T) {
	s, _ := openSensor(t, time.Second)
	for _, c := range []struct {
		name   string
		trial  trial
		steady bool
	}{
		{"no energy", trial{}, false},
		{"a sensor here", trial{sensor: *s}, true},
		{"a sensor elsewhere", trial{req: wire.Measure{NoEnergy: true, Outside: true}}, true},
	} {
		if got := c.trial.thermometer() != nil; got != c.steady {
			t.Errorf("%s: the temperature is waited for: %v, want %v", c.name, got, c.steady)
		}
	}
}

// A board whose sensor is named must not be read by another that happens to be there.
func TestANamedMeter(t *testing.T) {
	m := tree(t, raplTree)
	m.Meter = func(string) (power.Meter, error) {
		return nil, &power.Unavailable{Reason: "the bus is empty", Mend: "wire it"}
	}
	if meter, reason, mend := m.openMeter(); meter != nil || reason != "the bus is empty" || mend != "wire it" {
		t.Errorf("got %v, %q, %q", meter, reason, mend)
	}
}
