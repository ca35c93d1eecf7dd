package search_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/search"
)

func objectives(t *testing.T, names ...string) []search.Metric {
	t.Helper()
	out, err := search.Objectives(names)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A dominated cell on the front, or one that lacks a figure, sends its user wrong.
func TestFrontAndRank(t *testing.T) {
	o := objectives(t, "latency_ms_p50", "f1_macro")
	values := [][]float64{{1, 0.8}, {4, 0.95}, {4.1, 0.94}, {1, 0.8}, {9, 0.8}, {0.5, math.NaN()}, {5, 0.5}}
	if diff := cmp.Diff([]bool{true, true, false, true, false, false, false}, search.Front(o, values)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 0, 1, 0, 2, -1, 2}, search.Rank(o, values)); diff != "" {
		t.Error(diff)
	}
}

// Against boxes counted one by one: a wrong volume makes every search look good.
func TestVolumeCountsBoxes(t *testing.T) {
	for k, names := range [][]string{
		{"latency_ms_p50"},
		{"latency_ms_p50", "f1_macro"},
		{"latency_ms_p50", "f1_macro", "model_bytes"},
		{"latency_ms_p50", "f1_macro", "model_bytes", "throughput_per_s"},
	} {
		o := objectives(t, names...)
		rng := rand.New(rand.NewPCG(uint64(k), 1))
		for range 20 {
			const side = 6 // whole numbers, so that unit boxes are covered wholly or not at all
			var values [][]float64
			for range 1 + rng.IntN(7) {
				row := make([]float64, len(o))
				for i := range row {
					row[i] = float64(rng.IntN(side + 2))
				}
				values = append(values, row)
			}
			corner := make([]float64, len(o))
			for i, m := range o {
				if corner[i] = side; m.More {
					corner[i] = 0
				}
			}
			want := 0.0
			box := make([]int, len(o))
			for {
				if slices.ContainsFunc(values, func(row []float64) bool {
					for i, m := range o {
						lo := float64(box[i]) // of a unit box on the way to the corner
						if m.More && row[i] < lo+1 || !m.More && row[i] > lo {
							return false
						}
					}
					return true
				}) {
					inside := true
					for i, m := range o {
						inside = inside && (m.More || box[i] < side)
					}
					if inside {
						want++
					}
				}
				i := 0
				for i < len(box) {
					if box[i]++; box[i] <= side+1 {
						break
					}
					box[i] = 0
					i++
				}
				if i == len(box) {
					break
				}
			}
			if got := search.Volume(o, values, corner); math.Abs(got-want) > 1e-9 {
				t.Errorf("%v: volume of %v is %g, want %g", names, values, got, want)
			}
		}
	}
}

// bench is a made-up sweep whose trials are known at once.
type bench struct {
	trials map[search.Slot][]float64
	done   map[search.Slot]bool
}

func (b bench) Done(s search.Slot) bool       { return b.done[s] }
func (b bench) Trial(s search.Slot) []float64 { return b.trials[s] }

// carry runs a search of one latency objective to its end. broken cells never have a
// valid trial. stop, where not nil, forgets the search after so many trials, as
// SIGKILL does, and goes on with a new one.
func carry(seed uint64, latency []float64, broken map[int]bool, stop int) (*search.Halving, bench) {
	b := bench{map[search.Slot][]float64{}, map[search.Slot]bool{}}
	begin := func() *search.Halving {
		return &search.Halving{
			Objectives: []search.Metric{{Name: "latency_ms_p50"}, {Name: "f1_macro", More: true}}, Subjects: make([]int, len(latency)),
			Answers: map[string]search.Answers{"f1_macro": {Value: []float64{0.9}}}, Repeats: 4, Fresh: 2, Seed: seed, Draws: 200,
		}
	}
	h := begin()
	for n := 0; ; {
		todo := h.Next(b)
		if len(todo) == 0 {
			return h, b
		}
		for _, s := range todo {
			rng := rand.New(rand.NewPCG(seed<<20|uint64(s.Cell), uint64(s.Repeat)))
			b.done[s] = true
			if !broken[s.Cell] {
				b.trials[s] = []float64{latency[s.Cell] * math.Exp(0.05*rng.NormFloat64()), math.NaN()}
			}
			if n++; n == stop {
				h = begin()
				break
			}
		}
	}
}

// A cell that has not been measured may be the best: dropping it loses the front.
func TestACellWithoutATrialIsNeverDropped(t *testing.T) {
	latency := make([]float64, 60)
	for i := range latency {
		latency[i] = 1 + float64(i)
	}
	h, _ := carry(3, latency, map[int]bool{50: true}, 0)
	if !slices.Contains(h.Alive(), 50) || slices.Contains(h.Front(), 50) {
		t.Errorf("alive %v, front %v: the cell without a valid trial is out, or on the front", h.Alive(), h.Front())
	}
	if !slices.Equal(h.Front(), []int{0}) {
		t.Errorf("front %v, want the fastest, 0", h.Front())
	}
	if slices.Contains(h.Alive(), 49) {
		t.Error("a cell fifty times as slow as another is still in the race")
	}
}

// After a kill at any trial the same cells go on: otherwise a resumed night is
// another search.
func TestAResumedSearchDecidesTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	latency := make([]float64, 40)
	for i := range latency {
		latency[i] = math.Exp(0.1 * rng.NormFloat64())
	}
	whole, made := carry(5, latency, nil, 0)
	if len(whole.Rounds()) < 2 || len(whole.Rounds()[0].Dropped) == 0 {
		t.Fatalf("the search decides nothing: %d rounds", len(whole.Rounds()))
	}
	for stop := 1; stop < len(made.done); stop += 4 {
		again, other := carry(5, latency, nil, stop)
		if diff := cmp.Diff(whole.Rounds(), again.Rounds()); diff != "" {
			t.Fatalf("killed after %d trials the search decides otherwise:\n%s", stop, diff)
		}
		if !slices.Equal(whole.Front(), again.Front()) || len(other.done) != len(made.done) {
			t.Fatalf("killed after %d trials: front %v, %d trials; want %v, %d", stop, again.Front(), len(other.done), whole.Front(), len(made.done))
		}
	}
}

// A random search that draws a cell twice, or other ones when resumed, wastes trials.
func TestSample(t *testing.T) {
	got := search.Sample(100, 10, 7)
	if len(got) != 10 || got[0] != 0 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != 10 {
		t.Errorf("sample %v", got)
	}
	if !slices.Equal(got, search.Sample(100, 10, 7)) || slices.Equal(got, search.Sample(100, 10, 8)) {
		t.Error("the sample does not depend on the seed alone")
	}
	if got := search.Sample(3, 10, 1); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("more than there are: %v", got)
	}
}
