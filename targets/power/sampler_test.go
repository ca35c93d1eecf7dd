package power

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a meter of 2 W and 1 W (not in the total) by real time.
type clock struct {
	start time.Time
	fail  bool
}

func (c *clock) Rails() []Rail { return []Rail{{"a", true}, {"b", false}} }

func (c *clock) Read(dst []float64) error {
	if c.fail {
		return errors.New("gone")
	}
	s := time.Since(c.start).Seconds()
	dst[0], dst[1] = 2*s, s
	return nil
}

// The energy of a window is what tops_per_w divides by.
func TestASamplerIntegratesWhatItPolls(t *testing.T) { synctest.Test(t, integrates) }

func integrates(t *testing.T) {
	s, err := StartSampler(&clock{start: time.Now()}, 2*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond) // between two readings
	from := time.Now()
	time.Sleep(40 * time.Millisecond)
	to := time.Now()
	if err := s.Mark(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	w, err := s.Window(from, to)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(w.Watts()-2) > 1e-9 || math.Abs(w.RailJ[1]/w.Seconds-1) > 1e-9 || w.Readings != 21 || w.Gaps != 0 {
		t.Errorf("got %.3f W, %.3f W, %d readings, %d gaps", w.Watts(), w.RailJ[1]/w.Seconds, w.Readings, w.Gaps)
	}
	if _, err := s.Window(from, to.Add(time.Hour)); !errors.Is(err, ErrOutside) {
		t.Errorf("a window beyond the readings gave %v", err)
	}
	if _, err := s.Window(to, from); !errors.Is(err, ErrOutside) {
		t.Errorf("a reversed window gave %v", err)
	}
}

func TestWindowInterpolatesAndCountsGaps(t *testing.T) {
	t0 := time.Now()
	at := func(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }
	s := &Sampler{
		meter: &clock{}, period: 10 * time.Millisecond,
		times: []time.Time{at(0), at(10), at(20), at(60), at(70)},
		sums:  []float64{0, 0, 1, 5, 2, 6, 10, 7, 12, 8},
	}
	got, err := s.Window(at(5), at(65))
	if err != nil {
		t.Fatal(err)
	}
	want := Window{Seconds: 0.06, RailJ: []float64{10.5, 5}, TotalJ: 10.5, Readings: 3, Gaps: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("window (-want +got):\n%s", diff)
	}
}

func TestALostSensorIsReported(t *testing.T) {
	c := &clock{start: time.Now()}
	s, err := StartSampler(c, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.fail = true
	if s.Mark() == nil {
		t.Error("a failed reading was no error")
	}
	if s.Stop() == nil {
		t.Error("stopping forgot the failed reading")
	}
	if _, err := StartSampler(c, 0); err == nil {
		t.Error("a period of 0 was accepted")
	}
}
