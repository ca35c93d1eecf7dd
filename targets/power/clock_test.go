package power

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// peer is a clock that is ahead and drifts, behind a way of unequal delays.
type peer struct {
	ahead time.Duration
	drift float64
	rand  *rand.Rand
}

func (p peer) time(own time.Duration) time.Duration {
	return own + p.ahead + time.Duration(p.drift*float64(own))
}

func (p peer) pings(from time.Duration, n int) (out []Ping) {
	for i := range n {
		sent := from + time.Duration(i)*10*time.Millisecond
		there := 200*time.Microsecond + time.Duration(p.rand.ExpFloat64()*float64(3*time.Millisecond))
		back := 200*time.Microsecond + time.Duration(p.rand.ExpFloat64()*float64(time.Millisecond))
		heard := sent + there
		answered := heard + 50*time.Microsecond
		out = append(out, Ping{sent, p.time(heard), p.time(answered), answered + back})
	}
	return out
}

// Work and readings by two clocks: an offset that is wrong by more than it says
// charges the idle time before an inference to it.
func TestClocksOverABadWay(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := peer{ahead: time.Duration(r.Int64N(int64(time.Hour))) - time.Hour/2, drift: 1e-4 * (2*r.Float64() - 1), rand: r}
		first, err := EstimateOffset(p.pings(time.Second, MinPings))
		if err != nil {
			t.Fatal(err)
		}
		last, err := EstimateOffset(p.pings(time.Minute, MinPings))
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewClock(first, last)
		if err != nil {
			t.Fatal(err)
		}
		for _, own := range []time.Duration{0, time.Second, 30 * time.Second, time.Minute, 61 * time.Second} {
			if off := (c.Peer(own) - p.time(own)).Abs(); off > c.Limit(own)+time.Microsecond {
				t.Errorf("seed %d at %v: off by %v, the limit is %v", seed, own, off, c.Limit(own))
			}
			if again := c.Own(c.Peer(own)); (again - own).Abs() > 100*time.Nanosecond {
				t.Errorf("seed %d: %v comes back as %v", seed, own, again)
			}
			if c.Limit(own) > 5*time.Millisecond {
				t.Errorf("seed %d: a limit of %v", seed, c.Limit(own))
			}
		}
	}
}

// A clock that was set is worse than none: the energy would be of another time.
func TestClocksRefuse(t *testing.T) {
	p := peer{rand: rand.New(rand.NewPCG(1, 1))}
	set := p.pings(0, MinPings)
	set[7].Answered += time.Second
	back := p.pings(0, MinPings)
	back[3].Answered = back[3].Heard - 1
	for name, pings := range map[string][]Ping{"few": p.pings(0, MinPings-1), "none": nil, "set": set, "backwards": back} {
		if _, err := EstimateOffset(pings); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := EstimateOffset(set); err == nil || !strings.Contains(err.Error(), "exchange 8") {
		t.Errorf("the exchange is not named: %v", err)
	}
	for name, offsets := range map[string][]Offset{
		"none": nil, "not in order": {{At: 2}, {At: 1}},
		"a step": {{At: 0}, {At: time.Minute, Ahead: 100 * time.Millisecond, Limit: time.Millisecond}},
	} {
		if _, err := NewClock(offsets...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A meter at the controller gives the energy of a window of the runner's clock.
func TestController(t *testing.T) { synctest.Test(t, controls) }

func controls(t *testing.T) {
	start := time.Now()
	ahead := -7 * time.Second
	ask := func(context.Context) (heard, answered time.Duration, err error) {
		time.Sleep(300 * time.Microsecond)
		heard = time.Since(start) + ahead
		time.Sleep(300 * time.Microsecond)
		return heard, heard, nil
	}
	c, err := StartController(t.Context(), &tap{start: start}, 10*time.Millisecond, 1, ask)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if err := c.Sync(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if err := c.Mark(); err != nil {
		t.Fatal(err)
	}
	w, err := c.Window(ahead+100*time.Millisecond, ahead+900*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(w.TotalJ-1.6) > 1e-4 || w.SyncError < 300*time.Microsecond || w.SyncError > time.Millisecond {
		t.Errorf("%g J with a limit of %v, want 1.6 J", w.TotalJ, w.SyncError)
	}
	// 2 W, two ends.
	if edge := w.Rails[0].EdgeJ; math.Abs(edge-2*2*w.SyncError.Seconds()) > 1e-4 {
		t.Errorf("the ends are wrong by up to %g J", edge)
	}
	if _, err := c.Window(0, time.Second); err == nil {
		t.Error("a window of the controller's clock was taken for one of the runner's")
	}
	ahead += time.Second
	if c.Sync(t.Context(), ask) == nil {
		t.Error("a clock that was set went unnoticed")
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
}
