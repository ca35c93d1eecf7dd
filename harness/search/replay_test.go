package search_test

import (
	"flag"
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

// newWorld reads the objectives off a recording.
func newWorld(t *testing.T, recording string, objectives ...string) *world {
	t.Helper()
	rec := readRecording(t, recording)
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
	order   []search.Slot // of made
}

func (s *sitting) Done(at search.Slot) bool { return s.made[at] != nil }

func (s *sitting) Trial(at search.Slot) []float64 { return s.made[at] }

// measure makes a trial: a recorded one of the cell as long as there are any,
// in an order of the seed, else the cell's median with a recorded deviation.
func (s *sitting) measure(at search.Slot) {
	s.order = append(s.order, at)
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
// it may see, resampled, and half of six repeats before the front's own six.
func (w *world) halving(seed uint64) *search.Halving {
	seen := sweep.Half(w.truth, seed, 0)
	return &search.Halving{
		Objectives: w.columns, Subjects: w.subjects, Answers: sweep.Score(w.results(), nil, w.columns, seen, seed),
		Repeats: repeats / 2, Fresh: repeats, Seed: seed, Levels: sweep.Levels(w.axes),
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

// spread is the median absolute deviation of the trials' first objective, relative.
func (w *world) spread() float64 {
	var xs []float64
	for _, d := range w.noise {
		xs = append(xs, math.Abs(math.Log(d[0])))
	}
	return stat.Median(xs)
}

var seeds = flag.Int("seeds", 2, "searches of each kind in the recorded sweep")

// A search that misses the front sends a user to a worse variant; one that costs as
// much as the grid is no search. Both are measured in a real sweep of 1,000 cells.
func TestHalvingFindsTheFrontOfARecordedSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("tens of seconds of simulation")
	}
	for _, c := range []struct {
		objectives  []string
		least, most float64 // hypervolume and cost that are promised, as shares; 0 = only told
	}{
		{[]string{"latency_ms_p50", "f1_macro", "model_bytes"}, 0.98, 0.25},
		{[]string{"latency_ms_p50", "f1_macro", "peak_rss_bytes"}, 0.98, 0},
		{[]string{"latency_ms_p50", "throughput_per_s", "f1_macro", "model_bytes"}, 0, 0},
	} {
		w := newWorld(t, recordings[0], c.objectives...)
		for _, planted := range []bool{false, true} {
			var volumes, costs []float64
			n := *seeds
			if c.least == 0 || c.most == 0 {
				n = max(1, n/10)
			}
			for seed := range uint64(n) {
				h := w.halving(seed + 1)
				s := w.run(h, seed+1, planted)
				volumes = append(volumes, w.volume(h.Front()))
				costs = append(costs, float64(len(s.made))/float64(len(w.axes)*repeats))
			}
			t.Logf("%v, planted %v, MAD %.1f %%: hypervolume median %.2f %%, least %.2f %%; cost median %.1f %%, most %.1f %% (%d searches)",
				c.objectives, planted, 100*w.spread(), 100*stat.Median(volumes), 100*slices.Min(volumes), 100*stat.Median(costs), 100*slices.Max(costs), len(costs))
			if v := stat.Median(volumes); v < c.least {
				t.Errorf("%v: the search reaches %.2f %% of the grid's hypervolume, want %.0f %%", c.objectives, 100*v, 100*c.least)
			}
			if v := stat.Median(costs); c.most > 0 && v > c.most {
				t.Errorf("%v: the search costs %.1f %% of the grid, want at most %.0f %%", c.objectives, 100*v, 100*c.most)
			}
		}
	}
}

// other is another sweep of the same kind: some of the recorded levels of each
// axis, and a population of test items drawn from the recorded ones, from which
// the items of its search are drawn.
func (w *world) other(seed uint64) (*world, []int) {
	rng := rand.New(rand.NewPCG(seed, 99))
	levels := sweep.Levels(w.axes)
	kept := make([][]int, len(levels[0])) // by axis
	for axis := range kept {
		n := 1
		for _, l := range levels {
			n = max(n, l[axis]+1)
		}
		kept[axis] = rng.Perm(n)[:min(n, 2+rng.IntN(n))]
	}
	population := make([]int, len(w.truth))
	for i := range population {
		population[i] = rng.IntN(len(population))
	}
	items := make([]int, len(w.truth)/2)
	for i := range items {
		items[i] = population[rng.IntN(len(population))]
	}
	scores := sweep.Score(w.results(), nil, w.columns, population, 1)
	v := *w
	v.axes, v.subjects, v.trial, v.centre, v.figures = nil, nil, nil, nil, nil
	for c, axes := range w.axes {
		out := false
		for axis, l := range levels[c] {
			out = out || !slices.Contains(kept[axis], l)
		}
		if out {
			continue
		}
		v.axes, v.subjects = append(v.axes, axes), append(v.subjects, w.subjects[c])
		v.trial, v.centre = append(v.trial, w.trial[c]), append(v.centre, w.centre[c])
		figures := slices.Clone(w.figures[c])
		for k, m := range w.columns {
			if a, ok := scores[m.Name]; ok {
				figures[k] = a.Value[w.subjects[c]]
			}
		}
		v.figures = append(v.figures, figures)
	}
	return &v, items
}
