package sweep

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// confidence is the level asked for of every interval.
const confidence = 0.95

// Rows turns what the run stored into figures, one a metric and cell. Only
// valid trials enter; a cell without one has rows without a value. The result
// depends on the record alone.
func (r *Record) Rows() []stat.Row {
	assessed := map[qualityKey]*Assessment{}
	machines := map[string]*machine{}
	var out []stat.Row
	for _, c := range r.Cells {
		m := machines[c.Target]
		if m == nil {
			m = r.machine(c.Target)
			machines[c.Target] = m
		}
		f := r.figures(c, m)
		f.timing()
		f.work()
		f.energy()
		f.quality(assessed)
		out = append(out, f.rows...)
	}
	return out
}

type qualityKey struct {
	artefact  string
	threshold float64
}

// figures collects the rows of one cell.
type figures struct {
	record  *Record
	cell    RecordedCell
	machine *machine
	base    stat.Row // what all rows of the cell share
	valid   []store.Trial
	rows    []stat.Row
}

// machine is what all cells of a target share.
type machine struct {
	env       wire.Environment
	noEnergy  string // why there is no energy; the last reason given
	simulated bool
}

func (r *Record) machine(target string) *machine {
	m := &machine{env: r.EnvironmentOf(target)}
	for _, t := range r.trialsOn(target) {
		if t.Result.Energy == nil && t.Result.EnergyReason != "" {
			m.noEnergy = t.Result.EnergyReason
		}
		m.simulated = m.simulated || t.Result.Energy != nil && t.Result.Energy.Simulated
	}
	return m
}

func (r *Record) figures(c RecordedCell, m *machine) *figures {
	f := &figures{record: r, cell: c, machine: m}
	at := r.Run.Started
	env := m.env
	verdicts := map[wire.Verdict]int{}
	var warnings []string
	threads := c.Axes.Threads
	for _, t := range r.trials(c.ID) {
		verdicts[t.Result.Verdict]++
		if t.Ended.After(at) {
			at = t.Ended
		}
		if t.Result.Verdict != wire.Valid {
			continue
		}
		f.valid = append(f.valid, t)
		env = t.Result.Env
		if c.Axes.Threads == 0 {
			threads = t.Result.Threads // every core, which the target counted
		}
		for _, w := range t.Result.Warnings {
			if !slices.Contains(warnings, w.Code) {
				warnings = append(warnings, w.Code)
			}
		}
	}
	f.base = stat.Row{
		Run: r.Run.ID, Cell: c.ID, Target: c.Target, Board: boardName(env), Model: r.Run.Model, Dataset: r.Run.Dataset,
		Bits: c.Axes.Bits, GroupSize: r.Plan.GroupSize, Algorithm: r.Plan.Algorithm, RankRatio: c.Axes.RankRatio,
		PruneRatio: c.Axes.PruneRatio, Threshold: c.Axes.Threshold, Batch: c.Axes.Batch, Threads: threads,
		Tier: env.Tier, Scenario: r.Plan.Scenario, Verdict: summary(verdicts), Warnings: warnings,
		Time: at.UTC().Truncate(time.Microsecond), Commit: r.Run.Commit,
	}
	return f
}

// boardName is what the machine calls itself, else its processor.
func boardName(e wire.Environment) string {
	if e.Board != "" {
		return e.Board
	}
	return e.CPU
}

// summary is valid when any trial was, else the most frequent verdict.
func summary(verdicts map[wire.Verdict]int) string {
	if verdicts[wire.Valid] > 0 {
		return string(wire.Valid)
	}
	best := wire.Verdict("")
	for v, n := range verdicts {
		if n > verdicts[best] || n == verdicts[best] && v < best {
			best = v
		}
	}
	return string(best)
}

// add appends a row with a figure, or without one when i has no items.
func (f *figures) add(metric, unit string, i stat.Interval, warnings ...string) {
	row := f.base
	row.Metric, row.Unit = metric, unit
	row.Warnings = append(slices.Clone(row.Warnings), warnings...)
	if i.N > 0 {
		row.Set(i)
	}
	f.rows = append(f.rows, row)
}

// unavailable appends a row that says why it has no figure.
func (f *figures) unavailable(metric, unit, why string) {
	f.add(metric, unit, stat.Interval{}, "unavailable: "+why)
}

// median appends the median over the valid trials of a figure of one trial.
func (f *figures) median(m TrialMetric, warnings ...string) { f.medianWithin(0, m, warnings...) }

// medianWithin is median of a figure that has a relative error in every trial.
func (f *figures) medianWithin(rel float64, m TrialMetric, warnings ...string) {
	xs := m.values(f.record, f.valid)
	if len(xs) == 0 {
		f.unavailable(m.Name, m.Unit, "no valid trial")
		return
	}
	i := widen(stat.MedianCI(xs, confidence), rel)
	switch {
	case len(xs) == 1:
		warnings = append(warnings, "one trial: no interval")
		i.Lo, i.Hi = math.NaN(), math.NaN()
	case i.Level < confidence:
		warnings = append(warnings, fmt.Sprintf("interval at %.1f %%: %d trials reach no more", 100*i.Level, len(xs)))
	}
	if text := outliers(xs); text != "" && !f.record.first() {
		warnings = append(warnings, text)
	}
	f.add(m.Name, m.Unit, i, warnings...)
}

// widen adds the sensor's own error to a figure's interval. It is the same in
// every trial, so repeating does not make it smaller: the half-width that the
// trials' scatter gives and the sensor's, relative to the figure, add in squares.
func widen(i stat.Interval, rel float64) stat.Interval {
	own := rel * math.Abs(i.Value)
	i.Lo = i.Value - math.Hypot(i.Value-i.Lo, own) // NaN stays NaN
	i.Hi = i.Value + math.Hypot(i.Hi-i.Value, own)
	return i
}

// sensorError is the median relative half-width of the trials' gross energy, 0
// where the records tell none.
func (f *figures) sensorError() float64 {
	var rels []float64
	for _, t := range f.valid {
		if e := t.Result.Energy; e != nil && e.GrossJ > 0 && e.GrossHi > e.GrossLo {
			rels = append(rels, (e.GrossHi-e.GrossLo)/2/e.GrossJ)
		}
	}
	if len(rels) == 0 {
		return 0
	}
	return stat.Quantile(rels, 0.5)
}

func (f *figures) timing() {
	fewest := f.fewest()
	for _, m := range timeMetrics {
		if why := f.record.tooFew(m.Name, fewest); why != "" && len(f.valid) > 0 {
			f.unavailable(m.Name, m.Unit, why)
			continue
		}
		if f.record.first() && m.Name == "latency_ms_p99" && fewest < tailSamples {
			f.median(m, fmt.Sprintf("p99 of trials with fewer than %d samples is near their slowest", tailSamples))
			continue
		}
		f.median(m)
	}
	f.unavailable("decode_tok_s", "1/s", "a classifier reads and does not generate")
	base := f.base.Warnings
	// A model is as large as it is, whatever reads it.
	f.base.Warnings = slices.DeleteFunc(slices.Clone(base), func(w string) bool { return w == stat.Emulated })
	f.median(sizeMetrics[0])
	f.base.Warnings = base
	f.median(sizeMetrics[1])
}

func (f *figures) work() {
	for _, m := range workMetrics {
		f.median(m)
	}
	f.unavailable("gb_s", "GB/s", "memory traffic is not measured")
}

// energy has the sensor's error in its intervals.
func (f *figures) energy() {
	why := f.machine.noEnergy
	measured := slices.ContainsFunc(f.valid, func(t store.Trial) bool { return counted(t.Result.Energy) })
	switch {
	case slices.ContainsFunc(f.valid, func(t store.Trial) bool { return t.Result.Energy != nil }):
		why = "the sensor counted nothing"
	case why != "":
	case len(f.valid) == 0:
		why = "no valid trial"
	default:
		why = "no energy sensor was read"
	}
	var warnings []string
	if f.machine.simulated {
		warnings = append(warnings, stat.Simulated)
	}
	for _, m := range energyMetrics {
		if !measured {
			f.unavailable(m.Name, m.Unit, why)
			continue
		}
		f.medianWithin(f.sensorError(), m, warnings...)
	}
}

// quality adds the figures of the cell's artefact and threshold, which all its
// batches and threads share.
func (f *figures) quality(assessed map[qualityKey]*Assessment) {
	key := qualityKey{f.cell.Artefact, f.cell.Axes.Threshold}
	a := assessed[key]
	res := f.record.quality(key.artefact, key.threshold)
	if a == nil {
		a = &Assessment{}
		if res != nil {
			*a = Assess(*res, f.record.quality(store.Reference, 0), f.record.Plan.Seed)
		}
		assessed[key] = a
	}
	f.base.Warnings = nil // those of the timing say nothing about quality
	for _, m := range a.Metrics() {
		if m.Value.N == 0 {
			f.unavailable(m.Name, m.Unit, "not evaluated")
			continue
		}
		f.add(m.Name, m.Unit, m.Value)
	}
	if res == nil {
		f.unavailable("skip_rate", "", "not evaluated")
		return
	}
	f.add("skip_rate", "", stat.Interval{Value: res.SkipRate, Lo: math.NaN(), Hi: math.NaN(), N: res.Items})
}
