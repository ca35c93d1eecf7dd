package power

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// Every kind of sensor must end in joules: a driver whose values the arithmetic
// takes for missing would cost all energies of its boards. The files stand still, so
// that the energy is the meter's own power over the window.
func TestEveryDriverGivesEnergy(t *testing.T) {
	for name, open := range map[string]func() (Meter, error){
		"Orin Nano":             func() (Meter, error) { return OpenHwmonINA3221(plant(t, "hwmon/orin-nano.txtar"), Facts{}) },
		"AGX Orin":              func() (Meter, error) { return OpenHwmonINA3221(plant(t, "hwmon/agx-orin.txtar"), Facts{}) },
		"Thor":                  func() (Meter, error) { return OpenHwmonINA2xx(plant(t, "hwmon/thor.txtar"), Facts{}) },
		"INA226 bound":          func() (Meter, error) { return OpenHwmonINA2xx(plant(t, "hwmon/ina226.txtar"), Facts{}) },
		"JetPack 4":             func() (Meter, error) { return OpenIIO(plant(t, "iio/nano-jetpack4.txtar"), Facts{}) },
		"laptop on its battery": func() (Meter, error) { return OpenBattery(plant(t, "supply/laptop.txtar"), Facts{}) },
		"Pi 5": func() (Meter, error) {
			p := &PMIC{fetch: func() (string, error) { return golden(t, "pmic/full.txt"), nil }, close: func() error { return nil }}
			return p.open("a file")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := open()
				if err != nil {
					t.Fatal(err)
				}
				_, want := totalOf(t, m)
				d := m.Describe()
				s, err := StartSampler(m, PollPeriod(d, 10*time.Second, 60), 1)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Stop() //nolint:errcheck // Window tells
				const window = 15 * time.Second
				time.Sleep(window / 2)
				from := time.Now()
				time.Sleep(window)
				to := time.Now()
				time.Sleep(window / 2)
				w, err := s.Window(from, to)
				if err != nil {
					t.Fatal(err)
				}
				if w.Fresh < 10 || w.Gaps > 0 || w.Missing > 0 || math.Abs(w.MeanW()-want) > 1e-9*want {
					t.Errorf("%d readings, %d gaps, %d missing, %g W; want %g W", w.Fresh, w.Gaps, w.Missing, w.MeanW(), want)
				}
				e := w.Energy(d)
				if half := e.Gross.Half(); !(half > 0 && half < e.Gross.Value) || !e.Stated {
					t.Errorf("%g J ± %g, limits stated: %v", e.Gross.Value, half, e.Stated)
				}
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
