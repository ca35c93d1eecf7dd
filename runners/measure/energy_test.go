package measure

import (
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
func openSensor(t *testing.T, period time.Duration) (s *sensor, counter string) {
	t.Helper()
	m := tree(t, raplTree)
	meter, reason, _ := m.openMeter()
	if meter == nil {
		t.Fatal(reason)
	}
	s = &sensor{meter: meter}
	if err := s.start(period); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Log(err)
		}
	})
	return s, filepath.Join(m.Root, "sys/class/powercap/intel-rapl:0/energy_uj")
}

// TOPS/W divides by these joules: gross is the window's, net is without what
// the machine takes for doing nothing.
func TestEnergyOfAWindow(t *testing.T) {
	rails := func(pkg, dram float64) []wire.Rail {
		return []wire.Rail{{Name: "package-0", EnergyJ: pkg, InTotal: true}, {Name: "dram-0", EnergyJ: dram}}
	}
	tests := []struct {
		name string
		idle []power.Window
		work power.Window
		want wire.Energy
	}{
		{
			name: "two idle windows of unequal length weigh by their time",
			idle: []power.Window{{Seconds: 2, TotalJ: 8}, {Seconds: 1, TotalJ: 7}}, // 5 W
			work: power.Window{Seconds: 10, RailJ: []float64{120, 3}, TotalJ: 120, Readings: 200, Gaps: 1},
			want: wire.Energy{GrossJ: 120, IdleW: 5, NetJ: 70, WindowS: 10, Readings: 200, Gaps: 1, Rails: rails(120, 3)},
		},
		{
			name: "no idle window leaves net at gross",
			work: power.Window{Seconds: 2, RailJ: []float64{9, 1}, TotalJ: 9, Readings: 60},
			want: wire.Energy{GrossJ: 9, NetJ: 9, WindowS: 2, Readings: 60, Rails: rails(9, 1)},
		},
		{
			name: "less than idle is said, not hidden",
			idle: []power.Window{{Seconds: 1, TotalJ: 6}},
			work: power.Window{Seconds: 2, RailJ: []float64{10, 0}, TotalJ: 10, Readings: 60},
			want: wire.Energy{GrossJ: 10, IdleW: 6, NetJ: -2, WindowS: 2, Readings: 60, Rails: rails(10, 0)},
		},
	}
	s, _ := openSensor(t, 10*time.Second)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.idle = tt.idle
			tt.want.Source, tt.want.Scope, tt.want.TotalRule = "rapl", "SoC-package", "sum of the package domains"
			tt.want.PeriodS = 0.05
			if diff := cmp.Diff(tt.want, s.account(tt.work), cmpopts.EquateEmpty(), near); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
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
	if s.sampler, err = power.StartSampler(s.meter, time.Hour); err != nil {
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
	e, err := s.energy(third, to)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.NetJ) > 1e-6*e.GrossJ || e.GrossJ != rest {
		t.Errorf("gross %g J of %g J, net %g J, want 0", e.GrossJ, rest, e.NetJ)
	}
	if _, err := s.energy(from.Add(-time.Hour), to); err == nil {
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
