package measure

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPace(t *testing.T) {
	tests := []struct {
		name    string
		pace    pace
		elapsed time.Duration
		n       int
		want    bool
	}{
		{"nothing yet", pace{window: 1, most: 1}, time.Hour, 0, false},
		{"window and count reached", pace{window: time.Second, least: 20}, time.Second, 20, true},
		{"window not reached", pace{window: time.Second, least: 20}, time.Second - 1, 999, false},
		{"count not reached", pace{window: time.Second, least: 20}, 4*time.Second - 1, 19, false},
		{"count given up", pace{window: time.Second, least: 20}, 4 * time.Second, 1, true},
		{"most reached at once", pace{window: time.Second, least: 20, most: 3}, 0, 3, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.pace.done(tt.elapsed, tt.n); got != tt.want {
				t.Errorf("done is %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRoomForSamples(t *testing.T) {
	p := pace{window: time.Second, least: 20}
	for _, tt := range []struct {
		pace    pace
		runs    int
		seconds float64
		want    int
	}{
		{p, 100, 0.5, 400},
		{p, 1, 10, 20},
		{pace{window: time.Second, least: 20, most: 5}, 100, 0.5, 5},
		{p, 1 << 30, 0.001, maxRoom},
		{p, 1, 0, maxRoom},
	} {
		if got := tt.pace.expect(tt.runs, tt.seconds); got != tt.want {
			t.Errorf("%+v after %d runs in %g s: room for %d, want %d", tt.pace, tt.runs, tt.seconds, got, tt.want)
		}
	}
}

// Both kinds of model are timed: a classifier by its classes, any other by its
// next token.
func TestWindow(t *testing.T) {
	all := [][]int32{{1, 70, 2}, {1, 71, 72, 2}, {1, 73, 74, 75, 2}}
	for _, classes := range [][]string{labels, nil} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d classes, together %v", len(classes), together), func(t *testing.T) {
				s := load(t, writeModel(t, 1, classes), tree(t))
				w := newWorkload(s.engine, newQueue(all, 1), 2, 0)
				got, err := w.run(t.Context(), pace{window: time.Hour, most: 3, together: together})
				if err != nil {
					t.Fatal(err)
				}
				if len(got.samples) != 3 || got.runs != 3 || got.items != 6 || got.tokens != 2*(3+4+5) {
					t.Errorf("%d samples, %d inferences of %d items and %d tokens", len(got.samples), got.runs, got.items, got.tokens)
				}
				if got.dense == 0 || got.executed != got.dense {
					t.Errorf("without gates %d of %d MACs were executed", got.executed, got.dense)
				}
				tokens := 0
				for i, x := range got.samples {
					tokens += x.Tokens
					asked := 0.0 // all queries are there when the window begins
					if !together {
						asked = x.TimeS
					}
					end := asked + x.LatencyMS/1e3
					if x.LatencyMS <= 0 || end > got.seconds()+1e-9 || i > 0 && x.TimeS <= got.samples[i-1].TimeS {
						t.Errorf("sample %d: %+v in a window of %g s", i, x, got.seconds())
					}
					if i == len(got.samples)-1 && end < got.seconds()-1e-9 {
						t.Errorf("the last answer came at %g s, the window ended at %g s", end, got.seconds())
					}
				}
				if tokens != got.tokens {
					t.Errorf("samples have %d tokens, the window %d", tokens, got.tokens)
				}
			})
		}
	}
}

// Memory allocated per inference is time that the user's program would not
// spend. What remains are the engine's copies of its counters.
func TestAnInferenceAllocatesLittle(t *testing.T) {
	all := [][]int32{{1, 70, 2}, {1, 71, 72, 2}, {1, 73, 74, 75, 2}}
	for _, classes := range [][]string{labels, nil} {
		s := load(t, writeModel(t, 1, classes), tree(t))
		w := newWorkload(s.engine, newQueue(all, 1), 2, 0)
		var warm warmth
		if err := w.grow(t.Context(), &warm); err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(50, func() {
			w.queue.take(w.batch)
			if _, err := w.infer(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 2 {
			t.Errorf("%d classes: %g allocations an inference", len(classes), allocs)
		}
	}
}

// Texts differ in length: a window that saw some more often than others would
// measure the draw.
func TestQueueIsFair(t *testing.T) {
	all := make([][]int32, 5)
	for i := range all {
		all[i] = []int32{int32(i)}
	}
	draw := func(seed uint64) []int32 {
		q, batch := newQueue(all, seed), make([][]int32, 3)
		var out []int32
		for range 5 {
			q.take(batch)
			for _, ids := range batch {
				out = append(out, ids[0])
			}
		}
		return out
	}
	first := draw(1)
	for round := 0; round < len(first); round += len(all) {
		got := slices.Sorted(slices.Values(first[round:][:len(all)]))
		if diff := cmp.Diff([]int32{0, 1, 2, 3, 4}, got); diff != "" {
			t.Errorf("round %d (-want +got):\n%s", round/len(all), diff)
		}
	}
	if diff := cmp.Diff(first, draw(1)); diff != "" {
		t.Errorf("the same seed gives another order:\n%s", diff)
	}
	if slices.Equal(first, draw(2)) {
		t.Error("another seed gives the same order")
	}
	batch := make([][]int32, 3)
	newQueue([][]int32{{1}, {1, 2, 3}}, 1).longest(batch)
	if diff := cmp.Diff([][]int32{{1, 2, 3}, {1}, {1, 2, 3}}, batch); diff != "" {
		t.Errorf("the longest batch (-want +got):\n%s", diff)
	}
}
