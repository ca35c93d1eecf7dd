package measure

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"
)

// A trial that starts too early times the warm-up; one that never starts has no
// figure.
func TestLatencySettles(t *testing.T) {
	s := settling{Laps: 4, Drift: 0.05}
	tests := []struct {
		name  string
		laps  []float64
		want  bool
		drift float64
	}{
		{"too few laps", []float64{1, 1, 1}, false, 0},
		{"level", []float64{1, 1, 1, 1}, true, 0},
		{"falling", []float64{1.2, 1.1, 1, 0.9}, false, -0.3 / 1.05},
		{"rising", []float64{0.9, 1, 1.1, 1.2}, false, 0.3 / 1.05},
		{"a slow first lap is forgotten", []float64{9, 1, 1, 1, 1}, true, 0},
		{"one interrupted lap does not count", []float64{1, 1, 5, 1}, true, 0},
		{"within the bound", []float64{1, 1.01, 1.02, 1.03}, true, 0.03 / 1.015},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := steadiness{settling: s}
			for _, lap := range tt.laps {
				x.add(lap)
			}
			if x.settled() != tt.want || math.Abs(x.drift-tt.drift) > 1e-9 {
				t.Errorf("settled %v with drift %g, want %v with %g", x.settled(), x.drift, tt.want, tt.drift)
			}
		})
	}
}

// A board that still heats up takes more power every second.
func TestTemperatureSettles(t *testing.T) {
	type reading struct {
		after time.Duration
		c     *float64
		want  bool
	}
	s := settling{ThermalTime: 5 * time.Second, ThermalC: 1}
	tests := []struct {
		name     string
		readings []reading
	}{
		{"steady", []reading{{0, ptr(50.), false}, {2 * time.Second, ptr(50.5), false}, {5 * time.Second, ptr(50.), true}}},
		{"heating", []reading{{0, ptr(50.), false}, {3 * time.Second, ptr(52.), false}, {5 * time.Second, ptr(53.), false}}},
		{"heated up", []reading{
			{0, ptr(50.), false}, {3 * time.Second, ptr(55.), false}, {6 * time.Second, ptr(55.), false}, {8 * time.Second, ptr(55.), true},
		}},
		{"not read twice a second", []reading{{0, ptr(50.), false}, {time.Second / 2, ptr(99.), false}, {5 * time.Second, ptr(50.), true}}},
		{"unknown", []reading{{0, nil, true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Unix(1000, 0)
			var now *float64
			h := heat{s: s, read: func() *float64 { return now }}
			for _, r := range tt.readings {
				now = r.c
				if got := h.settled(began.Add(r.after)); got != r.want {
					t.Errorf("after %v: settled %v, want %v", r.after, got, r.want)
				}
			}
		})
	}
	if h := (heat{s: s}); !h.settled(time.Now()) {
		t.Error("a trial without a sensor waits for a temperature")
	}
}

// The limit must hold, also where latency never settles.
func TestWarmUpEndsUnsettledAtItsLimit(t *testing.T) {
	s := load(t, writeModel(t, 1, labels), tree(t))
	w := newWorkload(s.engine, newQueue([][]int32{{1, 70, 2}, {1, 71, 72, 2}}, 1), 2, 0)
	strict := settling{LapTime: time.Nanosecond, Laps: 1000, Drift: 0}
	warm, err := w.warmUp(t.Context(), strict, time.Nanosecond, nil)
	if err != nil || warm.settled {
		t.Fatalf("settled %v, %v", warm.settled, err)
	}
	// The longest batch, the first lap, and that lap again.
	if warm.runs != 3 || warm.items != 6 || warm.tokens != 3*(4+3) {
		t.Errorf("%d inferences of %d items and %d tokens", warm.runs, warm.items, warm.tokens)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.warmUp(ctx, strict, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled warm-up ended with %v", err)
	}
}
