package measure

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
)

// bench is a supply that meters 2 W, and 6 W while the board works.
type bench struct {
	busy, gone atomic.Bool
}

func (b *bench) Describe() power.Description {
	return power.Description{
		Source: "ina226", Scope: "board-5V", Total: power.Total{Gain: 1}, Cycle: 20 * time.Millisecond, Averaged: 20 * time.Millisecond,
		Rails: []power.Rail{{Name: "5V", InTotal: true, ShuntUOhm: 10000, Budget: power.Budget{GainRel: 0.001, ShuntRel: 0.01}}},
	}
}

func (b *bench) Close() error { return nil }

func (b *bench) Read(dst []power.Value) error {
	if b.gone.Load() {
		return errors.New("no answer")
	}
	dst[0] = power.Value{Watts: 2, Volts: 5, Amps: 0.4}
	if b.busy.Load() {
		dst[0] = power.Value{Watts: 6, Volts: 5, Amps: 1.2}
	}
	return nil
}

// A board without a sensor is measured from outside: its work must be found in
// readings that another clock stamped.
func TestEnergyFromOutside(t *testing.T) {
	for name, c := range map[string]struct {
		gone, set bool
		verdict   wire.Verdict
		reason    string
	}{
		"read":            {verdict: wire.Valid},
		"lost":            {gone: true, verdict: wire.Sensor, reason: "no answer"},
		"a clock was set": {set: true, verdict: wire.Sensor, reason: "comparing clocks"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, ahead, b := time.Now(), 42*time.Minute, &bench{}
				board := func() time.Duration { return time.Since(start) + ahead }
				clock := func(context.Context) (wire.TimeResult, error) {
					time.Sleep(200 * time.Microsecond)
					now := board()
					time.Sleep(200 * time.Microsecond)
					return wire.TimeResult{Heard: now, Answered: now}, nil
				}
				o, err := StartOutside(t.Context(), b, 4*time.Second, 1, clock)
				if err != nil {
					t.Fatal(err)
				}
				res := wire.MeasureResult{Verdict: wire.Valid, EnergyReason: "the board has no sensor"}
				phase := func(busy bool, d time.Duration) wire.Span {
					b.busy.Store(busy)
					from := board()
					time.Sleep(d)
					return wire.Span{From: from, To: board()}
				}
				res.Idle = append(res.Idle, phase(false, 2*time.Second))
				res.Work = phase(true, 4*time.Second)
				res.Idle = append(res.Idle, phase(false, 2*time.Second))
				b.gone.Store(c.gone)
				if c.set {
					ahead += time.Second
				}
				o.Finish(t.Context(), &res, DefaultLimits)
				if res.Verdict != c.verdict || !strings.Contains(res.Reason, c.reason) {
					t.Errorf("verdict %s: %s", res.Verdict, res.Reason)
				}
				if c.verdict != wire.Valid {
					if res.Energy != nil || !strings.Contains(res.EnergyReason, c.reason) {
						t.Errorf("energy %v: %s", res.Energy, res.EnergyReason)
					}
					return
				}
				e := res.Energy
				if e == nil || res.EnergyReason != "" {
					t.Fatalf("no energy: %s", res.EnergyReason)
				}
				if math.Abs(e.GrossJ-24) > 0.2 || math.Abs(e.NetJ-16) > 0.25 || e.SyncErrorS < 1e-4 || e.SyncErrorS > 2e-3 || e.Gaps != 0 {
					t.Errorf("%+v", e)
				}
				if !(e.GrossLo < 24 && 24 < e.GrossHi && e.NetLo < 16 && 16 < e.NetHi) || e.GrossHi-e.GrossLo > 0.04*24 {
					t.Errorf("gross %g to %g, net %g to %g", e.GrossLo, e.GrossHi, e.NetLo, e.NetHi)
				}
			})
		})
	}
}
