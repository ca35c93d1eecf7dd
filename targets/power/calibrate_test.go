package power

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bench is a board of 2 W and 3 W a busy thread, of which a part is told beside.
type bench struct {
	busy  atomic.Int64
	step  float64 // of the power, W
	part  float64 // of the total
	dead  bool
	stuck bool
	full  bool
	slow  time.Duration // that a load takes to begin
	reads int
}

func (b *bench) Describe() Description {
	return Description{
		Source: "bench", Total: Total{Gain: 1}, Cycle: 10 * time.Millisecond, Averaged: 10 * time.Millisecond,
		Rails: []Rail{{Name: "VDD_IN", InTotal: true, Budget: Budget{GainRel: 0.0025, OffsetA: 0.016, LSBW: b.step}}, {Name: "VDD_CPU"}},
	}
}

func (b *bench) Close() error { return nil }

func (b *bench) Read(dst []Value) error {
	b.reads++
	w := 2.0
	if !b.dead {
		w += 3 * float64(b.busy.Load())
	}
	w = quantize(w, max(b.step, 1e-9))
	dst[0], dst[1] = watts(w), watts(b.part*w)
	if b.full {
		dst[0].Flags |= Saturated
	}
	if b.stuck && b.reads%10 != 0 {
		dst[0].Flags |= Stale
	}
	return nil
}

func (b *bench) steps() []Step {
	var out []Step
	for n := range 3 {
		s := Step{Name: []string{"idle", "1 thread", "2 threads"}[n], Load: float64(n)}
		if n > 0 {
			s.Run = func(ctx context.Context, begun func()) error {
				time.Sleep(b.slow)
				b.busy.Store(int64(n))
				begun()
				<-ctx.Done()
				b.busy.Store(0)
				return ctx.Err()
			}
		}
		out = append(out, s)
	}
	return out
}

// A wrong shunt, a rail of something else or a converter at its end makes every
// figure of a board wrong, and all alike: only a known load shows it.
func TestCalibrate(t *testing.T) {
	for name, c := range map[string]struct {
		bench    *bench
		findings string
	}{
		"good":             {&bench{step: 0.01, part: 0.6}, ""},
		"no response":      {&bench{step: 0.01, part: 0.6, dead: true}, "no-response"},
		"coarse":           {&bench{step: 2, part: 0.6}, "coarse"},
		"parts above":      {&bench{step: 0.01, part: 1.5}, "parts-exceed-total parts-exceed-total parts-exceed-total"},
		"at the range end": {&bench{step: 0.01, part: 0.6, full: true}, "saturated saturated saturated"},
		"a load far away":  {&bench{step: 0.01, part: 0.6, slow: 3 * time.Second}, ""},
		"stuck":            {&bench{step: 0.01, part: 0.6, stuck: true}, "gaps stale gaps stale gaps stale"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := Calibrate(t.Context(), c.bench, c.bench.steps(), CalibrateOptions{Settle: 200 * time.Millisecond, Dwell: time.Second, Seed: 1})
				if err != nil {
					t.Fatal(err)
				}
				var codes []string
				for _, f := range got.Findings {
					codes = append(codes, f.Code)
				}
				if found := strings.Join(codes, " "); found != c.findings {
					t.Errorf("findings %q, want %q: %v", found, c.findings, got.Findings)
				}
				if c.findings != "" {
					return
				}
				if math.Abs(got.BaseW-2) > 0.02 || math.Abs(got.SlopeW-3) > 0.02 || got.ResidualW > 0.02 {
					t.Errorf("%.3f W + %.3f W a thread, %.3f W left", got.BaseW, got.SlopeW, got.ResidualW)
				}
				rail := got.Steps[2].Rails[0]
				if math.Abs(rail.OffsetW-0.08) > 1e-9 || math.Abs(rail.StepW-0.01) > 1e-9 || rail.NoiseW != 0 || !(rail.MeanW.Lo < 8 && 8 < rail.MeanW.Hi) {
					t.Errorf("%+v", rail)
				}
			})
		})
	}
}

func TestCalibrateRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{step: 0.01}
		o := CalibrateOptions{Dwell: time.Second}
		early := []Step{{Name: "early", Run: func(context.Context, func()) error { return nil }}}
		if _, err := Calibrate(t.Context(), b, early, o); !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "step early") {
			t.Errorf("a load that ended: %v", err)
		}
		if _, err := Calibrate(t.Context(), b, nil, o); err == nil {
			t.Error("no steps were accepted")
		}
		broken := errors.New("the board is gone")
		lost := []Step{{Name: "lost", Run: func(context.Context, func()) error { return broken }}}
		if _, err := Calibrate(t.Context(), b, lost, o); !errors.Is(err, broken) {
			t.Errorf("a load that failed: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Calibrate(ctx, b, b.steps(), o); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}

// The live graph must show what the sensor shows, counters too.
func TestWatch(t *testing.T) { synctest.Test(t, watches) }

func watches(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var frames []Frame
	start := time.Now()
	err := Watch(ctx, &tap{start: start}, 100*time.Millisecond, 300*time.Millisecond, func(f Frame) error {
		frames = append(frames, f)
		if len(frames) == 6 {
			cancel()
		}
		return nil
	})
	if err != nil || len(frames) < 6 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	if !math.IsNaN(frames[0].Total.NowW) || frames[0].Rails[1].NowW != 1 {
		t.Errorf("the first frame: %+v", frames[0])
	}
	last := frames[5]
	for _, w := range []float64{last.Total.NowW, last.Total.MeanW, last.Total.MinW, last.Total.MaxW} {
		if math.Abs(w-2) > 1e-9 {
			t.Errorf("the last total: %+v", last.Total)
		}
	}
	if !slices.IsSortedFunc(frames, func(a, b Frame) int { return int(a.At - b.At) }) {
		t.Error("frames are out of order")
	}
	stop := errors.New("enough")
	if err := Watch(t.Context(), &tap{start: start}, time.Second, time.Second, func(Frame) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	for _, span := range []time.Duration{0, time.Hour * 1000} {
		if err := Watch(t.Context(), &tap{start: start}, time.Millisecond, span, func(Frame) error { return nil }); err == nil {
			t.Errorf("a span of %v was accepted", span)
		}
	}
}
