package search_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// world is a recorded sweep in which a search can be carried out: measuring reads
// the recording. The figures of the recording are its truth.
type world struct {
	recording
	columns []search.Metric
	trial   [][][]float64 // by cell and repeat: recorded trials
	centre  [][]float64   // by cell: their medians
	noise   [][]float64   // deviations of the trials, as factors
	figures [][]float64   // by cell: the columns' values, answers on all items
}

// newWorld reads the objectives off the recording.
func newWorld(t *testing.T, objectives ...string) *world {
	t.Helper()
	rec := readRecording(t)
	columns, err := search.Objectives(objectives)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{recording: rec, columns: columns, trial: rec.rows(columns)}
	all := make([]int, len(rec.truth))
	for i := range all {
		all[i] = i
	}
	scores := sweep.Score(rec.results(), nil, columns, all, 1)
	for c, trials := range w.trial {
		centre := make([]float64, len(columns))
		for k := range columns {
			var xs []float64
			for _, row := range trials {
				xs = append(xs, row[k])
			}
			centre[k] = stat.Median(xs)
		}
		if n := float64(len(trials)); n >= 2 {
			for _, row := range trials {
				dev := make([]float64, len(columns))
				for k := range columns {
					dev[k] = 1
					if centre[k] > 0 {
						dev[k] = math.Exp(math.Sqrt(n/(n-1)) * math.Log(row[k]/centre[k]))
					}
				}
				w.noise = append(w.noise, dev)
			}
		}
		w.centre = append(w.centre, centre)
		truth := slices.Clone(centre)
		for k, m := range columns {
			if a, ok := scores[m.Name]; ok {
				truth[k] = a.Value[rec.subjects[c]]
			}
		}
		w.figures = append(w.figures, truth)
	}
	return w
}

// sitting is one search in a world. It counts what it measures.
type sitting struct {
	*world
	seed    uint64
	planted bool // every trial is the truth times a recorded deviation
	made    map[search.Slot][]float64
}

func (s *sitting) Done(at search.Slot) bool { return s.made[at] != nil }

func (s *sitting) Trial(at search.Slot) []float64 { return s.made[at] }

// measure makes a trial: a recorded one of the cell as long as there are any,
// in an order of the seed, else the cell's median with a recorded deviation.
func (s *sitting) measure(at search.Slot) {
	rng := rand.New(rand.NewPCG(s.seed<<32|uint64(at.Cell), uint64(at.Repeat)))
	trials := s.trial[at.Cell]
	if !s.planted && at.Repeat < len(trials) {
		order := rand.New(rand.NewPCG(s.seed, uint64(at.Cell))).Perm(len(trials))
		s.made[at] = trials[order[at.Repeat]]
		return
	}
	dev := s.noise[rng.IntN(len(s.noise))]
	row := slices.Clone(s.centre[at.Cell])
	for k := range row {
		row[k] *= dev[k]
	}
	s.made[at] = row
}

// run carries a search out to its end.
func (w *world) run(h *search.Halving, seed uint64, planted bool) *sitting {
	s := &sitting{world: w, seed: seed, planted: planted, made: map[search.Slot][]float64{}}
	for {
		todo := h.Next(s)
		if len(todo) == 0 {
			return s
		}
		for _, at := range todo {
			s.measure(at)
		}
	}
}

// halving is the search of a live sweep of this plan: the half of the items that
// it may see, resampled, and six repeats.
func (w *world) halving(seed uint64) *search.Halving {
	seen := sweep.Half(w.truth, seed, 0)
	return &search.Halving{
		Objectives: w.columns, Subjects: w.subjects, Answers: sweep.Score(w.results(), nil, w.columns, seen, seed),
		Repeats: repeats, Fresh: repeats, Seed: seed,
	}
}

const repeats = 6

// volume is that of cells at their true values, as a share of the true front's.
func (w *world) volume(cells []int) float64 {
	var chosen [][]float64
	for _, c := range cells {
		chosen = append(chosen, w.figures[c])
	}
	corner := search.Worst(w.columns, w.figures)
	return search.Volume(w.columns, chosen, corner) / search.Volume(w.columns, w.figures, corner)
}

func TestTry(t *testing.T) {
	for _, objectives := range [][]string{{"latency_ms_p50", "f1_macro", "model_bytes"}, {"latency_ms_p50", "f1_macro", "peak_rss_bytes"}, {"latency_ms_p50", "throughput_per_s", "f1_macro", "model_bytes"}} {
		w := newWorld(t, objectives...)
		var spread []float64
		for _, d := range w.noise {
			spread = append(spread, math.Abs(math.Log(d[0])))
		}
		n := 0
		for _, on := range search.Front(w.columns, w.figures) {
			if on {
				n++
			}
		}
		fmt.Println(objectives, "true front", n, "noise", len(w.noise), stat.Median(spread), stat.Quantile(spread, .9))
		for seed := range uint64(4) {
			h := w.halving(seed)
			s := w.run(h, seed, seed%2 == 1)
			fmt.Printf("seed %d: cost %d = %.1f %%, volume %.2f %%, front %d\n", seed, len(s.made), 100*float64(len(s.made))/float64(len(w.axes)*repeats), 100*w.volume(h.Front()), len(h.Front()))
			for _, r := range h.Rounds() {
				fmt.Printf("   round %d: %d in, %d out, %d further\n", r.Repeats, len(r.Cells), len(r.Dropped), len(r.Measure))
			}
		}
	}
}
