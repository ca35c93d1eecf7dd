package search_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/reports/plot"
)

var docs = flag.String("docs", "", "folder to write the pictures of docs/search.md into")

// draw writes a picture of docs/search.md.
func draw(t *testing.T, name string, x, y plot.Dimension, series []plot.Series) {
	t.Helper()
	var b strings.Builder
	if err := plot.Lines(&b, x, y, series); err != nil {
		t.Fatal(err)
	}
	if *docs != "" {
		if err := os.WriteFile(*docs+"/"+name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// curve is the hypervolume, at true values, of the cells that look best after each
// fiftieth of the slots in their order.
func (w *world) curve(name string, h *search.Halving, s *sitting, order []search.Slot) plot.Series {
	out := plot.Series{Name: name}
	e := search.Evidence{Objectives: w.columns, Answers: h.Answers, Cells: make([]search.Known, len(w.axes))}
	for c := range e.Cells {
		e.Cells[c].Subject = w.subjects[c]
	}
	for n, at := range order {
		s.measure(at)
		e.Cells[at.Cell].Trials = append(e.Cells[at.Cell].Trials, s.Trial(at))
		if (n+1)%max(1, len(order)/50) != 0 && n+1 != len(order) {
			continue
		}
		var best []int
		for c, on := range e.Front() {
			if on {
				best = append(best, c)
			}
		}
		out.X = append(out.X, 100*float64(n+1)/float64(repeats*len(w.axes)))
		out.Y = append(out.Y, 100*w.volume(best))
	}
	return out
}

// The curve that docs/search.md shows: at every cost the search must not be worse
// than a grid that is cut short there.
func TestHalvingIsNoWorseThanAGridCutShort(t *testing.T) {
	w := newWorld(t, recordings[0], "latency_ms_p50", "f1_macro", "model_bytes")
	h := w.halving(1)
	s := w.run(h, 1, false)
	halving := w.curve("halving", h, s, s.order)
	var all []search.Slot
	rng := rand.New(rand.NewPCG(1, 2))
	for r := range repeats {
		for _, c := range rng.Perm(len(w.axes)) {
			all = append(all, search.Slot{Cell: c, Repeat: r})
		}
	}
	grid := w.curve("grid, a repeat at a time", h, s, all)
	grid.Aside = true
	draw(t, "search-cost.svg", plot.Dimension{Title: "trials / % of the grid's"}, plot.Dimension{Title: "hypervolume / % of the true front's"}, []plot.Series{halving, grid})
	last := len(halving.X) - 1
	for i, x := range grid.X {
		if x <= halving.X[last] && grid.Y[i] > halving.Y[last]+1 {
			t.Errorf("at %.1f %% of the cost the grid has %.2f %% of the hypervolume, the whole search %.2f %%", x, grid.Y[i], halving.Y[last])
		}
	}
	t.Logf("hypervolume %.2f %% after %.1f %% of the grid's trials; of the whole grid's figures %.2f %%", halving.Y[last], halving.X[last], grid.Y[len(grid.Y)-1])
}
