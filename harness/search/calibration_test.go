package search_test

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/plot"
)

var (
	calibration = flag.Bool("calibration", false, "compare probabilities with what came true in 60 sweeps, not 6, and draw the picture of it")
	controls    = flag.Int("controls", 0, "recordings that the model of the probabilities makes up, to be compared likewise")
)

// bin is what came of the cells that were given about one probability.
type bin struct {
	n, on int
	sum   float64
}

// reliability is what came of the cells of many sweeps, by what was said of them.
type reliability struct {
	bins          [10]bin
	brier, base   float64
	cells         int // of 0.01 and more
	below, missed int // the others, and those of them that were on the front
}

// distance is the mean one of what was said from what was.
func (r *reliability) distance() (d float64) {
	for _, b := range r.bins {
		d += math.Abs(b.sum-float64(b.on)) / float64(r.cells)
	}
	return d
}

// excess is by how much more cells were on the front than was said, as a share.
func (r *reliability) excess() float64 {
	on, sum := 0, 0.0
	for _, b := range r.bins {
		on, sum = on+b.on, sum+b.sum
	}
	return float64(on)/sum - 1
}

// of is the reliability of the probabilities in other sweeps of a world.
func (w *world) reliability(sweeps uint64, trials int) *reliability {
	r := &reliability{}
	for seed := range sweeps {
		v, items := w.other(seed)
		on := search.Front(v.columns, v.figures)
		levels := sweep.Levels(v.axes)
		s := &sitting{world: v, seed: seed + 1000, planted: true, made: map[search.Slot][]float64{}}
		e := search.Evidence{Objectives: v.columns, Answers: w.lifted(sweep.Score(v.results(), nil, v.columns, items, seed))}
		for c := range v.axes {
			k := search.Known{Subject: v.subjects[c], Levels: levels[c]}
			n := trials
			if c%(len(v.axes)/search.Pilots+1) == 0 {
				n = max(n, 3) // the pilots, which tell the noise
			}
			for repeat := range n {
				at := search.Slot{Cell: c, Repeat: repeat}
				s.measure(at)
				k.Trials = append(k.Trials, s.Trial(at))
			}
			e.Cells = append(e.Cells, k)
		}
		for c, p := range e.Probabilities(search.DefaultDraws, seed) {
			r.add(p, on[c])
		}
	}
	return r
}

func (r *reliability) add(p float64, on bool) {
	hit := 0.0
	if on {
		hit = 1
	}
	switch {
	case search.Unknown(p):
	case p < 0.01: // the many that nobody asks about would make any forecast look good
		r.below++
		r.missed += int(hit)
	default:
		b := &r.bins[min(9, int(10*p))]
		b.n++
		b.sum += p
		b.on += int(hit)
		r.cells++
		r.brier += (p - hit) * (p - hit)
		r.base += hit
	}
}

// lifted adds a world's lift to scores.
func (w *world) lifted(scores map[string]search.Answers) map[string]search.Answers {
	for name, lift := range w.lift {
		scores[name] = scores[name].Moved(lift)
	}
	return scores
}

// madeUp is a world as the model of the probabilities takes it to be: its truth is a
// draw of what the recording's may be.
func (w *world) madeUp(n int) *world {
	all := make([]int, len(w.truth))
	for i := range all {
		all[i] = i
	}
	levels := sweep.Levels(w.axes)
	e := search.Evidence{Objectives: w.columns, Answers: sweep.Score(w.results(), nil, w.columns, all, 1)}
	for c := range w.axes {
		e.Cells = append(e.Cells, search.Known{Subject: w.subjects[c], Levels: levels[c], Trials: w.trial[c]})
	}
	v := *w
	v.centre, v.figures, v.lift = nil, nil, map[string][]float64{}
	drawn := e.Drawn(uint64(n), n)
	for c := range w.axes {
		centre, figures := slices.Clone(w.centre[c]), slices.Clone(w.figures[c])
		for k, m := range w.columns {
			a, answers := e.Answers[m.Name]
			switch {
			case drawn[c] == nil:
			case !answers:
				centre[k], figures[k] = drawn[c][k], drawn[c][k]
			default:
				if v.lift[m.Name] == nil {
					v.lift[m.Name] = make([]float64, len(a.Value))
				}
				v.lift[m.Name][w.subjects[c]] = drawn[c][k] - a.Value[w.subjects[c]]
			}
		}
		v.centre, v.figures = append(v.centre, centre), append(v.figures, figures)
	}
	return &v
}

// A probability that is none misleads whoever picks by it: of the cells that are
// said to be on the front with 70 %, 70 % must be.
func TestProbabilitiesAreCalibrated(t *testing.T) {
	if testing.Short() {
		t.Skip("tens of seconds of simulation")
	}
	sweeps, most := uint64(6), 0.15
	if *calibration {
		sweeps, most = 60, 0.08
	}
	w := newWorld(t, "latency_ms_p50", "f1_macro", "model_bytes")
	series := []plot.Series{{X: []float64{0, 1}, Y: []float64{0, 1}, Aside: true}}
	for _, trials := range []int{1, 3} {
		r := w.reliability(sweeps, trials)
		base := r.base / float64(r.cells)
		pictured := plot.Series{Name: fmt.Sprintf("%d trials a cell", trials), Points: true}
		t.Logf("%d trials a cell, %d cells of 0.01 and more: Brier score %.3f (a constant's %.3f); %d of %d below were on the front",
			trials, r.cells, r.brier/float64(r.cells), base*(1-base), r.missed, r.below)
		for _, b := range r.bins {
			if b.n == 0 {
				continue
			}
			said, was := b.sum/float64(b.n), float64(b.on)/float64(b.n)
			t.Logf("  said %.3f  was %.3f  (%d)", said, was, b.n)
			lo, hi := wilson(b.on, b.n)
			pictured.X, pictured.Y = append(pictured.X, said), append(pictured.Y, was)
			pictured.Low, pictured.High = append(pictured.Low, lo), append(pictured.High, hi)
		}
		t.Logf("  mean distance %.3f; on the front were %+.0f %% more than said", r.distance(), 100*r.excess())
		series = append(series, pictured)
		if r.distance() > most {
			t.Errorf("after %d trials a cell the probabilities are %.3f off on average", trials, r.distance())
		}
		for n := range *controls {
			c := w.madeUp(n).reliability(sweeps, trials)
			t.Logf("  recording made up by the model: mean distance %.3f, %+.0f %% more than said", c.distance(), 100*c.excess())
		}
	}
	if !*calibration {
		return
	}
	draw(t, "search-reliability.svg", plot.Dimension{Title: "probability of being on the front, said"}, plot.Dimension{Title: "share that was on it"}, series)
}

// wilson is the 95 % interval of a share (Wilson 1927).
func wilson(k, n int) (lo, hi float64) {
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	mid, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return (mid - half) / (1 + z*z/m), (mid + half) / (1 + z*z/m)
}
