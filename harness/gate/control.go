package gate

import (
	"math"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Roofs of a machine that a cell's time may hang on.
const (
	RoofCompute = "int8"  // products of small integers, 10⁹ operations/s
	RoofMemory  = "DRAM"  // a linear read, 10⁹ bytes/s
	RoofClock   = "clock" // additions, of runs whose trials measured no roof
)

// roofs are what a trial knows of its machine, as rates; NaN where it does not.
var roofs = map[string]func(wire.Evidence) float64{
	RoofCompute: func(e wire.Evidence) float64 { return orNaN(e.PeakGOPS) },
	RoofMemory:  func(e wire.Evidence) float64 { return orNaN(e.ReadGBS) },
	RoofClock: func(e wire.Evidence) float64 {
		if e.SpinNS <= 0 {
			return math.NaN()
		}
		return 1 / e.SpinNS
	},
}

func orNaN(v *float64) float64 {
	if v == nil || !(*v > 0) {
		return math.NaN()
	}
	return *v
}

// Control is how much faster or slower the machine itself was, measured by code that
// no change touches.
type Control struct {
	Roof   string
	Change stat.Interval // of the machine's rate, as the logarithm of its ratio
}

// binding is the roof that a cell's trials come nearest to.
func binding(trials []store.Trial) string {
	var compute, memory []float64
	for _, t := range trials {
		r := t.Result
		inferences := float64(len(r.Samples))
		compute = append(compute, 2*float64(r.ExecutedMAC)/r.WindowS/1e9/orNaN(r.Evidence.PeakGOPS))
		// Every weight is read once an inference at least.
		memory = append(memory, float64(r.ModelBytes)*inferences/r.WindowS/1e9/orNaN(r.Evidence.ReadGBS))
	}
	switch c, m := stat.Median(compute), stat.Median(memory); {
	case math.IsNaN(c) || math.IsNaN(m):
		return RoofClock
	case m > c:
		return RoofMemory
	}
	return RoofCompute
}

// control compares the machine between runs by the trials of all cells on a target.
// ok is false where either side knows nothing of it.
func control(roof string, before [][]store.Trial, after []store.Trial) (Control, bool) {
	rates := func(trials []store.Trial) []float64 {
		var out []float64
		for _, t := range trials {
			if v := roofs[roof](t.Result.Evidence); !math.IsNaN(v) {
				out = append(out, math.Log(v))
			}
		}
		return out
	}
	var was []float64
	for _, trials := range before {
		was = append(was, rates(trials)...)
	}
	is := rates(after)
	if len(was) < 2 || len(is) < 2 {
		return Control{}, false
	}
	return Control{roof, stat.HodgesLehmann(thin(was), thin(is), confidence)}, true
}

// thin bounds the values of a rank statistic, which takes all pairs of them; evenly
// spread ones stand for the rest.
func thin(xs []float64) []float64 {
	const most = 400
	if len(xs) <= most {
		return xs
	}
	out := make([]float64, most)
	for i := range out {
		out[i] = xs[i*len(xs)/most]
	}
	return out
}

// validOn are the valid trials of a run on a target.
func validOn(r *sweep.Record, target string) []store.Trial {
	on := map[string]bool{}
	for _, c := range r.Cells {
		on[c.ID] = c.Target == target
	}
	var out []store.Trial
	for _, t := range r.Trials {
		if on[t.Cell] && t.Result.Verdict == wire.Valid {
			out = append(out, t)
		}
	}
	return out
}

// validOf are the valid trials of a cell.
func validOf(r *sweep.Record, cell string) []store.Trial {
	var out []store.Trial
	for _, t := range r.Trials {
		if t.Cell == cell && t.Result.Verdict == wire.Valid {
			out = append(out, t)
		}
	}
	return out
}

// Percent is the change of the machine's rate in per cent.
func (c *Control) Percent() stat.Interval { return percentOf(c.Change) }
