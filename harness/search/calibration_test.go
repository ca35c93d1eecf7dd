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

var calibration = flag.Bool("calibration", false, "compare probabilities with what came true in 60 sweeps of each recording, not 4, and draw the picture of it")

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

// outcome is what came of a cell that was on the front in a share of draws.
type outcome struct {
	share float64
	on    bool
}

// outcomes are those of other sweeps of a world, of so many trials a cell.
func (w *world) outcomes(sweeps uint64, trials int) (out []outcome) {
	for seed := range sweeps {
		v, items := w.other(seed)
		on := search.Front(v.columns, v.figures)
		levels := sweep.Levels(v.axes)
		s := &sitting{world: v, seed: seed + 1000, planted: true, made: map[search.Slot][]float64{}}
		e := search.Evidence{Objectives: v.columns, Answers: sweep.Score(v.results(), nil, v.columns, items, seed)}
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
		for c, share := range e.Shares(search.DefaultDraws, seed) {
			if !search.Unknown(share) {
				out = append(out, outcome{share, on[c]})
			}
		}
	}
	return out
}

// reliabilityOf compares what a curve says of outcomes with what they were.
func reliabilityOf(outcomes []outcome, at func(share float64) float64) *reliability {
	r := &reliability{}
	for _, o := range outcomes {
		r.add(at(o.share), o.on)
	}
	return r
}

func (r *reliability) add(p float64, on bool) {
	hit := 0.0
	if on {
		hit = 1
	}
	switch {
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

// A probability that is none misleads whoever picks by it: of the cells that are
// said to be on the front with 70 %, 70 % must be. The curve that shares are corrected
// by is judged by recordings that it was not fitted to.
func TestProbabilitiesAreCalibrated(t *testing.T) {
	if testing.Short() {
		t.Skip("tens of seconds of simulation")
	}
	sweeps, most, mostOfAll, curveOff := uint64(4), 0.15, 0.06, 0.1
	if *calibration {
		sweeps, most, mostOfAll, curveOff = 60, 0.05, 0.02, 0.02
	}
	kinds := []struct {
		trials int
		name   string
	}{{1, "1 trial a cell"}, {3, "3 trials a cell"}}
	outcomes := map[string][][]outcome{} // by recording and kind
	for _, name := range recordings {
		w := newWorld(t, name, "latency_ms_p50", "f1_macro", "model_bytes")
		for _, k := range kinds {
			outcomes[name] = append(outcomes[name], w.outcomes(sweeps, k.trials))
		}
	}
	fit := func(without string) (at func(float64) float64, a, b float64) {
		var shares []float64
		var on []bool
		for _, name := range recordings {
			if name == without {
				continue
			}
			for _, o := range slices.Concat(outcomes[name]...) {
				if o.share >= 0.01 {
					shares, on = append(shares, o.share), append(on, o.on)
				}
			}
		}
		return search.FitCurve(shares, on)
	}
	series := []plot.Series{{X: []float64{0, 1}, Y: []float64{0, 1}, Aside: true}}
	for i, k := range kinds {
		sum := &reliability{}
		for _, name := range recordings {
			at, a, b := fit(name)
			plain := reliabilityOf(outcomes[name][i], func(share float64) float64 { return share })
			r := reliabilityOf(outcomes[name][i], at)
			t.Logf("%s, %s, curve of the others %.2f %.2f: %v; shares themselves: %v", name, k.name, a, b, r, plain)
			sum.join(r)
			if r.distance() > most {
				t.Errorf("%s, after %s the probabilities are %.3f off on average", name, k.name, r.distance())
			}
		}
		t.Logf("all, %s: %v", k.name, sum)
		if sum.distance() > mostOfAll {
			t.Errorf("after %s the probabilities of all recordings are %.3f off on average", k.name, sum.distance())
		}
		if 200*sum.missed > sum.below {
			t.Errorf("after %s %d of %d cells of less than 0.01 were on the front", k.name, sum.missed, sum.below)
		}
		pictured := plot.Series{Name: k.name, Points: true}
		for _, b := range sum.bins {
			if b.n == 0 {
				continue
			}
			said, was := b.sum/float64(b.n), float64(b.on)/float64(b.n)
			t.Logf("  said %.3f  was %.3f  (%d)", said, was, b.n)
			lo, hi := wilson(b.on, b.n)
			pictured.X, pictured.Y = append(pictured.X, said), append(pictured.Y, was)
			pictured.Low, pictured.High = append(pictured.Low, lo), append(pictured.High, hi)
		}
		series = append(series, pictured)
	}
	at, a, b := fit("")
	for _, share := range []float64{0.1, 0.3, 0.5, 0.7, 0.9} {
		if got, want := search.Recorded(share), at(share); !(math.Abs(got-want) <= curveOff) {
			t.Errorf("a share of %.1f is said to be worth %.3f; the curve through all recordings, %.2f %.2f, says %.3f", share, got, a, b, want)
		}
	}
	if !*calibration {
		return
	}
	draw(t, "search-reliability.svg", plot.Dimension{Title: "probability of being on the front, said"}, plot.Dimension{Title: "share that was on it"}, series)
}

// join adds what came of other cells.
func (r *reliability) join(o *reliability) {
	for i, b := range o.bins {
		r.bins[i].n += b.n
		r.bins[i].on += b.on
		r.bins[i].sum += b.sum
	}
	r.brier, r.base = r.brier+o.brier, r.base+o.base
	r.cells, r.below, r.missed = r.cells+o.cells, r.below+o.below, r.missed+o.missed
}

func (r *reliability) String() string {
	n := float64(r.cells)
	return fmt.Sprintf("mean distance %.3f, %+.0f %% more than said, Brier score %.3f (a constant's %.3f), %d cells, %d of %d below 0.01 on the front",
		r.distance(), 100*r.excess(), r.brier/n, r.base/n*(1-r.base/n), r.cells, r.missed, r.below)
}

// wilson is the 95 % interval of a share (Wilson 1927).
func wilson(k, n int) (lo, hi float64) {
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	mid, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return (mid - half) / (1 + z*z/m), (mid + half) / (1 + z*z/m)
}
