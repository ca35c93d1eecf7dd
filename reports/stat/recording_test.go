package stat

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// recording is the noise of real trials, in units of a cell's trial MAD, so that
// it can stand for machines of any steadiness. See testdata/README.md for how the
// trials were measured.
type recording struct {
	mad     float64                         // median over cells of a trial's MAD, share of its median
	common  []float64                       // of each sitting: what all cells moved, in MAD
	drift   []float64                       // what a cell moved besides in a sitting, in MAD, sampling error taken off
	rows    [][]float64                     // residuals of a cell's trials in one sitting, in MAD
	streams [][]float64                     // residuals of a sitting in order of time, in MAD
	spread  struct{ common, drift float64 } // standard deviations in MAD
	trials  int
}

func loadRecording(t testing.TB) *recording {
	t.Helper()
	f, err := os.Open("testdata/trials.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	type key struct{ sitting, cell string }
	values := map[key][]float64{}
	var sittings, cells []string
	for _, line := range lines[1:] { // sitting, second, cell, latency_ms_p50; in order of time
		v, err := strconv.ParseFloat(line[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		k := key{line[0], line[2]}
		values[k] = append(values[k], math.Log(v))
		if !slices.Contains(sittings, k.sitting) {
			sittings = append(sittings, k.sitting)
		}
		if !slices.Contains(cells, k.cell) {
			cells = append(cells, k.cell)
		}
	}
	out := &recording{trials: len(lines) - 1}
	level, unit := map[string]float64{}, map[string]float64{}
	var units []float64
	for _, c := range cells {
		var medians, residuals []float64
		for _, s := range sittings {
			xs := values[key{s, c}]
			medians = append(medians, Median(xs))
			for _, x := range xs {
				residuals = append(residuals, x-Median(xs))
			}
		}
		level[c], unit[c] = Median(medians), MAD(residuals)
		units = append(units, unit[c])
	}
	out.mad = Median(units)
	var noise float64
	for _, s := range sittings {
		moves := make([]float64, len(cells))
		for i, c := range cells {
			moves[i] = (Median(values[key{s, c}]) - level[c]) / unit[c]
		}
		shared := Median(moves)
		out.common = append(out.common, shared)
		for i, c := range cells {
			out.drift = append(out.drift, moves[i]-shared)
			l := slices.Clone(values[key{s, c}])
			slices.Sort(l)
			noise += math.Pow(medianError(l)/unit[c], 2)
		}
	}
	// A sitting's median of a cell has sampling error, which the simulated repeats
	// bring again.
	observed := meanSquare(out.drift)
	keep := math.Sqrt(max(0, 1-noise/float64(len(out.drift))/observed))
	for i := range out.drift {
		out.drift[i] *= keep
	}
	out.spread.common, out.spread.drift = math.Sqrt(meanSquare(out.common)), math.Sqrt(meanSquare(out.drift))
	for _, s := range sittings {
		seen := map[string]int{}
		rows := map[string][]float64{}
		var stream []float64
		for _, line := range lines[1:] {
			if line[0] != s {
				continue
			}
			c := line[2]
			xs := values[key{s, c}]
			n := float64(len(xs))
			x := (xs[seen[c]] - Median(xs)) / unit[c] * math.Sqrt(n/(n-1)) // its own median drew it in
			seen[c]++
			rows[c] = append(rows[c], x)
			stream = append(stream, x)
		}
		for _, c := range cells {
			if len(rows[c]) > 0 {
				out.rows = append(out.rows, rows[c])
			}
		}
		out.streams = append(out.streams, stream)
	}
	return out
}

func meanSquare(xs []float64) float64 {
	var s float64
	for _, x := range xs {
		s += x * x
	}
	return s / float64(len(xs))
}

func (r *recording) String() string {
	return fmt.Sprintf("%d trials in %d sittings: MAD %.2f %% of a cell's median; from sitting to sitting all cells move by %.2f MAD, a cell besides by %.2f MAD (standard deviations)",
		r.trials, len(r.common), 100*r.mad, r.spread.common, r.spread.drift)
}

// world draws nights of a sweep from a recording. mad is a trial's MAD, a share
// of its median.
type world struct {
	rec *recording
	mad float64
	rng *rand.Rand
}

// machine is what all metrics share of a night. Sittings are few: they are
// drawn with a kernel of half their spread around them.
func (w *world) machine() float64 {
	c := w.rec.common[w.rng.IntN(len(w.rec.common))] + 0.5*w.rec.spread.common*w.rng.NormFloat64()
	return w.mad * c
}

// repeats are a metric's ten trials of a night, of true value math.Exp(truth).
func (w *world) repeats(truth, machine float64) []float64 {
	drift := w.rec.drift[w.rng.IntN(len(w.rec.drift))]
	if w.rng.IntN(2) == 0 {
		drift = -drift
	}
	row := w.rec.rows[w.rng.IntN(len(w.rec.rows))]
	out := make([]float64, 10)
	for i := range out {
		out[i] = math.Exp(truth + machine + w.mad*(drift+row[w.rng.IntN(len(row))]))
	}
	return out
}

// pairs are an ABBA series of n pairs on one night, B slower by effect: trials
// that stood side by side in the recording.
func (w *world) pairs(n int, effect float64) []Pair {
	stream := w.rec.streams[w.rng.IntN(len(w.rec.streams))]
	at := w.rng.IntN(len(stream))
	next := func() float64 {
		// Now and then a trial is skipped: four sittings have few starting points.
		at = (at + 1 + w.rng.IntN(5)/4) % len(stream)
		return math.Exp(w.mad * stream[at])
	}
	out := make([]Pair, n)
	flip := w.rng.IntN(2)
	for i := range out {
		if AFirst(i + flip) {
			out[i].A = next()
			out[i].B = next() * math.Exp(effect)
		} else {
			out[i].B = next() * math.Exp(effect)
			out[i].A = next()
		}
	}
	return out
}
